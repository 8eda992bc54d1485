#![doc = include_str!("../README.md")]

// The examples are written as a user would, who names the crate.
extern crate self as greylag_scenarios;

pub mod client;
mod declared;
mod engine;
pub mod examples;
pub mod prelude;
mod recorder;
mod scenario;
mod task;
#[cfg(test)]
mod testing;
mod user_type;
mod wait_time;

pub use declared::{DeclaredError, DeclaredRequest, DeclaredScenario};
pub use engine::{DriveError, Load, PlannedUser, drive};
pub use recorder::{Recorder, RequestSample};
pub use scenario::Scenario;
pub use task::{TaskError, TaskFn, TaskResult};
pub use user_type::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder, UserType};
pub use wait_time::{WaitTime, between, constant};
