//! A reason as it is written and read: its message and its data, or the bare text of old versions.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FailureReason;

/// The data, by the derived functions.
struct Data<'a>(&'a FailureReason);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FailureReason::serialize(self.0, serializer)
    }
}

struct Known(FailureReason);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FailureReason::deserialize(deserializer).map(Self)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    message: String,
    #[serde(flatten)]
    data: Data<'a>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Read {
    Text(String),
    Known(Known),
    /// Of a later version.
    Unknown {
        #[serde(default)]
        message: String,
    },
}

impl Serialize for FailureReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            message: self.to_string(),
            data: Data(self),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FailureReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Read::deserialize(deserializer)? {
            Read::Text(text) | Read::Unknown { message: text } => Self::Other { text },
            Read::Known(Known(reason)) => reason,
        })
    }
}
