#![doc = include_str!("../README.md")]

// Macros and examples name the crate a user depends on.
extern crate self as greylag;

pub mod client;
mod engine;
mod events;
pub mod examples;
mod goose_scenario;
mod load_shape;
#[doc(hidden)]
pub mod macro_support;
mod metrics;
mod options;
mod place;
pub mod prelude;
mod recorder;
mod rows;
mod run;
mod scenario;
mod task;
#[cfg(test)]
mod testing;
mod user;

/// goose as the engine uses it: a scenario written for it runs as it is, by [`UserType::goose`].
pub use ::goose;
pub use client::{
    ClientSetupError, HttpVersion, Measure, ProxyError, Recorded, RequestTrace, Timing,
    TlsConfigError, TraceId, tls_client_config,
};
pub use engine::{
    DriveError, LOAD_THREAD_GRACE, Load, LoopWatch, ObservedPoll, PlannedUser, UserOrder,
    WORKER_GRACE, drive, is_engine_chatter, keep_sigint_from_engine,
};
pub use events::{
    Events, InitError, RequestEvent, START_EVENT_TIME, STOP_EVENT_TIME, UserErrorEvent,
};
pub(crate) use examples::main;
pub use load_shape::{
    LoadShape, MAX_SHAPE_CHANGES, MAX_SHAPE_USERS, SHAPE_TICK, ShapeChange, ShapeError, ShapePlan,
    ShapeTick, ShapeTime,
};
pub use metrics::{Amount, Counter, Gauge, Histogram, InRun, Rate, StreamMetrics, StreamTimes};
pub use options::{CustomOption, CustomOptionKind, OptionError, Options};
/// For random choices of users: `greylag::rand::random_range(1..=50)`.
pub use rand;
pub use recorder::{
    Arrival, FailedRequest, FailedResponse, GeneratorLimit, MetricKind, MetricValue, Recorder,
    RequestSample,
};
pub use rows::{DataSource, MAX_DATA_BYTES, MAX_ROWS, Rows, RowsError};
pub use run::{
    MAX_SET_UP_BYTES, Run, RunSettings, SET_UP_TIME, SetUpDataError, SetUpError, UserInfo,
};
pub use scenario::{
    ClientOverrides, CountedTagError, DeclaredRequest, DeclaredScenario, PrepareError, Scenario,
    Selection, SelectionError,
};
/// Of the version JSON and rows are read with: `#[derive(Deserialize)] #[serde(crate = "greylag::serde")]`.
pub use serde;
/// Of the version JSON is read with: `greylag::serde_json::json!({ … })`.
pub use serde_json;
pub use task::{
    MAX_COUNTED_TAGS, TagSet, TaskEntry, TaskError, TaskFn, TaskOptions, TaskOrder, TaskResult,
    TaskSet, TaskSetBuilder, TaskSetFn, WaitTime, between, constant, constant_pacing,
    constant_throughput, finish_test, interrupt, interrupt_and_wait, poisson, reschedule,
    reschedule_immediately, stop_test, stop_user,
};
pub use user::{
    ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder, UserType, UserTypeError,
};
