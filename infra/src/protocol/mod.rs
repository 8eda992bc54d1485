//! The wire between agents and the coordinator. What to do when it changes is said in `messages.rs`.

mod counted;
mod custom_metric;
mod error_sample;
mod failure_reason;
mod frames;
mod generator_notice;
mod health;
mod messages;
mod sample_details;
mod set_up_data;
mod shared;
mod snapshot;
mod trace_id;

pub use crate::base::{
    MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, MAX_HELD_RUNS, MAX_LOG_LINE_BYTES, MAX_NAME_BYTES,
    MAX_SCENARIO_PARTS, MAX_SCENARIOS, MAX_SET_UP_DATA_BYTES, OTHER, cut, turns_direction,
    visible_line,
};
pub use crate::load_test::{OptionInfo, OptionKind, ScenarioInfo, UserTypeInfo};
pub use counted::Counted;
pub use custom_metric::{
    CustomMetric, LeftOut, MAX_CUSTOM_METRICS, MAX_METRIC_COUNT, MAX_METRIC_NAME_BYTES,
    MAX_METRIC_UNIT_BYTES, MAX_METRIC_VALUE, METRIC_ONE, MetricData, MetricKind, MetricNames,
};
pub use error_sample::{
    ErrorSampleData, MAX_ERROR_SAMPLES_OF_AGENT, MAX_ERROR_SAMPLES_OF_ERROR,
    MAX_ERROR_SAMPLES_OF_RUN, MAX_SAMPLE_BODY_BYTES, MAX_SAMPLE_HEADER_BYTES,
    MAX_SAMPLE_HEADERS_BYTES, MAX_SAMPLE_URL_BYTES, keeps_error_sample,
};
pub use failure_reason::{FailureReason, WorkerFailure};
pub use frames::{
    FrameError, MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_MESSAGE_BYTES, decode, encode, is_snapshot,
};
pub use generator_notice::{
    GeneratorNotice, GeneratorNotices, MAX_GENERATOR_NOTICES, MAX_NOTICE_SUBJECTS, NoticeKind,
};
pub use health::{
    MachineHealth, ProcessHealth, SATURATED_CORE_PM, SATURATED_LATE_US, Saturation, TimerLateness,
};
pub use messages::{
    AGENT_SOCKET_PATH, HeldRun, Hello, MAX_UNACKNOWLEDGED, PING_INTERVAL_S, PROTOCOL_VERSION,
    Prepare, ToAgent, ToCoordinator, Welcome,
};
pub use sample_details::SampleDetails;
pub use set_up_data::SetUpData;
pub use snapshot::{
    AgentEnd, Endpoint, ErrorCount, IntervalData, LogLine, LostWorker, MAX_SNAPSHOT_INTERVALS,
    MAX_SNAPSHOT_PARTS, SampleData, SampleKind, Snapshot, TagInterval, UserChange, WorkerState,
};
pub use trace_id::TraceId;
