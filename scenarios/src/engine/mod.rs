//! Drives the users of a run.
//!
//! - `attack`: hands the users to goose, one attack per process. The only place that knows goose.
//! - `user`: the life of one user, from its planned start to its `on_stop`.
//! - `stop`: the stop of a run as users see it.
//! - `log_limit`: keeps errors of tasks from flooding the log.

mod attack;
pub(crate) mod log_limit;
pub(crate) mod stop;
#[cfg(test)]
mod tests;
mod user;

pub use attack::{DriveError, Load, PlannedUser, drive};
