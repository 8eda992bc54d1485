#![doc = include_str!("../README.md")]

// Macros and examples name the crate a user depends on.
extern crate self as greylag;

pub mod client;
mod declared;
mod engine;
mod events;
pub mod examples;
mod load_shape;
mod options;
pub mod prelude;
mod recorder;
mod rows;
mod run;
mod scenario;
mod task;
#[cfg(test)]
mod testing;
mod user_type;
mod wait_time;

pub use declared::{DeclaredError, DeclaredRequest, DeclaredScenario};
pub use engine::{DriveError, Load, PlannedUser, UserOrder, drive};
pub use events::{Events, RequestEvent, START_EVENT_TIME, STOP_EVENT_TIME, UserErrorEvent};
pub use load_shape::{
    LoadShape, MAX_SHAPE_CHANGES, MAX_SHAPE_USERS, SHAPE_TICK, ShapeChange, ShapeError, ShapePlan,
    ShapeTick, ShapeTime,
};
pub use options::{
    CustomOption, CustomOptionKind, MAX_OPTION_NAME, MAX_OPTION_VALUE, OptionError, Options,
};
pub use recorder::{Arrival, Recorder, RequestSample};
pub use rows::{DataSource, MAX_DATA_BYTES, MAX_ROWS, Rows, RowsError};
pub use run::{Run, RunSettings, UserInfo};
pub use scenario::Scenario;
pub use task::{
    TaskError, TaskFn, TaskResult, interrupt, interrupt_and_wait, reschedule,
    reschedule_immediately, stop_test, stop_user,
};
pub use user_type::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder, UserType};
pub use wait_time::{WaitTime, between, constant};
