//! A load test: the named definition that runs are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::declared::DeclaredScenario;
use crate::load_profile::{LoadProfile, ProfileStep, RateStep};

/// Most users of one run.
pub const MAX_USERS: u64 = 1_000_000;
/// Most worker processes of one run.
pub const MAX_WORKERS: u32 = 1_000;
/// Most new iterations per second of one run.
pub const MAX_ARRIVAL_RATE: f64 = 1e6;
/// Longest duration of one run (30 days).
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest name of a test, in bytes.
const MAX_TEST_NAME_BYTES: usize = 200;
/// Longest host URL, in bytes.
const MAX_HOST_BYTES: usize = 2_000;

/// The definition of a load test. Times are whole seconds, as Locust's are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadTest {
    /// Name; runs are numbered per name.
    pub name: String,
    /// Base URL of the target.
    pub host: String,
    /// Peak concurrent users.
    pub users: u64,
    /// Time to ramp linearly from zero to `users`, in seconds; 0 starts everyone at once.
    pub ramp_up_s: u64,
    /// Total duration, ramp included, in seconds.
    pub duration_s: u64,
    /// Worker processes over the whole run.
    pub workers: u32,
    /// The infrastructure that runs the test.
    pub infrastructure: String,
    /// Name of a compiled-in scenario; ignored when `declared` is given (then it is only a label).
    pub scenario: String,
    /// How long requests in flight may take after the end, in seconds.
    pub stop_timeout_s: u64,
    /// The requests of a declared scenario.
    #[serde(default)]
    pub declared: Option<DeclaredScenario>,
    /// Users started per second, as Locust says it; takes the place of `ramp_up_s` where it is given.
    #[serde(default)]
    pub spawn_rate: Option<f64>,
    /// Stages, which take the place of `users`, `ramp_up_s` and `duration_s`; those then hold the most users,
    /// 0 and the sum of the stages' durations.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// New iterations per second over the whole run, whatever the target does; `users` are the most that may
    /// be busy with them at once.
    #[serde(default)]
    pub arrival_rate: Option<f64>,
    /// Which of the scenario's user types and tasks take part.
    #[serde(default)]
    pub selection: Selection,
    /// The scenario's own options, as texts, by name.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// A part of a load profile: a ramp, then a plateau.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// Users at the end of the stage's ramp; none leaves them as they are.
    pub users: Option<u64>,
    /// New iterations per second at the end of the ramp; none leaves the rate as it is.
    pub arrival_rate: Option<f64>,
    /// How long the ramp takes, in seconds; 0 is a jump.
    pub ramp_s: u64,
    /// How long the stage lasts, its ramp included, in seconds.
    pub duration_s: u64,
}

/// Which of a scenario's user types and tasks take part in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// User types by name; empty for all.
    pub user_types: Vec<String>,
    /// Only tasks with at least one of these tags; empty for all.
    pub tags: Vec<String>,
    /// No tasks with any of these tags; wins over `tags`.
    pub exclude_tags: Vec<String>,
    /// Every user type has weight 1 and every task is as likely as any other.
    pub equal_weights: bool,
}

/// Why a load test cannot be run as it is defined. Each is one sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    #[error("stop time-out is {0}s; the longest is one day")]
    StopTimeout(u64),
    #[error(
        "host `{host}` is not a URL ({reason}); write it as http://name[:port] or https://name[:port]"
    )]
    Host { host: String, reason: String },
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
        match self.users {
            0 => return Err(LoadTestError::NoUsers),
            n if n > MAX_USERS => return Err(LoadTestError::TooManyUsers(n)),
            _ => {}
        }
        match self.workers {
            0 => return Err(LoadTestError::NoWorkers),
            n if n > MAX_WORKERS => return Err(LoadTestError::TooManyWorkers(n)),
            n if u64::from(n) > self.users => {
                return Err(LoadTestError::MoreWorkersThanUsers {
                    workers: n,
                    users: self.users,
                });
            }
            _ => {}
        }
        match self.duration_s {
            0 => return Err(LoadTestError::NoDuration),
            n if n > MAX_DURATION.as_secs() => return Err(LoadTestError::TooLong(n)),
            _ => {}
        }
        if self.ramp_up_s >= self.duration_s {
            return Err(LoadTestError::RampNotShorter {
                ramp_up_s: self.ramp_up_s,
                duration_s: self.duration_s,
            });
        }
        if self.stop_timeout_s > 86_400 {
            return Err(LoadTestError::StopTimeout(self.stop_timeout_s));
        }
        if self
            .declared
            .as_ref()
            .is_some_and(|declared| declared.requests.is_empty())
        {
            return Err(LoadTestError::NothingDeclared);
        }
        if let Some(mistake) = self.declared.as_ref().and_then(DeclaredScenario::mistake) {
            return Err(LoadTestError::Declared(mistake));
        }
        self.host_url().map(|_| ())
    }

    /// The host as a URL with `http` or `https` and a host name.
    ///
    /// # Errors
    /// [`LoadTestError::Host`] with the reason.
    pub fn host_url(&self) -> Result<Url, LoadTestError> {
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

    /// How many users there are when, as the definition says it.
    pub fn profile(&self) -> LoadProfile {
        let us = |seconds: u64| seconds.saturating_mul(1_000_000);
        if self.stages.is_empty() {
            return LoadProfile {
                steps: vec![ProfileStep {
                    at_us: 0,
                    users: self.users,
                    over_us: u64::try_from(self.ramp_up().as_micros()).unwrap_or(u64::MAX),
                }],
                rates: self
                    .arrival_rate
                    .map(|per_second| RateStep {
                        at_us: 0,
                        per_second,
                        over_us: 0,
                    })
                    .into_iter()
                    .collect(),
                ends_at_us: us(self.duration_s),
            };
        }
        let mut profile = LoadProfile::default();
        for stage in &self.stages {
            let at_us = profile.ends_at_us;
            let over_us = us(stage.ramp_s);
            if let Some(users) = stage.users {
                profile.steps.push(ProfileStep {
                    at_us,
                    users,
                    over_us,
                });
            }
            if let Some(per_second) = stage.arrival_rate {
                profile.rates.push(RateStep {
                    at_us,
                    per_second,
                    over_us,
                });
            }
            profile.ends_at_us = at_us.saturating_add(us(stage.duration_s));
        }
        profile
    }

    /// Whether the definition itself says how the load goes, so that a load shape in the scenario's code does
    /// not count.
    pub fn has_own_profile(&self) -> bool {
        !self.stages.is_empty() || self.arrival_rate.is_some()
    }

    /// Total duration, ramp included.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.duration_s)
    }

    /// Time to ramp from zero to all users.
    pub fn ramp_up(&self) -> Duration {
        match self.spawn_rate {
            Some(rate) if rate > 0.0 => {
                Duration::try_from_secs_f64(self.users as f64 / rate).unwrap_or(MAX_DURATION)
            }
            _ => Duration::from_secs(self.ramp_up_s),
        }
    }

    /// How long requests in flight may take after the end.
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::{DeclaredRequest, WaitTime};

    fn valid() -> LoadTest {
        LoadTest {
            name: "checkout".into(),
            host: "http://127.0.0.1:8080".into(),
            users: 10,
            ramp_up_s: 5,
            duration_s: 10,
            workers: 2,
            infrastructure: "local".into(),
            scenario: "shop".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        }
    }

    #[test]
    fn a_valid_test_passes() {
        assert_eq!(valid().check(), Ok(()));
    }

    #[test]
    fn declared_requests_are_checked() {
        let request = DeclaredRequest {
            method: "GET".into(),
            path: "/".into(),
            name: None,
            weight: 1,
            headers: Vec::new(),
            body: None,
            expect_status: None,
            expect_body: None,
        };
        type Change = fn(&mut DeclaredRequest);
        let cases: [(Change, &str); 10] = [
            (|_| {}, ""),
            (|r| r.headers = vec![("x-a".into(), "ü\t1".into())], ""),
            (
                |r| r.headers = vec![("x a".into(), "1".into())],
                "`x a` is no name of a header",
            ),
            (
                |r| r.headers = vec![("x-a".into(), "1\r\n2".into())],
                "header `x-a` has control characters",
            ),
            (|r| r.method = "connect".into(), "opens a tunnel"),
            (|r| r.path = "https://elsewhere.example/".into(), ""),
            (
                |r| r.method = "NO GET".into(),
                "request 2: `NO GET` is no HTTP method",
            ),
            (|r| r.method = String::new(), "no HTTP method"),
            (|r| r.path = "cart".into(), "does not begin with `/`"),
            (|r| r.expect_status = Some(99), "expect_status 99"),
        ];
        for (change, words) in cases {
            let mut second = request.clone();
            change(&mut second);
            let declared = DeclaredScenario {
                requests: vec![request.clone(), second],
                wait_time: None,
            };
            let checked = LoadTest {
                declared: Some(declared),
                ..valid()
            }
            .check();
            let message = checked
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert!(
                message.contains(words) && words.is_empty() == message.is_empty(),
                "{message:?}"
            );
        }
        for wait_time in [
            WaitTime::Constant(-1.0),
            WaitTime::Constant(f64::NAN),
            WaitTime::Between(2.0, 1.0),
            WaitTime::Between(0.0, 1e9),
        ] {
            let declared = DeclaredScenario {
                requests: vec![request.clone()],
                wait_time: Some(wait_time),
            };
            let mistake = declared.mistake().unwrap_or_default();
            assert!(mistake.contains("wait time"), "{wait_time:?}: {mistake}");
        }
        let weightless = DeclaredRequest {
            weight: 0,
            ..request
        };
        let declared = DeclaredScenario {
            requests: vec![weightless],
            wait_time: None,
        };
        let error = LoadTest {
            declared: Some(declared),
            ..valid()
        }
        .check()
        .unwrap_err();
        assert!(error.to_string().contains("weight above 0"), "{error}");
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        type Change = fn(&mut LoadTest);
        let cases: [(Change, &str); 13] = [
            (|t| t.scenario = "x".repeat(201), "scenario's name"),
            (|t| t.name = " ".into(), "no name"),
            (|t| t.users = 0, "users is 0"),
            (|t| t.users = MAX_USERS + 1, "the most is"),
            (|t| t.workers = 0, "workers is 0"),
            (|t| t.workers = 11, "at most one worker per user"),
            (|t| t.duration_s = 0, "duration is 0"),
            (|t| t.ramp_up_s = 10, "not shorter than the duration"),
            (|t| t.host = "example.com".into(), "is not a URL"),
            (
                |t| t.host = "ftp://example.com".into(),
                "neither http:// nor https://",
            ),
            (|t| t.host = "http://".into(), "is not a URL"),
            (|t| t.host = "http://a/?x=1".into(), "query"),
            (
                |t| t.declared = Some(DeclaredScenario::default()),
                "[[request]]",
            ),
        ];
        for (change, words) in cases {
            let mut test = valid();
            change(&mut test);
            let message = test.check().unwrap_err().to_string();
            assert!(
                message.contains(words),
                "{message:?} should contain {words:?}"
            );
        }
    }
}
