//! What is watched while the load thread drives users: that their code does not block it, and that it gets the
//! processor time it needs.

mod blocked_loop;
mod saturation;
mod thread_times;

pub(super) use blocked_loop::Watchdog;
pub(super) use saturation::SaturationWatch;
