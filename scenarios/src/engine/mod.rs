//! Drives the users of a run.
//!
//! - `attack`: hands the users to goose: the only place that knows of its attacks.
//! - `slots`: users to be, until a goose user takes them, and who is active.
//! - `arrivals`: the iterations an arrival rate asks for.
//! - `user`: runs each user of this process from `on_start` to `on_stop`.
//! - `life`: the life of one user, from its `on_start` to its `on_stop`.
//! - `task_run`: one run of a task: bounded by a stop, its panics caught, its errors reported.
//! - `pace`: when the tasks of a paced user are intended to begin.
//! - `stop`: the stop of a run as users see it.
//! - `grace_periods`: how much longer than the stop timeout each layer waits.
//! - `loop_watch`: which user's code the load's thread is in, for a watchdog beside it.
//! - `log_limit`: keeps errors of tasks from flooding the log.

mod arrivals;
mod attack;
mod grace_periods;
mod life;
mod log_limit;
mod loop_watch;
mod pace;
mod slots;
mod stop;
mod task_run;
#[cfg(test)]
mod tests;
mod user;

pub(crate) use arrivals::Arrivals;
pub use attack::{
    DriveError, Load, PlannedUser, UserOrder, drive, is_engine_chatter, keep_sigint_from_engine,
};
pub use grace_periods::{LOAD_THREAD_GRACE, WORKER_GRACE};
pub(crate) use life::next_arrival;
pub(crate) use log_limit::LogLimit;
pub(crate) use loop_watch::NameId;
pub use loop_watch::{LoopWatch, ObservedPoll};
pub(crate) use pace::lateness;
pub(crate) use stop::StopSignal;
pub(crate) use task_run::{polled_as, report};
