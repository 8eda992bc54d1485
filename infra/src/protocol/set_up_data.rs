//! What a scenario's set-up made, on its way to every worker of the run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

/// Set-up data of a run: bytes that mean something to the scenario only. Cheap to clone; never shown, because it may
/// hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct SetUpData(Arc<[u8]>);

impl SetUpData {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SetUpData {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for SetUpData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetUpData({} bytes)", self.0.len())
    }
}

impl Serialize for SetUpData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for SetUpData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(ByteBuf::deserialize(deserializer)?.into_vec().into())
    }
}
