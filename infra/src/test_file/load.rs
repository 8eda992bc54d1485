//! How a test file says the load: `[[stage]]` tables, rates, and what must not stand beside what.

use toml::Table;

use super::reader::Reader;
use super::{TestFile, TestFileError};
use crate::load_test::{LoadTestError, MAX_ARRIVAL_RATE, MAX_STAGES, Stage};

const STAGE_KEYS: [&str; 5] = ["users", "arrival_rate", "ramp", "spawn_rate", "duration"];

impl Reader<'_> {
    pub(super) fn stages(&self, table: &Table) -> Result<Vec<Stage>, TestFileError> {
        let mut stages: Vec<Stage> = Vec::new();
        let mut users = 0;
        for (number, (table, from)) in (1..).zip(self.tables(table, "stage", MAX_STAGES)?) {
            let stage = self.stage(table, from)?;
            if let Some(mistake) = stage.mistake(users) {
                let message = LoadTestError::Stage { number, mistake }.to_string();
                return Err(self.at_key("stage", from, message));
            }
            users = stage.users.unwrap_or(users);
            let is_other = |other: &Stage| {
                (stage.users.is_some() && other.arrival_rate.is_some())
                    || (stage.arrival_rate.is_some() && other.users.is_some())
            };
            if is_other(&stage) || stages.iter().any(is_other) {
                return Err(self.at_key("stage", from, LoadTestError::MixedStages.to_string()));
            }
            stages.push(stage);
        }
        Ok(stages)
    }

    fn stage(&self, table: &Table, from: usize) -> Result<Stage, TestFileError> {
        self.refuse_unknown_keys(table, &STAGE_KEYS, "a [[stage]]", from)?;
        let Some(duration_s) = self.duration(table, "duration", from)? else {
            return Err(self.error(
                from,
                "this [[stage]] has no `duration`; say how long it lasts, its ramp included, such as duration = \"2m\"",
            ));
        };
        Ok(Stage {
            users: self.count(table, "users", from)?,
            arrival_rate: self.number(table, "arrival_rate", from)?,
            ramp_s: self.duration(table, "ramp", from)?.unwrap_or(0),
            spawn_rate: self.number(table, "spawn_rate", from)?,
            duration_s,
        })
    }

    /// What each value says for itself was read; here is what they must not say together.
    pub(super) fn refuse_contradictions(&self, file: &TestFile) -> Result<(), TestFileError> {
        if let Some(rate) = file.spawn_rate
            && !(rate > 0.0 && rate.is_finite())
        {
            return Err(self.at_key("spawn_rate", 0, LoadTestError::SpawnRate(rate).to_string()));
        }
        if let Some(rate) = file.arrival_rate
            && !(rate > 0.0 && rate <= MAX_ARRIVAL_RATE)
        {
            let message = LoadTestError::ArrivalRate(rate).to_string();
            return Err(self.at_key("arrival_rate", 0, message));
        }
        let given = [
            ("users", file.users.is_some()),
            ("ramp_up", file.ramp_up_s.is_some()),
            ("duration", file.duration_s.is_some()),
            ("spawn_rate", file.spawn_rate.is_some()),
            ("arrival_rate", file.arrival_rate.is_some()),
        ];
        let is_given = |key: &str| given.contains(&(key, true));
        if is_given("ramp_up") && is_given("spawn_rate") {
            return Err(self.at_key(
                "spawn_rate",
                0,
                "the file gives `ramp_up` and `spawn_rate`; keep one of the two",
            ));
        }
        if is_given("arrival_rate") && is_given("spawn_rate") {
            let message = LoadTestError::ArrivalAndSpawnRate.to_string();
            return Err(self.at_key("spawn_rate", 0, message));
        }
        if file.stages.is_empty() {
            return Ok(());
        }
        // The most users that may be busy at once, which no stage of an arrival rate says.
        let users_belong = file.stages.iter().any(|stage| stage.arrival_rate.is_some());
        for (key, _) in given.iter().filter(|(_, is_given)| *is_given) {
            if *key == "users" && users_belong {
                continue;
            }
            return Err(self.at_key(
                key,
                0,
                format!(
                    "the file has [[stage]] tables, which say how the load goes; leave `{key}` out"
                ),
            ));
        }
        Ok(())
    }
}
