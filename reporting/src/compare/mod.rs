//! Whether runs differ by more than their noise: pure statistics over the intervals of two or more runs.
//!
//! `docs/compare.md` says what is done, why, and what it cannot see.

mod change_text;
mod comparison;
mod difference;
mod measured;
mod pace;
mod percentiles;
mod spread;
mod statistic;
mod student;

pub use change_text::change_text;
#[cfg(feature = "coordinator")]
pub(crate) use comparison::is_worse;
pub use comparison::{Difference, EndpointDifferences, RunDifferences, RunVerdict, compare};
pub use difference::Verdict;
#[cfg(feature = "coordinator")]
pub(crate) use measured::MIN_BLOCKS;
pub use measured::MeasuredRun;
pub use statistic::{NotTested, Statistic};
