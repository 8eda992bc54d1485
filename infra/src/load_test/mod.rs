//! A load test: the definition that runs are made of, and whether it is one.

mod check;
mod client_settings;
mod declared;
mod defaults;
mod definition;
mod scenario_fit;
mod scenario_info;
mod secrets;
mod warnings;

pub use check::{
    LoadTestError, LoadTestErrors, MAX_OPTION_NAME_BYTES, MAX_OPTION_VALUE_BYTES, MAX_OPTIONS,
};
pub use client_settings::{ClientKind, ClientSettings, HttpVersion, MAX_CERTIFICATE_BYTES, Secret};
use declared::header_mistakes;
pub use declared::{DeclaredRequest, DeclaredScenario, WaitTime};
pub(crate) use declared::{MAX_REQUESTS, WAIT_TIME_RANGE};
pub use defaults::{
    DEFAULT_DURATION_S, DEFAULT_INFRASTRUCTURE, DEFAULT_RAMP_UP_PART, DEFAULT_RAMP_UP_S,
    DEFAULT_STOP_TIMEOUT_S, DEFAULT_USERS, DEFAULT_WORKERS, default_ramp_up_s,
};
pub use definition::{LoadTest, Selection, Stage};
pub use scenario_fit::MisfitError;
pub use scenario_info::{OptionInfo, OptionKind, ScenarioInfo, UserTypeInfo};
use secrets::LEFT_OUT;

#[cfg(test)]
mod tests;
