//! What else is known of a request that is kept for the scatter plot.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// What else is known of a request; what is not known is `None`. On the wire it is a list, because there are many: new
/// fields come at its end, and readers ignore those that they do not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SampleDetails {
    /// Time to first byte in µs.
    pub first_byte_us: Option<u32>,
    /// Status of the response, [`NO_ANSWER`](Self::NO_ANSWER) if there was none.
    pub status: Option<u16>,
    /// Number of the user over the whole run.
    pub user: Option<u32>,
    /// Global index of the worker.
    pub worker: Option<u32>,
    /// Position in [`Snapshot::sample_errors`](super::Snapshot::sample_errors).
    pub error: Option<u32>,
}

/// How many fields there are.
const FIELDS: usize = 5;

impl SampleDetails {
    /// In place of a status: no answer came, or it was not HTTP.
    pub const NO_ANSWER: u16 = 0;
}

impl Serialize for SampleDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            first_byte_us,
            status,
            user,
            worker,
            error,
        } = *self;
        let list: [Option<u32>; FIELDS] =
            [first_byte_us, status.map(u32::from), user, worker, error];
        list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SampleDetails {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = SampleDetails;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the details of a sample as a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<SampleDetails, A::Error> {
        let mut list = [None::<u32>; FIELDS];
        for field in &mut list {
            *field = elements.next_element()?.flatten();
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        let [first_byte_us, status, user, worker, error] = list;
        Ok(SampleDetails {
            first_byte_us,
            status: status.and_then(|status| u16::try_from(status).ok()),
            user,
            worker,
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_other_versions_are_read() {
        let details = SampleDetails {
            first_byte_us: Some(7),
            status: Some(503),
            user: Some(1),
            worker: None,
            error: Some(u32::MAX),
        };
        let text = serde_json::to_string(&details).unwrap();
        assert_eq!(text, "[7,503,1,null,4294967295]");
        let read = |text: &str| serde_json::from_str::<SampleDetails>(text).unwrap();
        assert_eq!(read(&text), details);
        assert_eq!(read("[7,503,1,null,4294967295,{\"a\":[1]},2]"), details);
        let short = SampleDetails {
            first_byte_us: Some(7),
            ..SampleDetails::default()
        };
        assert_eq!(read("[7]"), short);
        assert_eq!(read("[7,70000]"), short, "what is not a status is none");
        let packed = rmp_serde::to_vec_named(&details).unwrap();
        assert_eq!(
            rmp_serde::from_slice::<SampleDetails>(&packed).unwrap(),
            details
        );
        assert!(packed.len() <= 16, "{} bytes", packed.len());
    }
}
