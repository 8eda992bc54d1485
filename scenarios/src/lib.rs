#![doc = include_str!("../README.md")]

// Macros and examples name the crate a user depends on.
extern crate self as greylag;

mod behaviour;
pub mod client;
mod client_overrides;
mod declared;
mod engine;
mod events;
pub mod examples;
mod goose_scenario;
mod load_shape;
#[doc(hidden)]
pub mod macro_support;
mod markov;
mod measure;
mod options;
mod place;
pub mod prelude;
mod recorder;
mod request_event;
mod rows;
mod run;
mod scenario;
mod selection;
mod set_up;
mod task;
mod task_options;
mod task_set;
mod task_table;
#[cfg(test)]
mod testing;
mod user_builder;
mod user_client_options;
mod user_type;
mod wait_time;

/// goose as the engine uses it: a scenario written for it runs as it is, by [`UserType::goose`].
pub use ::goose;
pub use client::{HttpVersion, TlsConfigError, tls_client_config};
pub use client_overrides::ClientOverrides;
pub use declared::{DeclaredError, DeclaredRequest, DeclaredScenario};
pub use engine::{
    DriveError, Load, LoopWatch, PlannedUser, Sight, UserOrder, drive, is_engine_chatter,
    keep_sigint_from_engine,
};
pub use events::{Events, RequestEvent, START_EVENT_TIME, STOP_EVENT_TIME, UserErrorEvent};
pub use load_shape::{
    LoadShape, MAX_SHAPE_CHANGES, MAX_SHAPE_USERS, SHAPE_TICK, ShapeChange, ShapeError, ShapePlan,
    ShapeTick, ShapeTime,
};
pub use measure::{Measure, Recorded, Timing};
pub use options::{
    CustomOption, CustomOptionKind, MAX_OPTION_NAME, MAX_OPTION_VALUE, OptionError, Options,
};
pub use recorder::{Arrival, GeneratorLimit, Recorder, RequestSample};
pub use rows::{DataSource, MAX_DATA_BYTES, MAX_ROWS, Rows, RowsError};
pub use run::{Run, RunSettings, UserInfo};
pub use scenario::Scenario;
pub use selection::{Selection, SelectionError};
/// Of the version JSON and rows are read with: `#[derive(Deserialize)] #[serde(crate = "greylag::serde")]`.
pub use serde;
/// Of the version JSON is read with: `greylag::serde_json::json!({ … })`.
pub use serde_json;
pub use set_up::{MAX_SET_UP_BYTES, SET_UP_TIME, SetUpDataError};
pub use task::{
    TaskError, TaskFn, TaskResult, TaskSetFn, interrupt, interrupt_and_wait, reschedule,
    reschedule_immediately, stop_test, stop_user,
};
pub use task_options::TaskOptions;
pub use task_set::{TaskSet, TaskSetBuilder};
pub use task_table::{TaskEntry, TaskOrder};
pub use user_builder::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder};
pub use user_type::{UserType, UserTypeError};
pub use wait_time::{WaitTime, between, constant, constant_pacing, constant_throughput, poisson};
