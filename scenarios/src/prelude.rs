//! What a scenario's file needs: `use greylag::prelude::*;`.

pub use crate::client::{
    CaughtResponse, CaughtStreamedResponse, Client, HttpVersion, JsonError, Measure, Multipart,
    RequestError, Response, ResponseError, RestResponse, ServerSentEvent, Status, StopHandle,
    StreamError, StreamedResponse, ensure,
};
pub use crate::events::{RequestEvent, UserErrorEvent};
pub use crate::load_shape::{LoadShape, ShapeTick, ShapeTime};
pub use crate::metrics::{Counter, Gauge, Histogram, Rate, StreamMetrics};
pub use crate::options::{CustomOption, Options};
pub use crate::rows::Rows;
pub use crate::run::{Run, UserInfo};
pub use crate::scenario::Scenario;
pub use crate::task::{
    TaskError, TaskOptions, TaskResult, TaskSet, TaskSetBuilder, WaitTime, between, constant,
    constant_pacing, constant_throughput, finish_test, interrupt, interrupt_and_wait, poisson,
    reschedule, reschedule_immediately, stop_test, stop_user,
};
pub use crate::user::{FastHttpUser, HttpUser, UserType};

pub use greylag_macros::{
    fast_http_user, http_user, markov_task_set, sequential_task_set, task, task_set, transitions,
};
pub use http::Method;
pub use serde_json::{Value, json};
pub use std::process::ExitCode;
pub use std::time::Duration;
/// For code that blocks its thread: `spawn_blocking(move || hash(&password)).await?`.
pub use tokio::task::spawn_blocking;
