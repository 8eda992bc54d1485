//! The errors of a load test: each is one message for the user.

use std::fmt;

use super::check::MAX_OPTION_VALUE_BYTES;
use super::field_checks::MAX_TEST_NAME_BYTES;
use super::host::NoHost;
use super::labels::LabelError;
use super::threshold::ThresholdError;
use crate::base::{MAX_ARRIVAL_RATE, MAX_STAGES, MAX_USERS, MAX_WORKERS};

/// All that makes a load test invalid: at least one error.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadTestErrors(Vec<LoadTestError>);

impl LoadTestErrors {
    pub(super) fn check(errors: Vec<LoadTestError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &LoadTestError> {
        self.0.iter()
    }
}

impl From<LoadTestError> for LoadTestErrors {
    fn from(error: LoadTestError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for LoadTestErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadTestErrors {}

/// What makes a load test invalid. Each is one message for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LoadTestError {
    #[error(
        "the test's name is not valid; use 1 to {MAX_TEST_NAME_BYTES} bytes without control characters"
    )]
    Name,
    #[error("users must be between 1 and {MAX_USERS}, got 0")]
    NoUsers,
    #[error("users must be between 1 and {MAX_USERS}, got {0}")]
    TooManyUsers(u64),
    #[error("workers must be between 1 and {MAX_WORKERS}, got 0")]
    NoWorkers,
    #[error("workers must be between 1 and {MAX_WORKERS}, got {0}")]
    TooManyWorkers(u32),
    #[error("{workers} workers but only {users} users; use at most one worker per user")]
    MoreWorkersThanUsers { workers: u32, users: u64 },
    #[error("duration must be between 1s and 30 days, got 0s")]
    NoDuration,
    #[error("duration must be between 1s and 30 days, got {0}s")]
    TooLong(u64),
    #[error("ramp-up must be at most 30 days, got {0}s")]
    RampTooLong(u64),
    #[error("spawn rate must be above 0, got {0}")]
    SpawnRate(f64),
    #[error("ramp-up and spawn rate are both given; keep one of the two")]
    RampAndSpawnRate,
    #[error(
        "arrival rate must be above 0 and at most {MAX_ARRIVAL_RATE} iterations per second, got {0}"
    )]
    ArrivalRate(f64),
    #[error(
        "spawn rate and arrival rate are both given; with an arrival rate all users start immediately, so leave the spawn rate out"
    )]
    ArrivalAndSpawnRate,
    #[error(
        "users must be at least 1; with an arrival rate it is the maximum number of iterations in progress"
    )]
    NoUsersForArrivals,
    #[error("there are {0} stages; the maximum is {MAX_STAGES}")]
    TooManyStages(usize),
    #[error("stage {number} {problem}")]
    Stage {
        number: usize,
        key: &'static str,
        problem: String,
    },
    #[error("every stage is 0; set users or an arrival rate above 0 in at least one")]
    NoLoad,
    #[error(
        "some stages have users and some an arrival rate; use one of the two in all stages of a test"
    )]
    MixedStages,
    #[error("stages and the test's {0} are both given; keep one of the two")]
    StagesAnd(&'static str),
    #[error("there are {count} {what}; the maximum is {most}")]
    TooMany {
        key: &'static str,
        what: &'static str,
        count: usize,
        most: usize,
    },
    #[error("`{text}` is not a valid {what}; use 1 to {most} bytes without control characters")]
    Text {
        key: &'static str,
        what: &'static str,
        text: String,
        most: usize,
    },
    #[error(
        "the value of option `{0}` is longer than {MAX_OPTION_VALUE_BYTES} bytes or has control characters"
    )]
    OptionValue(String),
    #[error("{key} is longer than {max} bytes or has control characters")]
    LongText { key: &'static str, max: usize },
    #[error("stop timeout must be at most one day, got {0}s")]
    StopTimeout(u64),
    #[error("the time to wait for agents must be at most 30 days, got {0}s")]
    AgentsTimeout(u64),
    #[error(
        "host `{host}` is not a URL ({reason}); write it as http://name[:port] or https://name[:port]"
    )]
    Host { host: String, reason: String },
    #[error("host `{0}` is not a URL; did you mean http://{0}?")]
    HostWithoutScheme(String),
    #[error("the host's password is not kept after a run; enter it again")]
    PasswordLeftOut,
    #[error("option `{0}` is secret and not kept after a run; enter it again")]
    OptionLeftOut(String),
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error("{error}")]
    Threshold { index: usize, error: ThresholdError },
    #[error(
        "threshold `{0}`: only a test with an arrival rate can skip iterations; set `arrival_rate` or leave the threshold out"
    )]
    SkipsNothing(String),
    #[error(transparent)]
    NoHost(#[from] NoHost),
    #[error("a declared scenario needs at least one [[request]]")]
    NothingDeclared,
    #[error("the declared scenario {0}")]
    Declared(String),
    #[error("`client.{key}` {problem}")]
    Client { key: &'static str, problem: String },
}

impl LoadTestError {
    /// The key of a test file, and of the API's JSON, that is wrong.
    pub fn key(&self) -> &'static str {
        use LoadTestError as E;
        match self {
            E::Name => "name",
            E::NoUsers | E::TooManyUsers(_) | E::NoUsersForArrivals => "users",
            E::NoWorkers | E::TooManyWorkers(_) | E::MoreWorkersThanUsers { .. } => "workers",
            E::NoDuration | E::TooLong(_) => "duration",
            E::RampTooLong(_) => "ramp_up",
            E::SpawnRate(_) | E::RampAndSpawnRate | E::ArrivalAndSpawnRate => "spawn_rate",
            E::ArrivalRate(_) => "arrival_rate",
            E::TooManyStages(_)
            | E::Stage { .. }
            | E::NoLoad
            | E::MixedStages
            | E::StagesAnd(_) => "stage",
            E::TooMany { key, .. } | E::Text { key, .. } | E::LongText { key, .. } => key,
            E::OptionValue(_) | E::OptionLeftOut(_) => "options",
            E::StopTimeout(_) => "stop_timeout",
            E::AgentsTimeout(_) => "agents_timeout",
            E::Host { .. } | E::HostWithoutScheme(_) | E::NoHost(_) | E::PasswordLeftOut => "host",
            E::Label(_) => "labels",
            E::Threshold { .. } | E::SkipsNothing(_) => "thresholds",
            E::NothingDeclared | E::Declared(_) => "request",
            E::Client { .. } => "client",
        }
    }

    /// Where in the API's JSON it is wrong, such as `stages[0].duration`.
    pub fn path(&self) -> String {
        match self {
            Self::Stage { number, key, .. } => {
                format!("stages[{}].{key}", number.saturating_sub(1))
            }
            Self::Threshold { index, .. } => format!("thresholds[{index}]"),
            Self::OptionValue(name) => format!("options.{name}"),
            _ => self.key().to_owned(),
        }
    }
}
