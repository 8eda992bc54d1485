//! Whether runs differ by more than their noise: pure statistics over the intervals of two or more runs.
//!
//! `docs/compare.md` says what is done, why, and what it cannot see.

mod comparison;
mod difference;
mod measured;
mod pace;
mod percentiles;
mod spread;
mod statistic;
mod student;

#[cfg(feature = "coordinator")]
pub(crate) use comparison::is_worse;
pub use comparison::{Difference, EndpointDifferences, RunDifferences, RunVerdict, compare};
pub use difference::Verdict;
pub use measured::MeasuredRun;
pub use statistic::{NotTested, Statistic};
