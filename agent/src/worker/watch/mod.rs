//! What is watched while the load thread drives users: that their code does not block it, and that it gets the
//! processor time it needs.

mod core_watch;
mod thread_times;
mod watchdog;

pub(super) use core_watch::CoreWatch;
pub(super) use watchdog::Watchdog;
