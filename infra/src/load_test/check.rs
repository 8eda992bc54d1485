//! What makes a load test invalid, as far as it can be known without the registry.

use std::fmt;

use url::Url;

use super::{LoadTest, Stage};
use crate::base::{MAX_ARRIVAL_RATE, MAX_DURATION, MAX_STAGES, MAX_USERS, MAX_WORKERS};

/// Longest name of a test, in bytes.
const MAX_TEST_NAME_BYTES: usize = 200;
/// Longest host URL, in bytes.
const MAX_HOST_BYTES: usize = 2_000;
/// Most options of one test.
pub const MAX_OPTIONS: usize = 100;
/// Longest name of an option, in bytes.
pub const MAX_OPTION_NAME_BYTES: usize = 64;
/// Longest value of an option, in bytes.
pub const MAX_OPTION_VALUE_BYTES: usize = 65_536;
/// Longest stop timeout, in seconds.
const MAX_STOP_TIMEOUT_S: u64 = 86_400;
/// Most user types, and most tags, that a test selects.
const MAX_SELECTED: usize = 1_000;
/// Longest name of a user type or tag, in bytes.
const MAX_SELECTED_BYTES: usize = 200;

/// All that makes a load test invalid: at least one error.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadTestErrors(Vec<LoadTestError>);

impl LoadTestErrors {
    fn check(errors: Vec<LoadTestError>) -> Result<(), Self> {
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
    #[error(
        "the scenario's name is longer than {MAX_TEST_NAME_BYTES} bytes or has control characters"
    )]
    Scenario,
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
    #[error("stage {number} {mistake}")]
    Stage {
        number: usize,
        key: &'static str,
        mistake: String,
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
    #[error("stop timeout must be at most one day, got {0}s")]
    StopTimeout(u64),
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
    #[error("no host is given; give the target's base URL, such as http://127.0.0.1:8080")]
    NoHost,
    #[error("a declared scenario needs at least one [[request]]")]
    NothingDeclared,
    #[error("the declared scenario {0}")]
    Declared(String),
    #[error("`client.{key}` {mistake}")]
    Client { key: &'static str, mistake: String },
}

impl LoadTestError {
    /// The key of a test file, and of the API's JSON, that is wrong.
    pub fn key(&self) -> &'static str {
        use LoadTestError as E;
        match self {
            E::Name => "name",
            E::Scenario => "scenario",
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
            E::TooMany { key, .. } | E::Text { key, .. } => key,
            E::OptionValue(_) | E::OptionLeftOut(_) => "options",
            E::StopTimeout(_) => "stop_timeout",
            E::Host { .. } | E::HostWithoutScheme(_) | E::NoHost | E::PasswordLeftOut => "host",
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
            Self::OptionValue(name) => format!("options.{name}"),
            _ => self.key().to_owned(),
        }
    }
}

impl LoadTest {
    /// Checks everything that can be known without the registry.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check(&self) -> Result<(), LoadTestErrors> {
        let mut errors = self.errors_in_texts();
        let in_load = self.errors_in_load();
        // How many users there are is known only where the load is valid.
        let users = if in_load.is_empty() {
            self.most_users()
        } else {
            MAX_USERS
        };
        errors.extend(in_load);
        errors.extend(self.error_in_workers(users));
        LoadTestErrors::check(errors)
    }

    /// As [`LoadTest::check`], for a scenario that has a load shape in its code. That says how many users
    /// there are and may say when the run ends, unless the test has stages or an arrival rate.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check_with_shape(&self) -> Result<(), LoadTestErrors> {
        if self.has_own_profile() {
            return self.check();
        }
        let mut errors = self.errors_in_texts();
        // It counts for nothing, but is kept and shown.
        if self.users > MAX_USERS {
            errors.push(LoadTestError::TooManyUsers(self.users));
        }
        if self.duration_s > MAX_DURATION.as_secs() {
            errors.push(LoadTestError::TooLong(self.duration_s));
        }
        errors.extend(self.error_in_workers(MAX_USERS));
        LoadTestErrors::check(errors)
    }

    fn errors_in_texts(&self) -> Vec<LoadTestError> {
        let mut errors = Vec::new();
        if self.name.trim().is_empty()
            || self.name.len() > MAX_TEST_NAME_BYTES
            || self.name.chars().any(char::is_control)
        {
            errors.push(LoadTestError::Name);
        }
        if self.scenario.len() > MAX_TEST_NAME_BYTES || self.scenario.chars().any(char::is_control)
        {
            errors.push(LoadTestError::Scenario);
        }
        if self.stop_timeout_s > MAX_STOP_TIMEOUT_S {
            errors.push(LoadTestError::StopTimeout(self.stop_timeout_s));
        }
        errors.extend(self.errors_in_selection());
        errors.extend(self.errors_in_options());
        errors.extend(self.errors_in_client());
        if let Some(declared) = &self.declared {
            if declared.requests.is_empty() {
                errors.push(LoadTestError::NothingDeclared);
            } else {
                let mistakes = declared.mistakes();
                errors.extend(mistakes.into_iter().map(LoadTestError::Declared));
            }
            // No user type could name one.
            errors.extend(self.host_url().err());
        } else {
            errors.extend(self.host_if_any().err());
        }
        errors.extend(self.left_out());
        errors
    }

    fn errors_in_load(&self) -> Vec<LoadTestError> {
        let mut errors = Vec::new();
        if !self.stages.is_empty() {
            errors.extend(self.errors_in_stages());
        } else if self.users == 0 {
            errors.push(match self.arrival_rate {
                None => LoadTestError::NoUsers,
                Some(_) => LoadTestError::NoUsersForArrivals,
            });
        }
        if self.most_users() > MAX_USERS && self.stages.is_empty() {
            errors.push(LoadTestError::TooManyUsers(self.most_users()));
        }
        match self.planned_duration_s() {
            // A stage without a duration was named already.
            0 if self.stages.is_empty() => errors.push(LoadTestError::NoDuration),
            n if n > MAX_DURATION.as_secs() => errors.push(LoadTestError::TooLong(n)),
            _ => {}
        }
        if !self.stages.is_empty() {
            return errors;
        }
        if self.ramp_up_s > MAX_DURATION.as_secs() {
            errors.push(LoadTestError::RampTooLong(self.ramp_up_s));
        }
        if let Some(rate) = self.arrival_rate {
            if !(rate > 0.0 && rate <= MAX_ARRIVAL_RATE) {
                errors.push(LoadTestError::ArrivalRate(rate));
            }
            if self.spawn_rate.is_some() {
                errors.push(LoadTestError::ArrivalAndSpawnRate);
            }
        }
        if let Some(rate) = self.spawn_rate {
            if !(rate > 0.0 && rate.is_finite()) {
                errors.push(LoadTestError::SpawnRate(rate));
            }
            if self.ramp_up_s > 0 {
                errors.push(LoadTestError::RampAndSpawnRate);
            }
        }
        errors
    }

    fn errors_in_stages(&self) -> Vec<LoadTestError> {
        if self.stages.len() > MAX_STAGES {
            return vec![LoadTestError::TooManyStages(self.stages.len())];
        }
        let mut errors = Vec::new();
        if self.arrival_rate.is_some() {
            errors.push(LoadTestError::StagesAnd("arrival rate"));
        }
        if self.spawn_rate.is_some() {
            errors.push(LoadTestError::StagesAnd("spawn rate"));
        }
        for (number, stage) in (1..).zip(&self.stages) {
            let mistakes = stage.mistakes().into_iter();
            errors.extend(mistakes.map(|(key, mistake)| LoadTestError::Stage {
                number,
                key,
                mistake,
            }));
        }
        let says_users = self.stages.iter().any(|stage| stage.users.is_some());
        let mut rates = self
            .stages
            .iter()
            .filter_map(|stage| stage.arrival_rate)
            .peekable();
        let says_rates = rates.peek().is_some();
        if says_users && says_rates {
            errors.push(LoadTestError::MixedStages);
            return errors;
        }
        if says_rates && self.users == 0 {
            errors.push(LoadTestError::NoUsersForArrivals);
        }
        let has_load = if says_rates {
            rates.any(|rate| rate > 0.0)
        } else {
            says_users && self.most_users() > 0
        };
        if !has_load {
            errors.push(LoadTestError::NoLoad);
        }
        errors
    }

    fn error_in_workers(&self, users: u64) -> Option<LoadTestError> {
        match self.workers {
            0 => Some(LoadTestError::NoWorkers),
            n if n > MAX_WORKERS => Some(LoadTestError::TooManyWorkers(n)),
            n if u64::from(n) > users => {
                Some(LoadTestError::MoreWorkersThanUsers { workers: n, users })
            }
            _ => None,
        }
    }

    fn errors_in_selection(&self) -> Vec<LoadTestError> {
        let selection = &self.selection;
        let mut errors = Vec::new();
        for (key, what, things, texts) in [
            (
                "user_types",
                "name of a user type",
                "user types",
                &selection.user_types,
            ),
            ("tags", "tag", "tags", &selection.tags),
            (
                "exclude_tags",
                "tag",
                "excluded tags",
                &selection.exclude_tags,
            ),
        ] {
            match too_many(key, things, texts.len(), MAX_SELECTED) {
                Some(error) => errors.push(error),
                None => errors.extend(
                    texts
                        .iter()
                        .filter_map(|text| bad_text(key, what, text, MAX_SELECTED_BYTES)),
                ),
            }
        }
        errors
    }

    fn errors_in_client(&self) -> Vec<LoadTestError> {
        let client = &self.client;
        let mut mistakes = client.mistakes();
        mistakes.extend(client.unread_file());
        if self.declared.is_none() && client.kind.is_some() {
            mistakes.push((
                "kind",
                "is for declared requests; user types are written for their client".to_owned(),
            ));
        }
        if self.declared.is_some() && client.kind.is_none() {
            mistakes.extend(client.needs_full());
        }
        let errors = mistakes.into_iter();
        errors
            .map(|(key, mistake)| LoadTestError::Client { key, mistake })
            .collect()
    }

    fn errors_in_options(&self) -> Vec<LoadTestError> {
        if let Some(error) = too_many("options", "options", self.options.len(), MAX_OPTIONS) {
            return vec![error];
        }
        let mut errors = Vec::new();
        for (name, value) in &self.options {
            let what = "name of an option";
            errors.extend(bad_text("options", what, name, MAX_OPTION_NAME_BYTES));
            // A certificate has several lines.
            let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if value.len() > MAX_OPTION_VALUE_BYTES || value.chars().any(is_bad) {
                errors.push(LoadTestError::OptionValue(name.clone()));
            }
        }
        errors
    }

    /// The host as a URL with `http` or `https` and a host name, or none when each user type has its own.
    ///
    /// # Errors
    /// [`LoadTestError::Host`] with the reason, [`LoadTestError::HostWithoutScheme`].
    pub fn host_if_any(&self) -> Result<Option<Url>, LoadTestError> {
        if self.host.is_empty() {
            return Ok(None);
        }
        self.host_url().map(Some)
    }

    /// The host as a URL with `http` or `https` and a host name.
    ///
    /// # Errors
    /// [`LoadTestError::NoHost`], or what [`host_if_any`](Self::host_if_any) gives.
    pub fn host_url(&self) -> Result<Url, LoadTestError> {
        if self.host.is_empty() {
            return Err(LoadTestError::NoHost);
        }
        let refuse = |reason: &str| LoadTestError::Host {
            host: self.shown_host().chars().take(100).collect(),
            reason: reason.to_owned(),
        };
        if self.host.len() > MAX_HOST_BYTES {
            return Err(refuse("it is too long"));
        }
        // `example.com`, and `localhost:8080`, which would be a URL of the scheme `localhost`.
        if !self.host.contains("://") && Url::parse(&format!("http://{}", self.host)).is_ok() {
            return Err(LoadTestError::HostWithoutScheme(self.shown_host()));
        }
        let url = Url::parse(&self.host).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it begins with neither http:// nor https://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        Ok(url)
    }
}

impl Stage {
    /// What of it cannot be: the key, and the rest of a message about the stage.
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        if self.duration_s == 0 {
            mistakes.push((
                "duration",
                "has no duration; it must last at least 1s".to_owned(),
            ));
        }
        if let Some(users) = self.users
            && users > MAX_USERS
        {
            mistakes.push((
                "users",
                format!("has {users} users; the maximum is {MAX_USERS}"),
            ));
        }
        if let Some(rate) = self.arrival_rate
            && !(0.0..=MAX_ARRIVAL_RATE).contains(&rate)
        {
            mistakes.push(("arrival_rate", format!(
                "has an arrival rate of {rate}; it must be from 0 to {MAX_ARRIVAL_RATE} iterations per second"
            )));
        }
        if self.ramp_s > MAX_DURATION.as_secs() {
            mistakes.push((
                "ramp",
                format!("has a ramp of {}s; the maximum is 30 days", self.ramp_s),
            ));
        }
        if let Some(rate) = self.spawn_rate {
            if !(rate > 0.0 && rate.is_finite()) {
                mistakes.push((
                    "spawn_rate",
                    format!("has a spawn rate of {rate}; it must be above 0"),
                ));
            }
            if self.ramp_s > 0 {
                mistakes.push((
                    "spawn_rate",
                    "has a ramp and a spawn rate; keep one of the two".to_owned(),
                ));
            }
            if self.users.is_none() {
                mistakes.push((
                    "users",
                    "has a spawn rate but no users; set the number of users at its end".to_owned(),
                ));
            }
        }
        mistakes
    }
}

fn too_many(
    key: &'static str,
    what: &'static str,
    count: usize,
    most: usize,
) -> Option<LoadTestError> {
    (count > most).then_some(LoadTestError::TooMany {
        key,
        what,
        count,
        most,
    })
}

fn bad_text(
    key: &'static str,
    what: &'static str,
    text: &str,
    most: usize,
) -> Option<LoadTestError> {
    let is_good =
        !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    (!is_good).then(|| LoadTestError::Text {
        key,
        what,
        text: text.chars().filter(|c| !c.is_control()).take(60).collect(),
        most,
    })
}
