//! What makes a load test invalid, as far as it can be known without the registry.

use super::error::{LoadTestError, LoadTestErrors};
use super::field_checks::{bad_name, is_control_in_lines, too_many};
use super::{FIELDS, LoadTest, Stage};
use crate::base::{MAX_ARRIVAL_RATE, MAX_DURATION, MAX_STAGES, MAX_USERS, MAX_WORKERS};

/// Most options of one test.
pub const MAX_OPTIONS: usize = 100;
/// Longest name of an option, in bytes.
pub const MAX_OPTION_NAME_BYTES: usize = 64;
/// Longest value of an option, in bytes.
pub const MAX_OPTION_VALUE_BYTES: usize = 65_536;

impl LoadTest {
    /// Checks everything that can be known without the registry.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check(&self) -> Result<(), LoadTestErrors> {
        let mut errors = self.errors_in_parts();
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

    /// As [`LoadTest::check`], for a scenario that may have a load shape in its code. Where the run follows it, the
    /// shape says how many users there are and may say when the run ends.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check_for_scenario(&self, scenario_has_shape: bool) -> Result<(), LoadTestErrors> {
        if !self.follows_shape(scenario_has_shape) {
            return self.check();
        }
        let mut errors = self.errors_in_parts();
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

    /// What is wrong with fields for themselves, and with options, client and requests.
    fn errors_in_parts(&self) -> Vec<LoadTestError> {
        let mut errors: Vec<_> = FIELDS.iter().flat_map(|field| field.check(self)).collect();
        errors.extend(super::check_thresholds(self));
        errors.extend(self.errors_in_options());
        errors.extend(self.errors_in_client());
        if let Some(declared) = &self.declared {
            errors.extend(declared.errors());
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
            let problems = stage.problems().into_iter();
            errors.extend(problems.map(|(key, problem)| LoadTestError::Stage {
                number,
                key,
                problem,
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
            _ if self.auto_workers => None,
            0 => Some(LoadTestError::NoWorkers),
            n if n > MAX_WORKERS => Some(LoadTestError::TooManyWorkers(n)),
            n if u64::from(n) > users => {
                Some(LoadTestError::MoreWorkersThanUsers { workers: n, users })
            }
            _ => None,
        }
    }

    fn errors_in_client(&self) -> Vec<LoadTestError> {
        let client = &self.client;
        let mut problems = client.problems();
        problems.extend(client.unread_file());
        if self.declared.is_none() && client.kind.is_some() {
            problems.push((
                "kind",
                "is for declared requests; user types are written for their client".to_owned(),
            ));
        }
        if self.declared.is_some() && client.kind.is_none() {
            problems.extend(client.needs_full());
        }
        let errors = problems.into_iter();
        errors
            .map(|(key, problem)| LoadTestError::Client { key, problem })
            .collect()
    }

    fn errors_in_options(&self) -> Vec<LoadTestError> {
        if let Some(error) = too_many("options", "options", self.options.len(), MAX_OPTIONS) {
            return vec![error];
        }
        let mut errors = Vec::new();
        for (name, value) in &self.options {
            let what = "name of an option";
            errors.extend(bad_name("options", what, name, MAX_OPTION_NAME_BYTES));
            // A certificate has several lines.
            if value.len() > MAX_OPTION_VALUE_BYTES || value.chars().any(is_control_in_lines) {
                errors.push(LoadTestError::OptionValue(name.clone()));
            }
        }
        errors
    }
}

impl Stage {
    /// What of it cannot be: the key, and the rest of a message about the stage.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.duration_s == 0 {
            problems.push((
                "duration",
                "has no duration; it must last at least 1s".to_owned(),
            ));
        }
        if let Some(users) = self.users
            && users > MAX_USERS
        {
            problems.push((
                "users",
                format!("has {users} users; the maximum is {MAX_USERS}"),
            ));
        }
        if let Some(rate) = self.arrival_rate
            && !(0.0..=MAX_ARRIVAL_RATE).contains(&rate)
        {
            problems.push(("arrival_rate", format!(
                "has an arrival rate of {rate}; it must be from 0 to {MAX_ARRIVAL_RATE} iterations per second"
            )));
        }
        if self.ramp_s > MAX_DURATION.as_secs() {
            problems.push((
                "ramp",
                format!("has a ramp of {}s; the maximum is 30 days", self.ramp_s),
            ));
        }
        if let Some(rate) = self.spawn_rate {
            if !(rate > 0.0 && rate.is_finite()) {
                problems.push((
                    "spawn_rate",
                    format!("has a spawn rate of {rate}; it must be above 0"),
                ));
            }
            if self.ramp_s > 0 {
                problems.push((
                    "spawn_rate",
                    "has a ramp and a spawn rate; keep one of the two".to_owned(),
                ));
            }
            if self.users.is_none() {
                problems.push((
                    "users",
                    "has a spawn rate but no users; set the number of users at its end".to_owned(),
                ));
            }
        }
        problems
    }
}
