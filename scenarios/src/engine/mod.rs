//! Drives the users of a run.
//!
//! - `attack`: hands the users to goose, one attack per process. The only place that knows goose.
//! - `slots`: users to be, and the goose users that wait to be them.
//! - `arrivals`: the iterations an arrival rate asks for.
//! - `user`: the life of one user, from its start to its `on_stop`.
//! - `stop`: the stop of a run as users see it.
//! - `log_limit`: keeps errors of tasks from flooding the log.

mod arrivals;
mod attack;
pub(crate) mod log_limit;
mod slots;
pub(crate) mod stop;
#[cfg(test)]
mod tests;
mod user;

pub use attack::{DriveError, Load, PlannedUser, UserOrder, drive};
