//! Parts of messages that are the same for thousands of agents, as they travel: like what is shared.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<T: Serialize, S: Serializer>(
    part: &Arc<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    T::serialize(part, serializer)
}

pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<T>, D::Error> {
    T::deserialize(deserializer).map(Arc::new)
}
