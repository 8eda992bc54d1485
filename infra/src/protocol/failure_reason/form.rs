//! A reason as it is written and read: its message and its data, or the bare text of old versions.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::FailureReason;
use crate::base::MAX_WORKERS;

/// Most values of a reason, those in lists included: all its fields, and a list of all agents or workers of a run.
pub(super) const MAX_PARTS: usize = MAX_WORKERS as usize + 4_096;
/// How deep values are kept; a worker's failure is the second level.
const MAX_DEPTH: u8 = 4;

/// The data, by the derived functions.
struct Data<'a>(&'a FailureReason);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FailureReason::serialize(self.0, serializer)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    message: String,
    #[serde(flatten)]
    data: Data<'a>,
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
        let part = Part {
            left: &Cell::new(MAX_PARTS),
            depth: MAX_DEPTH,
        };
        let fields = match part.deserialize(deserializer)? {
            Value::String(text) => return Ok(Self::Other { text }),
            Value::Object(fields) => fields,
            _ => return Err(D::Error::custom("a reason is neither a text nor a map")),
        };
        let message = fields.get("message").and_then(Value::as_str);
        let text = message.unwrap_or_default().to_owned();
        // What cannot be read is of a later version.
        let known = Self::deserialize(Value::Object(fields));
        Ok(known.unwrap_or(Self::Other { text }))
    }
}

/// Reads a value of a reason. To look for a reason's kind serde keeps everything that is there, and so a frame full of
/// values that take a byte each would take 32 times its size in memory: what is kept is counted here.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// How many more there may be.
    left: &'a Cell<usize>,
    /// How many more levels are kept.
    depth: u8,
}

impl Part<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "a reason has more than {MAX_PARTS} values, the maximum"
            ))
        })?;
        self.left.set(left);
        let depth = self.depth.saturating_sub(1);
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth == 0 {
            return IgnoredAny::deserialize(deserializer).map(|_| Value::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of a reason")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        // Asks for one more than there are, which is counted, too.
        while let Some(element) = elements.next_element_seed(self.inner()?)? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key()? {
            map.insert(key, entries.next_value_seed(self.inner()?)?);
        }
        Ok(map.into())
    }
}
