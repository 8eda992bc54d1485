#![doc = include_str!("../README.md")]

mod agent_secret;
mod bounded_list;
mod build_info;
mod client_settings;
mod completeness;
mod dealing;
mod declared;
mod durations;
mod generator_notice;
mod load_profile;
mod load_test;
mod nearest;
mod registry;
mod run;
mod run_lifecycle;
mod scenario_fit;
mod set_up_data;
mod test_defaults;
mod test_draft;

pub mod protocol;

pub use agent_secret::AgentSecret;
pub use build_info::{BuildInfo, StartTerms, builds_of, describe_builds};
pub use client_settings::{ClientKind, ClientSettings, HttpVersion, MAX_CERTIFICATE_BYTES, Secret};
pub use completeness::{
    Completeness, Counted, Gap, GapCause, LATE_RESULTS_US, LostWorker, MAX_GAPS,
};
pub use dealing::{ClassSequence, UserClass, deal_workers, equal_weights};
pub use declared::{DeclaredRequest, DeclaredScenario, WaitTime};
pub use durations::{
    DurationError, duration_of_number, format_duration, parse_duration, parse_whole_seconds,
};
pub use generator_notice::{
    GeneratorNotice, GeneratorNotices, MAX_GENERATOR_NOTICES, MAX_NOTICE_SUBJECTS, NoticeKind,
};
pub use load_profile::{
    Arrival, ArrivalTimes, LoadProfile, MAX_PROFILE_STEPS, ProfileError, ProfileStep, RateStep,
    UserChanges, UserPlan, UserTurn, own_users,
};
pub use load_test::{
    LoadTest, LoadTestError, LoadTestErrors, MAX_ARRIVAL_RATE, MAX_DURATION, MAX_OPTION_NAME_BYTES,
    MAX_OPTION_VALUE_BYTES, MAX_OPTIONS, MAX_STAGES, MAX_USERS, MAX_WORKERS, Selection, Stage,
};
pub use registry::{
    AgentView, ConnectionStatus, InfrastructureError, InfrastructureView, Joined, MAX_AGENTS,
    MAX_AGENTS_IN_ALL, MAX_INFRASTRUCTURES, Registry, SILENT_AFTER_US, ScenarioList, SecretOption,
    check_infrastructure_name,
};
pub use run::{RunAgent, RunId, RunPhase, RunRecord, RunStatus};
pub use run_lifecycle::{
    CHANGE_DELAY_US, ChangeRefused, END_GRACE_US, PREPARE_TIMEOUT_US, RunEffect, RunEvent,
    RunLifecycle, START_DELAY_US, StopRefused, UnfinishedRun,
};
pub use scenario_fit::MisfitError;
pub use set_up_data::SetUpData;
pub use test_defaults::{
    DEFAULT_DURATION_S, DEFAULT_INFRASTRUCTURE, DEFAULT_RAMP_UP_PART, DEFAULT_RAMP_UP_S,
    DEFAULT_STOP_TIMEOUT_S, DEFAULT_USERS, DEFAULT_WORKERS, default_ramp_up_s,
};
pub use test_draft::{DraftError, DraftErrors, MAX_TEST_FILE_BYTES, TestDraft};
