//! What is watched while the load thread drives users: that their code does not block it, and how the process fares: processor
//! time, memory, files, how late timers fire.

mod blocked_loop;
mod health;
mod thread_times;
mod timers;

pub(super) use blocked_loop::Watchdog;
pub(super) use health::HealthWatch;
pub(super) use timers::TimerLog;
