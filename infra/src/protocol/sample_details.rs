//! What else is known of a request that is kept for the scatter plot.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};

use super::TraceId;
use super::trace_id::if_valid;

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
    /// Its trace, if it was sampled.
    pub trace_id: Option<TraceId>,
}

/// How many fields are numbers; they stand first.
const NUMBERS: usize = 5;

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
            trace_id,
        } = *self;
        let numbers: [Option<u32>; NUMBERS] =
            [first_byte_us, status.map(u32::from), user, worker, error];
        let fields = NUMBERS + usize::from(trace_id.is_some());
        let mut list = serializer.serialize_seq(Some(fields))?;
        for number in numbers {
            list.serialize_element(&number)?;
        }
        // Few requests are traced, and the rows of all others stay as short as they were.
        if let Some(trace_id) = trace_id {
            list.serialize_element(&trace_id)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for SampleDetails {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

/// An element of the list.
#[derive(Deserialize)]
struct TraceIdIfValid(#[serde(deserialize_with = "if_valid")] Option<TraceId>);

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = SampleDetails;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the details of a sample as a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<SampleDetails, A::Error> {
        let mut list = [None::<u32>; NUMBERS];
        for field in &mut list {
            *field = elements.next_element()?.flatten();
        }
        let trace_id = elements.next_element::<TraceIdIfValid>()?;
        let trace_id = trace_id.and_then(|read| read.0);
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        let [first_byte_us, status, user, worker, error] = list;
        Ok(SampleDetails {
            first_byte_us,
            status: status.and_then(|status| u16::try_from(status).ok()),
            user,
            worker,
            error,
            trace_id,
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
            trace_id: None,
        };
        let text = serde_json::to_string(&details).unwrap();
        assert_eq!(text, "[7,503,1,null,4294967295]");
        let read = |text: &str| serde_json::from_str::<SampleDetails>(text).unwrap();
        assert_eq!(read(&text), details);
        assert_eq!(
            read("[7,503,1,null,4294967295,null,{\"a\":[1]},2]"),
            details
        );
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
        let traced = SampleDetails {
            trace_id: TraceId::new(u128::MAX),
            ..details
        };
        let packed = rmp_serde::to_vec(&traced).unwrap();
        let read = rmp_serde::from_slice::<SampleDetails>(&packed).unwrap();
        assert_eq!(read, traced);
        assert!(packed.len() <= 34, "{} bytes", packed.len());
        for damaged in [&[0_u8; 16][..], &[1; 15], &[]] {
            let list = (
                7,
                503,
                1,
                None::<u32>,
                u32::MAX,
                serde_bytes::Bytes::new(damaged),
            );
            let packed = rmp_serde::to_vec(&list).unwrap();
            let read = rmp_serde::from_slice::<SampleDetails>(&packed).unwrap();
            assert_eq!(read, details, "without {damaged:?}");
        }
    }
}
