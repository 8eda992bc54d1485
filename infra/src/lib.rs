#![doc = include_str!("../README.md")]

mod base;
mod load_test;
mod profile;
mod registry;
mod run;

pub mod protocol;

pub use base::{
    AgentId, AgentSecret, BuildInfo, DurationError, FileHash, FileHashError, MAX_ARRIVAL_RATE,
    MAX_DURATION, MAX_STAGES, MAX_USERS, MAX_WORKERS, OwnProcess, RunId, RunTime, StartTerms,
    WallClock, WallTime, builds_of, describe_builds, duration_of_number, format_duration, micros,
    parse_duration, parse_whole_seconds,
};
#[cfg(feature = "schema")]
pub use load_test::DurationValue;
pub use load_test::{
    AgentCount, AgentCountError, BaselineChange, BuildManifest, ClientKind, ClientSettings,
    Comparison, CustomStatistic, DEFAULT_AGENTS_TIMEOUT_S, DEFAULT_INFRASTRUCTURE, DataFile,
    DataFilesError, DataPath, DataPathError, DeclaredRequest, DeclaredScenario, DraftError,
    DraftErrors, FIELDS, Field, FieldKind, FieldValue, FieldValueError, Flag, Fleet, HttpVersion,
    LabelError, LoadTest, LoadTestError, LoadTestErrors, MAX_ABORT_AFTER_S, MAX_BUILD_BYTES,
    MAX_CERTIFICATE_BYTES, MAX_DATA_BYTES, MAX_DATA_FILE_BYTES, MAX_DATA_FILES,
    MAX_OPTION_NAME_BYTES, MAX_OPTION_VALUE_BYTES, MAX_OPTIONS, MAX_TEST_FILE_BYTES,
    MAX_THRESHOLD_BYTES, MAX_THRESHOLDS, MAX_WITHIN_S, MisfitError, NeverJudged, NoHost,
    OnLostAgent, OptionDeclarationError, Overlaid, Percentile, Secret, SecretMask, Selection,
    ShippedBuild, ShippedScenario, SourceCommit, Stage, TestDefaults, TestDraft, TestVerdict,
    Threshold, ThresholdError, ThresholdLimit, ThresholdMetric, ThresholdPhase, ThresholdProblem,
    ThresholdResult, ThresholdState, ThresholdSubject, ThresholdUnit, TimeStatistic, TimedSpan,
    TraceShare, WaitTime, WorkerCount, WorkerCountError, check_data_files, check_labels, field,
    is_same_machine, keys_of_files, target_of, toml_errors,
};
pub use profile::{
    Arrival, ArrivalTimes, FinishedEarly, LoadProfile, MAX_PROFILE_STEPS, Phases, ProfileError,
    ProfileStep, RateStep, UserChanges, UserPlan, UserTurn, UserTypeSequence, UserTypeWeight,
    distribute_workers, equal_weights, own_users, workers_by_cores,
};
pub use protocol::{
    Counted, CustomMetric, FailureReason, GeneratorNotice, GeneratorNotices, LostWorker,
    MAX_GENERATOR_NOTICES, MAX_NOTICE_SUBJECTS, MachineHealth, MetricKind, NoticeKind,
    ProcessHealth, Saturation, SetUpData, TimerLateness, WorkerFailure,
};
pub use registry::{
    Admission, AgentIdentity, AgentView, ConnectionStatus, FreeAgents, InfrastructureError,
    InfrastructureView, Joined, MAX_AGENTS, MAX_INFRASTRUCTURES, Registry, SILENT_AFTER,
    ScenarioList, SecretOption, SharedBudget, check_infrastructure_name,
};
pub use run::{
    AGENTS_SETTLE, AgentsThere, CHANGE_DELAY, ChangeRefused, Completeness, Coverage, END_GRACE,
    Gap, GapCause, LATE_RESULTS, Loss, MAX_GAPS, MissingUsers, PREPARE_TIMEOUT, RunAgent,
    RunEffect, RunEvent, RunLifecycle, RunPhase, RunRecord, RunStatus, START_DELAY, StopRefused,
    Turn, UnfinishedRun, WaitReason, Waiting, save_once, turn_of, worker_count,
};
