//! What a simulated user does: Locust's vocabulary in Rust.

pub mod client;
mod engine;
pub mod prelude;
mod recorder;
mod scenario;
mod task;
mod user_type;
mod wait_time;

pub use engine::{DriveError, Load, PlannedUser, drive};
pub use recorder::{Recorder, RequestSample};
pub use scenario::Scenario;
pub use task::{TaskError, TaskFn, TaskResult};
pub use user_type::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder, UserType};
pub use wait_time::{WaitTime, between, constant};
