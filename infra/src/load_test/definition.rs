//! The named definition that runs are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::draft::DurationValue;
use super::{
    ClientSettings, DeclaredScenario, Fleet, ShippedBuild, Threshold, ThresholdSubject, TraceShare,
    WorkerCount,
};
use crate::base::{MAX_USERS, MAX_WORKERS, RunTime};
use crate::profile::{LoadProfile, ProfileStep, RateStep};

/// The definition of a load test. Times are whole seconds, as Locust's are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadTest {
    /// Name; runs are numbered per name.
    pub name: String,
    /// What it is for, in the words of whoever wrote it; may be empty.
    #[serde(default)]
    pub description: String,
    /// Base URL of the target; empty when each user type has its own.
    pub host: String,
    /// Peak concurrent users.
    pub users: u64,
    /// Time to ramp linearly from zero to `users`, in seconds; 0 starts all immediately. With an arrival rate
    /// it is the rate that ramps from zero, and all users start immediately.
    pub ramp_up_s: u64,
    /// Total duration, ramp included, in seconds. With a load shape in the scenario's code 0 is possible: the
    /// shape ends the run.
    pub duration_s: u64,
    /// Worker processes over the whole run; 0 while they follow from the agents' cores and these are not chosen.
    pub workers: u32,
    /// Whether there is to be a worker for each core of the agents.
    #[serde(default)]
    pub auto_workers: bool,
    /// The infrastructure that runs the test.
    pub infrastructure: String,
    /// Name of a compiled-in scenario; ignored when `declared` is given (then it is only a label).
    pub scenario: String,
    /// How long requests in flight may take after the end, in seconds.
    pub stop_timeout_s: u64,
    /// The requests of a declared scenario.
    #[serde(default)]
    pub declared: Option<DeclaredScenario>,
    /// Users started per second, as Locust says it; takes the place of `ramp_up_s` where it is given. User k (from
    /// 0) starts at k / rate.
    #[serde(default)]
    pub spawn_rate: Option<f64>,
    /// Stages, which take the place of `ramp_up_s` and `duration_s`, and of `users` unless they say arrival
    /// rates: see [`LoadTest::settled`].
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
    /// Which agents it waits for, and whether it shares them.
    #[serde(default)]
    pub fleet: Fleet,
    /// Settings of the users' HTTP client, which win over those of user types.
    #[serde(default)]
    pub client: ClientSettings,
    /// What the run was labelled with when it was started, each `key=value` or a word.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Whether no samples of errors are kept.
    #[serde(default)]
    pub no_error_samples: bool,
    /// Whether requests say which trace they belong to, and how many of them are sampled.
    #[serde(default)]
    pub trace_share: TraceShare,
    /// The program that the run is of, where it was shipped to the agents; none runs what is compiled into them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Box<ShippedBuild>>,
    /// Conditions on what the run measures, which its verdict is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// The run that thresholds compare with: its id, `TEST#NUMBER`, `TEST#pinned`, `TEST` for its newest run, or `pinned`; empty
    /// for the newest pinned run of the test.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub baseline: String,
}

/// A part of a load profile: a ramp, then a plateau. It says users or an arrival rate, and all stages of a test
/// say the same of the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Stage {
    /// Users at the end of the stage's ramp; none leaves them as they are.
    pub users: Option<u64>,
    /// New iterations per second at the end of the ramp; none leaves the rate as it is.
    pub arrival_rate: Option<f64>,
    /// How long the ramp takes, in whole seconds; 0 is a jump.
    #[cfg_attr(feature = "schema", schema(rename = "ramp", value_type = DurationValue))]
    pub ramp_s: u64,
    /// Users started or stopped per second; takes the place of the ramp's duration where it is given.
    pub spawn_rate: Option<f64>,
    /// How long the stage lasts, its ramp included, in whole seconds.
    #[cfg_attr(feature = "schema", schema(rename = "duration", value_type = DurationValue, required = true))]
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

impl LoadTest {
    /// The definition with `users`, `ramp_up_s` and `duration_s` as the stages say them, so that whoever shows
    /// them shows what happens: the most users, 0 and the sum of the durations. Without stages it is the same.
    #[must_use]
    pub fn settled(mut self) -> Self {
        if !self.stages.is_empty() {
            self.users = self.most_users();
            self.ramp_up_s = 0;
            self.duration_s = self.planned_duration_s();
        }
        self
    }

    /// The tags that thresholds are about, each once and sorted, at most one for each of [`MAX_THRESHOLDS`](super::MAX_THRESHOLDS):
    /// what is counted of a tag refers to it by its position here.
    pub fn counted_tags(&self) -> Vec<String> {
        let tags = self.thresholds_for_tags().map(|(_, tag)| tag.to_owned());
        tags.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The thresholds that are about a tag, with the tag.
    pub fn thresholds_for_tags(&self) -> impl Iterator<Item = (&Threshold, &String)> {
        let thresholds = self.thresholds.iter();
        thresholds.filter_map(|threshold| match &threshold.of {
            ThresholdSubject::Tag { name } => Some((threshold, name)),
            _ => None,
        })
    }

    /// The most users there are at any time, as the definition says it.
    pub fn most_users(&self) -> u64 {
        let of_stages = self.stages.iter().filter_map(|stage| stage.users).max();
        of_stages.unwrap_or(self.users)
    }

    /// How long the run takes, as the definition says it, in seconds.
    pub(super) fn planned_duration_s(&self) -> u64 {
        if self.stages.is_empty() {
            return self.duration_s;
        }
        let durations = self.stages.iter().map(|stage| stage.duration_s);
        durations.fold(0, u64::saturating_add)
    }

    /// How many users there are when, and how many iterations begin, as the definition says it.
    pub fn profile(&self) -> LoadProfile {
        let ramp_up_us = u64::try_from(self.ramp_up().as_micros()).unwrap_or(u64::MAX);
        let mut profile = LoadProfile::default();
        let has_rates = self.arrival_rate.is_some() || self.has_rate_stages();
        if has_rates || self.stages.is_empty() {
            profile.steps.push(ProfileStep {
                at: RunTime::ZERO,
                users: self.users,
                over_us: if has_rates { 0 } else { ramp_up_us },
            });
        }
        if self.stages.is_empty() {
            profile
                .rates
                .extend(self.arrival_rate.map(|per_second| RateStep {
                    at: RunTime::ZERO,
                    per_second,
                    over_us: ramp_up_us,
                }));
            profile.ends_at = Duration::from_secs(self.duration_s).into();
            return profile;
        }
        let mut users = 0;
        for stage in &self.stages {
            let at = profile.ends_at;
            let ramp = stage.ramp(users);
            let over_us = u64::try_from(ramp.as_micros()).unwrap_or(u64::MAX);
            let duration = Duration::from_secs(stage.duration_s);
            let ends_at = at + duration;
            if let Some(target) = stage.users {
                profile.steps.push(ProfileStep {
                    at,
                    users: target,
                    over_us,
                });
                users = target;
            }
            profile.ends_at = ends_at;
            if stage.users.is_some() && Duration::from_micros(over_us) > duration {
                // The next stage takes over from where this one's ramp is then.
                users = profile.users_at(ends_at.just_before());
            }
            if let Some(per_second) = stage.arrival_rate {
                profile.rates.push(RateStep {
                    at,
                    per_second,
                    over_us,
                });
            }
        }
        profile
    }

    /// The definition with this many workers, as it asks for them.
    #[must_use]
    pub fn with_workers(mut self, workers: WorkerCount) -> Self {
        (self.workers, self.auto_workers) = match workers {
            WorkerCount::Auto => (0, true),
            WorkerCount::Exactly(workers) => (workers, false),
        };
        self
    }

    /// The most workers that make sense: one without a user is of no use.
    pub fn most_workers(&self, scenario_has_shape: bool) -> u32 {
        // How many users a shape has is known when the agents are prepared.
        let users = if self.follows_shape(scenario_has_shape) {
            MAX_USERS
        } else {
            self.most_users()
        };
        u32::try_from(users).map_or(MAX_WORKERS, |users| users.min(MAX_WORKERS))
    }

    /// Whether a run follows the load shape in the scenario's code, if the scenario has one: stages and an arrival rate
    /// say themselves how the load goes. The one place that decides it.
    pub fn follows_shape(&self, scenario_has_shape: bool) -> bool {
        scenario_has_shape
            && self.declared.is_none()
            && self.stages.is_empty()
            && self.arrival_rate.is_none()
    }

    /// Whether its stages say arrival rates, so that users are only the most that may be busy.
    pub(crate) fn has_rate_stages(&self) -> bool {
        have_rates(&self.stages)
    }

    /// Total duration, ramp included.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.duration_s)
    }

    /// Time to ramp from zero to all users.
    pub fn ramp_up(&self) -> Duration {
        ramp_of(self.users, self.spawn_rate, self.ramp_up_s)
    }

    /// How long requests in flight may take after the end.
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout_s)
    }
}

impl Stage {
    /// How long the stage's ramp takes when there were `before` users.
    pub fn ramp(&self, before: u64) -> Duration {
        let change = self.users.map_or(0, |users| users.abs_diff(before));
        ramp_of(change, self.spawn_rate, self.ramp_s)
    }
}

/// Whether stages say arrival rates.
pub(crate) fn have_rates(stages: &[Stage]) -> bool {
    stages.iter().any(|stage| stage.arrival_rate.is_some())
}

fn ramp_of(users: u64, spawn_rate: Option<f64>, ramp_s: u64) -> Duration {
    match spawn_rate {
        // An invalid rate is refused by `check`; here it must only do no harm.
        Some(rate) if rate > 0.0 => {
            Duration::try_from_secs_f64(users as f64 / rate).unwrap_or(Duration::MAX)
        }
        _ => Duration::from_secs(ramp_s),
    }
}
