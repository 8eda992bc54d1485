#![doc = include_str!("../README.md")]

// Macros and examples name the crate a user depends on.
extern crate self as greylag;

pub mod client;
mod declared;
mod engine;
mod events;
pub mod examples;
pub mod prelude;
mod recorder;
mod run;
mod scenario;
mod task;
#[cfg(test)]
mod testing;
mod user_type;
mod wait_time;

pub use declared::{DeclaredError, DeclaredRequest, DeclaredScenario};
pub use engine::{DriveError, Load, PlannedUser, UserOrder, drive};
pub use events::RequestEvent;
pub use recorder::{Arrival, Recorder, RequestSample};
pub use run::{Run, RunSettings, UserInfo};
pub use scenario::Scenario;
pub use task::{
    TaskError, TaskFn, TaskResult, interrupt, interrupt_and_wait, reschedule,
    reschedule_immediately, stop_test, stop_user,
};
pub use user_type::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder, UserType};
pub use wait_time::{WaitTime, between, constant};
