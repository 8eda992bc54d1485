//! What every other room stands on: identities, limits, times, durations, and small tools for texts and lists.

mod agent_secret;
mod bounded_list;
mod build_info;
mod durations;
mod file_hash;
mod ids;
mod limits;
mod nearest;
mod own_process;
mod text;
mod times;
mod wall_clock;

pub use agent_secret::AgentSecret;
pub(crate) use bounded_list::bounded_list;
pub use build_info::{BuildInfo, StartTerms, builds_of, describe_builds};
pub(crate) use durations::whole_seconds;
pub use durations::{
    DurationError, duration_of_number, format_duration, parse_duration, parse_whole_seconds,
};
pub use file_hash::{FileHash, FileHashError};
pub use ids::{AgentId, RunId};
pub(crate) use limits::MAX_AGENTS_OF_A_RUN;
pub use limits::{
    MAX_ARRIVAL_RATE, MAX_DURATION, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, MAX_HELD_RUNS,
    MAX_LOG_LINE_BYTES, MAX_NAME_BYTES, MAX_SCENARIO_PARTS, MAX_SCENARIOS, MAX_SET_UP_DATA_BYTES,
    MAX_STAGES, MAX_USERS, MAX_WORKERS, OTHER,
};
pub(crate) use nearest::nearest;
pub use own_process::OwnProcess;
pub use text::{cut, turns_direction, visible_line};
pub use times::{RunTime, WallTime, micros};
pub use wall_clock::WallClock;
