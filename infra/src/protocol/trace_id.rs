//! The trace of a request: what it is known by in a tracing system.

use std::fmt;
use std::num::NonZeroU128;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

/// Bytes of an id.
const BYTES: usize = 16;

/// Trace id of a request as of W3C Trace Context: 16 bytes, never all zero. As text 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The id of these bytes as a number, the first byte the highest; `None` for zero, which is not a valid id.
    #[must_use]
    pub fn new(id: u128) -> Option<Self> {
        NonZeroU128::new(id).map(Self)
    }

    /// The id that these bytes are; `None` if they are not one.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; BYTES]>::try_from(bytes).ok()?;
        Self::new(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// Its bytes.
impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.get().to_be_bytes())
    }
}

/// Reads a list's or a struct's id. A damaged one is left out, because the rest counts without it, too.
pub(super) fn if_valid<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TraceId>, D::Error> {
    let bytes = Option::<ByteBuf>::deserialize(deserializer)?;
    Ok(bytes.and_then(|bytes| TraceId::of_bytes(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_travels_as_bytes_and_is_shown_as_digits() {
        let id = TraceId::new(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c).unwrap();
        assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        let packed = rmp_serde::to_vec(&id).unwrap();
        assert_eq!(packed.len(), 2 + BYTES);
        let read = |packed: &[u8]| if_valid(&mut rmp_serde::Deserializer::new(packed)).unwrap();
        assert_eq!(read(&packed), Some(id));
        assert!(TraceId::new(0).is_none());
        for wrong in [&[0; BYTES][..], &[1; BYTES - 1], &[1; BYTES + 1]] {
            let packed = rmp_serde::to_vec(serde_bytes::Bytes::new(wrong)).unwrap();
            assert_eq!(read(&packed), None, "{wrong:?}");
        }
    }
}
