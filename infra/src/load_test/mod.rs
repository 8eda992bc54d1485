//! A load test: the definition that runs are made of, and whether it is one.

mod check;
mod client_settings;
mod data_files;
mod declared;
mod defaults;
mod definition;
mod draft;
mod error;
mod field_checks;
mod fleet;
mod host;
mod labels;
mod on_lost_agent;
mod scenario_fit;
mod scenario_info;
mod scenario_option;
mod secret_mask;
mod secrets;
mod shipped_build;
mod threshold;
mod trace_share;
mod warnings;
mod worker_count;

pub use check::{MAX_OPTION_NAME_BYTES, MAX_OPTION_VALUE_BYTES, MAX_OPTIONS};
pub use client_settings::{ClientKind, ClientSettings, HttpVersion, MAX_CERTIFICATE_BYTES, Secret};
pub use data_files::{
    DataFile, DataFilesError, DataPath, DataPathError, MAX_DATA_BYTES, MAX_DATA_FILE_BYTES,
    MAX_DATA_FILES, check_data_files,
};
use declared::header_problems;
pub use declared::{DeclaredRequest, DeclaredScenario, WaitTime};
pub(crate) use declared::{MAX_REQUESTS, WAIT_TIME_RANGE};
pub use defaults::{DEFAULT_INFRASTRUCTURE, TestDefaults};
pub(crate) use definition::have_rates;
pub use definition::{LoadTest, Selection, Stage};
#[cfg(feature = "schema")]
pub use draft::DurationValue;
pub use draft::{
    DraftError, DraftErrors, FIELDS, Field, FieldKind, FieldValue, FieldValueError, Flag,
    MAX_TEST_FILE_BYTES, Overlaid, TestDraft, field, keys_of_files, toml_errors,
};
pub use error::{LoadTestError, LoadTestErrors};
pub(crate) use field_checks::{
    MAX_BASELINE_BYTES, MAX_TEST_NAME_BYTES, check_excluded_tags, check_name, check_stop_timeout,
    check_tags, check_user_types, is_control_in_lines, threshold_texts,
};
use field_checks::{check_thresholds, read_thresholds};
pub(crate) use fleet::check_agents_timeout;
pub use fleet::{AgentCount, AgentCountError, DEFAULT_AGENTS_TIMEOUT_S, Fleet};
pub use host::NoHost;
pub(crate) use host::{MAX_HOST_BYTES, check_host};
use labels::check_labels_of;
pub use labels::{LabelError, check_labels};
pub use on_lost_agent::OnLostAgent;
pub(crate) use on_lost_agent::OnLostAgentError;
pub use scenario_fit::MisfitError;
pub use scenario_info::{ScenarioInfo, UserTypeInfo};
pub use scenario_option::{OptionDeclarationError, OptionInfo, OptionKind};
pub use secret_mask::SecretMask;
use secrets::LEFT_OUT;
pub use shipped_build::{
    BuildManifest, MAX_BUILD_BYTES, ShippedBuild, ShippedScenario, SourceCommit, is_same_machine,
    target_of,
};
pub use threshold::{
    BaselineChange, Comparison, CustomStatistic, MAX_ABORT_AFTER_S, MAX_THRESHOLD_BYTES,
    MAX_THRESHOLDS, MAX_WITHIN_S, NeverJudged, Percentile, TestVerdict, Threshold, ThresholdError,
    ThresholdLimit, ThresholdMetric, ThresholdPhase, ThresholdProblem, ThresholdResult,
    ThresholdState, ThresholdSubject, ThresholdUnit, TimeStatistic, TimedSpan,
};
pub use trace_share::TraceShare;
pub(crate) use trace_share::TraceShareError;
pub use worker_count::{WorkerCount, WorkerCountError};

#[cfg(test)]
mod tests;
