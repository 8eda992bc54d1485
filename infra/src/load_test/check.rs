//! What makes a load test invalid, as far as it can be known without the registry.

use url::Url;

use super::{LoadTest, MAX_ARRIVAL_RATE, MAX_DURATION, MAX_STAGES, MAX_USERS, MAX_WORKERS, Stage};
use crate::declared::DeclaredScenario;

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
/// Most user types, and most tags, that a test selects.
const MAX_SELECTED: usize = 1_000;
/// Longest name of a user type or tag, in bytes.
const MAX_SELECTED_BYTES: usize = 200;

/// Why a load test cannot be run as it is defined. Each is one sentence for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LoadTestError {
    #[error(
        "the test has no name that can be used; give it one of 1 to {MAX_TEST_NAME_BYTES} bytes without control characters"
    )]
    Name,
    #[error(
        "the scenario's name is longer than {MAX_TEST_NAME_BYTES} bytes or has control characters"
    )]
    Scenario,
    #[error("users is 0; give at least 1")]
    NoUsers,
    #[error("users is {0}; the most is {MAX_USERS}")]
    TooManyUsers(u64),
    #[error("workers is 0; give at least 1 worker process")]
    NoWorkers,
    #[error("workers is {0}; the most is {MAX_WORKERS}")]
    TooManyWorkers(u32),
    #[error("workers is {workers} but users only {users}; give at most one worker per user")]
    MoreWorkersThanUsers { workers: u32, users: u64 },
    #[error("duration is 0; give at least 1s")]
    NoDuration,
    #[error("duration is {0}s; the longest is 30 days")]
    TooLong(u64),
    #[error(
        "ramp-up ({ramp_up_s}s) is not shorter than the duration ({duration_s}s); shorten the ramp-up or lengthen the duration"
    )]
    RampNotShorter { ramp_up_s: u64, duration_s: u64 },
    #[error("spawn rate is {0}; give users per second, a number above 0")]
    SpawnRate(f64),
    #[error("both ramp-up and spawn rate are given; keep one of the two")]
    RampAndSpawnRate,
    #[error(
        "{users} users at a spawn rate of {rate} per second need {needed_s}s, but the duration is {duration_s}s; raise the spawn rate or lengthen the duration"
    )]
    SpawnTooSlow {
        users: u64,
        rate: f64,
        needed_s: f64,
        duration_s: u64,
    },
    #[error(
        "arrival rate is {0}; give new iterations per second, a number above 0 and at most {MAX_ARRIVAL_RATE}"
    )]
    ArrivalRate(f64),
    #[error(
        "spawn rate and arrival rate are given; with an arrival rate all users are there from the start, so leave the spawn rate out"
    )]
    ArrivalAndSpawnRate,
    #[error(
        "users is 0; with an arrival rate give the most users that may be busy with iterations at once"
    )]
    NoUsersForArrivals,
    #[error("there are {0} stages; the most is {MAX_STAGES}")]
    TooManyStages(usize),
    #[error("stage {number} {mistake}")]
    Stage { number: usize, mistake: String },
    #[error(
        "no stage says users above 0 or an arrival rate above 0; give at least one of them a load"
    )]
    NoLoad,
    #[error(
        "some stages say users and some an arrival rate; use one of the two in all stages of a test"
    )]
    MixedStages,
    #[error("there are stages and a {0} of the whole test; keep one of the two")]
    StagesAnd(&'static str),
    #[error("there are {count} {what}; the most is {most}")]
    TooMany {
        what: &'static str,
        count: usize,
        most: usize,
    },
    #[error("`{text}` is no {what}; use 1 to {most} bytes without control characters")]
    Text {
        what: &'static str,
        text: String,
        most: usize,
    },
    #[error(
        "the value of option `{0}` is longer than {MAX_OPTION_VALUE_BYTES} bytes or has control characters"
    )]
    OptionValue(String),
    #[error("stop time-out is {0}s; the longest is one day")]
    StopTimeout(u64),
    #[error(
        "host `{host}` is not a URL ({reason}); write it as http://name[:port] or https://name[:port]"
    )]
    Host { host: String, reason: String },
    #[error("no host is given; give the target's base URL, such as http://127.0.0.1:8080")]
    NoHost,
    #[error("a declared scenario needs at least one [[request]]")]
    NothingDeclared,
    #[error("the declared scenario {0}")]
    Declared(String),
}

impl LoadTest {
    /// Checks everything that can be known without the registry. The first mistake is returned.
    ///
    /// # Errors
    /// See [`LoadTestError`].
    pub fn check(&self) -> Result<(), LoadTestError> {
        self.check_texts()?;
        self.check_load()?;
        self.check_workers(self.most_users())
    }

    /// As [`LoadTest::check`], for a scenario that has a load shape in its code. That says how many users
    /// there are and may say when the run ends, unless the test has stages or an arrival rate.
    ///
    /// # Errors
    /// See [`LoadTestError`].
    pub fn check_with_shape(&self) -> Result<(), LoadTestError> {
        if self.has_own_profile() {
            return self.check();
        }
        self.check_texts()?;
        // It counts for nothing, but is kept and shown.
        if self.users > MAX_USERS {
            return Err(LoadTestError::TooManyUsers(self.users));
        }
        if self.duration_s > MAX_DURATION.as_secs() {
            return Err(LoadTestError::TooLong(self.duration_s));
        }
        self.check_workers(MAX_USERS)
    }

    fn check_texts(&self) -> Result<(), LoadTestError> {
        if self.name.trim().is_empty()
            || self.name.len() > MAX_TEST_NAME_BYTES
            || self.name.chars().any(char::is_control)
        {
            return Err(LoadTestError::Name);
        }
        if self.scenario.len() > MAX_TEST_NAME_BYTES || self.scenario.chars().any(char::is_control)
        {
            return Err(LoadTestError::Scenario);
        }
        if self.stop_timeout_s > 86_400 {
            return Err(LoadTestError::StopTimeout(self.stop_timeout_s));
        }
        self.check_selection()?;
        self.check_options()?;
        if let Some(declared) = &self.declared {
            if declared.requests.is_empty() {
                return Err(LoadTestError::NothingDeclared);
            }
            if let Some(mistake) = DeclaredScenario::mistake(declared) {
                return Err(LoadTestError::Declared(mistake));
            }
            // Nobody else could name one.
            return self.host_url().map(|_| ());
        }
        self.host_if_any().map(|_| ())
    }

    fn check_load(&self) -> Result<(), LoadTestError> {
        if !self.stages.is_empty() {
            self.check_stages()?;
        } else if self.users == 0 {
            return Err(match self.arrival_rate {
                None => LoadTestError::NoUsers,
                Some(_) => LoadTestError::NoUsersForArrivals,
            });
        }
        if self.most_users() > MAX_USERS {
            return Err(LoadTestError::TooManyUsers(self.most_users()));
        }
        match self.planned_duration_s() {
            0 => return Err(LoadTestError::NoDuration),
            n if n > MAX_DURATION.as_secs() => return Err(LoadTestError::TooLong(n)),
            _ => {}
        }
        if !self.stages.is_empty() {
            return Ok(());
        }
        if self.ramp_up_s >= self.duration_s {
            return Err(LoadTestError::RampNotShorter {
                ramp_up_s: self.ramp_up_s,
                duration_s: self.duration_s,
            });
        }
        if let Some(rate) = self.arrival_rate {
            if !(rate > 0.0 && rate <= MAX_ARRIVAL_RATE) {
                return Err(LoadTestError::ArrivalRate(rate));
            }
            if self.spawn_rate.is_some() {
                return Err(LoadTestError::ArrivalAndSpawnRate);
            }
        }
        if let Some(rate) = self.spawn_rate {
            if !(rate > 0.0 && rate.is_finite()) {
                return Err(LoadTestError::SpawnRate(rate));
            }
            if self.ramp_up_s > 0 {
                return Err(LoadTestError::RampAndSpawnRate);
            }
            if self.ramp_up() > self.duration() {
                return Err(LoadTestError::SpawnTooSlow {
                    users: self.users,
                    rate,
                    needed_s: self.ramp_up().as_secs_f64(),
                    duration_s: self.duration_s,
                });
            }
        }
        Ok(())
    }

    fn check_stages(&self) -> Result<(), LoadTestError> {
        if self.stages.len() > MAX_STAGES {
            return Err(LoadTestError::TooManyStages(self.stages.len()));
        }
        if self.arrival_rate.is_some() {
            return Err(LoadTestError::StagesAnd("arrival rate"));
        }
        if self.spawn_rate.is_some() {
            return Err(LoadTestError::StagesAnd("spawn rate"));
        }
        let mut users = 0;
        for (number, stage) in (1..).zip(&self.stages) {
            if let Some(mistake) = stage.mistake(users) {
                return Err(LoadTestError::Stage { number, mistake });
            }
            users = stage.users.unwrap_or(users);
        }
        let says_users = self.stages.iter().any(|stage| stage.users.is_some());
        let mut rates = self
            .stages
            .iter()
            .filter_map(|stage| stage.arrival_rate)
            .peekable();
        let says_rates = rates.peek().is_some();
        if says_users && says_rates {
            return Err(LoadTestError::MixedStages);
        }
        if says_rates && self.users == 0 {
            return Err(LoadTestError::NoUsersForArrivals);
        }
        let has_load = if says_rates {
            rates.any(|rate| rate > 0.0)
        } else {
            says_users && self.most_users() > 0
        };
        if has_load {
            Ok(())
        } else {
            Err(LoadTestError::NoLoad)
        }
    }

    fn check_workers(&self, users: u64) -> Result<(), LoadTestError> {
        match self.workers {
            0 => Err(LoadTestError::NoWorkers),
            n if n > MAX_WORKERS => Err(LoadTestError::TooManyWorkers(n)),
            n if u64::from(n) > users => {
                Err(LoadTestError::MoreWorkersThanUsers { workers: n, users })
            }
            _ => Ok(()),
        }
    }

    fn check_selection(&self) -> Result<(), LoadTestError> {
        let selection = &self.selection;
        for (what, things, texts) in [
            ("name of a user type", "user types", &selection.user_types),
            ("tag", "tags", &selection.tags),
            ("tag", "excluded tags", &selection.exclude_tags),
        ] {
            at_most(things, texts.len(), MAX_SELECTED)?;
            for text in texts {
                check_text(what, text, MAX_SELECTED_BYTES)?;
            }
        }
        Ok(())
    }

    fn check_options(&self) -> Result<(), LoadTestError> {
        at_most("options", self.options.len(), MAX_OPTIONS)?;
        for (name, value) in &self.options {
            check_text("name of an option", name, MAX_OPTION_NAME_BYTES)?;
            // A certificate has several lines.
            let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if value.len() > MAX_OPTION_VALUE_BYTES || value.chars().any(is_bad) {
                return Err(LoadTestError::OptionValue(name.clone()));
            }
        }
        Ok(())
    }

    /// The host as a URL with `http` or `https` and a host name, or none when each user type has its own.
    ///
    /// # Errors
    /// [`LoadTestError::Host`] with the reason.
    pub fn host_if_any(&self) -> Result<Option<Url>, LoadTestError> {
        if self.host.is_empty() {
            return Ok(None);
        }
        self.host_url().map(Some)
    }

    /// The host as a URL with `http` or `https` and a host name.
    ///
    /// # Errors
    /// [`LoadTestError::NoHost`], or [`LoadTestError::Host`] with the reason.
    pub fn host_url(&self) -> Result<Url, LoadTestError> {
        if self.host.is_empty() {
            return Err(LoadTestError::NoHost);
        }
        let refuse = |reason: &str| LoadTestError::Host {
            host: self.host.chars().take(100).collect(),
            reason: reason.to_owned(),
        };
        if self.host.len() > MAX_HOST_BYTES {
            return Err(refuse("it is too long"));
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
    /// What of it cannot be, as the rest of a sentence about the stage.
    pub(crate) fn mistake(&self, users_before: u64) -> Option<String> {
        if self.duration_s == 0 {
            return Some("has no duration; give at least 1s".to_owned());
        }
        if let Some(users) = self.users
            && users > MAX_USERS
        {
            return Some(format!("has {users} users; the most is {MAX_USERS}"));
        }
        if let Some(rate) = self.arrival_rate
            && !(0.0..=MAX_ARRIVAL_RATE).contains(&rate)
        {
            return Some(format!(
                "has an arrival rate of {rate}; give new iterations per second, from 0 to {MAX_ARRIVAL_RATE}"
            ));
        }
        if let Some(rate) = self.spawn_rate {
            if !(rate > 0.0 && rate.is_finite()) {
                return Some(format!(
                    "has a spawn rate of {rate}; give users per second, a number above 0"
                ));
            }
            if self.ramp_s > 0 {
                return Some("has a ramp and a spawn rate; keep one of the two".to_owned());
            }
            if self.users.is_none() {
                return Some(
                    "has a spawn rate but no users; say how many users there are at its end"
                        .to_owned(),
                );
            }
        }
        let ramp_s = self.ramp(users_before).as_secs_f64();
        (ramp_s > self.duration_s as f64).then(|| {
            format!(
                "has a ramp of {ramp_s}s but lasts only {}s; shorten the ramp or lengthen the stage",
                self.duration_s
            )
        })
    }
}

fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), LoadTestError> {
    if count <= most {
        return Ok(());
    }
    Err(LoadTestError::TooMany { what, count, most })
}

fn check_text(what: &'static str, text: &str, most: usize) -> Result<(), LoadTestError> {
    if !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(LoadTestError::Text {
        what,
        text: text.chars().filter(|c| !c.is_control()).take(60).collect(),
        most,
    })
}
