//! Where timings go.

mod sample;

pub use sample::{Arrival, GeneratorLimit, Recorder, RequestSample};
pub(crate) use sample::{Begun, Details, Ended, OwnSample, Pending, RunContext, UserContext};
