//! How many users there are when, and how many iterations begin: the load profile as a pure function of time.
//!
//! Users are *slots*: slot i (an index over the whole run) is active exactly while the profile asks for more
//! than i users, so the last to come is the first to go. Worker w of W owns the slots i with i % W == w.
//! Everything follows from the profile alone, so any number of workers agree without talking.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ArrivalTimes, UserPlan};
use crate::base::{MAX_ARRIVAL_RATE, MAX_DURATION, MAX_USERS, RunTime};

/// Most steps of a profile, and most changes of its rate: a change each second for nearly three hours.
pub const MAX_PROFILE_STEPS: usize = 10_000;

/// How many users there are when, and how many iterations begin. Times are µs of run time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoadProfile {
    /// Changes of the number of users, ascending by `at_us`. A later step takes over from an earlier one
    /// whose ramp is not over, from where it is. Before the first there are no users.
    pub steps: Vec<ProfileStep>,
    /// Changes of the arrival rate, likewise; empty when users pace themselves.
    pub rates: Vec<RateStep>,
    /// When the run ends.
    #[serde(rename = "ends_at_us")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub ends_at: RunTime,
    /// Absent if the run was not finished by its scenario before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_early: Option<FinishedEarly>,
}

/// A scenario finished its run before the time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FinishedEarly {
    /// When the run was to end.
    #[serde(rename = "planned_end_us")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub planned_end: RunTime,
    /// Why, in the scenario's words: one line.
    pub reason: String,
}

/// From `at_us` on the number of users goes linearly to `users`, within `over_us`.
///
/// With n users before, up: user k (from n) starts at `at_us + (k - n) * over_us / (users - n)`. Down: user k
/// (from n - 1) stops at `at_us + (n - 1 - k) * over_us / (n - users)`. The first starts or stops immediately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProfileStep {
    /// When it begins.
    #[serde(rename = "at_us")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub at: RunTime,
    /// Users in the end.
    pub users: u64,
    /// How long it takes.
    pub over_us: u64,
}

/// From `at_us` on the arrival rate goes linearly to `per_second`, within `over_us`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RateStep {
    /// When it begins.
    #[serde(rename = "at_us")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub at: RunTime,
    /// New iterations per second in the end, over the whole run.
    pub per_second: f64,
    /// How long it takes.
    pub over_us: u64,
}

impl ProfileStep {
    /// When its users are there, unless a later step takes over before.
    pub fn reached_at(&self) -> RunTime {
        self.at + Duration::from_micros(self.over_us)
    }
}

impl RateStep {
    /// When its rate is reached, unless a later step takes over before.
    pub fn reached_at(&self) -> RunTime {
        self.at + Duration::from_micros(self.over_us)
    }
}

/// Why a profile cannot be used. Each has a message for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ProfileError {
    #[error("the load profile has {0} steps; the maximum is {MAX_PROFILE_STEPS}")]
    TooManySteps(usize),
    #[error("the steps of the load profile are not in the order of their times")]
    NotAscending,
    #[error("the load profile asks for {0} users; the maximum is {MAX_USERS}")]
    TooManyUsers(u64),
    #[error("the load profile never asks for a user")]
    NoUsers,
    #[error(
        "the load profile asks for {0} iterations per second; the rate must be from 0 to {MAX_ARRIVAL_RATE}"
    )]
    Rate(f64),
    #[error(
        "the load profile ends after {0} s; it must end after more than 0 s and within 30 days"
    )]
    End(f64),
}

impl LoadProfile {
    /// Users that should be active at a time, over the whole run. None from the end on.
    pub fn users_at(&self, at: RunTime) -> u64 {
        self.user_plan().users_at(at)
    }

    /// The most users there are at any time.
    pub fn most_users(&self) -> u64 {
        self.user_plan().most_users()
    }

    /// The same, prepared for being asked often.
    pub fn user_plan(&self) -> UserPlan {
        UserPlan::new(self)
    }

    /// New iterations per second at a time, over the whole run. None from the end on.
    pub fn rate_at(&self, at: RunTime) -> f64 {
        super::arrivals::rate_at(self, at)
    }

    /// Whether iterations begin at a rate, whatever the target does.
    pub fn has_arrivals(&self) -> bool {
        !self.rates.is_empty()
    }

    /// The intended starts of a worker's iterations, beginning with the first that is due at `from` or
    /// later. Iteration j is due when the integral of the rate passes j (the first immediately), and worker w of
    /// W owns the iterations j with j % W == w.
    pub fn arrival_times(&self, worker: u32, workers: u32, from: RunTime) -> ArrivalTimes {
        ArrivalTimes::new(self, worker, workers, from)
    }

    /// How many iterations of the arrival rate are due before this time, over all workers.
    pub fn arrivals_before(&self, at: RunTime) -> u64 {
        super::arrivals::arrivals_before(self, at)
    }

    /// The profile of a run that its scenario finishes at `at`, before its time, for a reason of one line.
    #[must_use]
    pub fn finished_at(&self, at: RunTime, reason: String) -> Self {
        Self {
            ends_at: at,
            finished_early: Some(FinishedEarly {
                planned_end: self.as_planned().ends_at,
                reason,
            }),
            ..self.clone()
        }
    }

    /// The profile as it was before its scenario finished it.
    pub fn as_planned(&self) -> Cow<'_, Self> {
        match &self.finished_early {
            None => Cow::Borrowed(self),
            Some(early) => Cow::Owned(Self {
                ends_at: early.planned_end,
                finished_early: None,
                ..self.clone()
            }),
        }
    }

    /// The profile with a change at `at`, which replaces all steps that were to begin then or later.
    ///
    /// # Errors
    /// Too many users, or too many steps.
    pub fn with_change(
        &self,
        at: RunTime,
        users: u64,
        over_us: u64,
    ) -> Result<LoadProfile, ProfileError> {
        if users > MAX_USERS {
            return Err(ProfileError::TooManyUsers(users));
        }
        let mut changed = self.clone();
        changed.steps.retain(|step| step.at < at);
        if changed.steps.len() >= MAX_PROFILE_STEPS {
            return Err(ProfileError::TooManySteps(changed.steps.len() + 1));
        }
        changed.steps.push(ProfileStep { at, users, over_us });
        Ok(changed)
    }

    /// Checks a profile that was made elsewhere. The first validation error is returned.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn check(&self) -> Result<(), ProfileError> {
        self.check_bounds()?;
        if self.most_users() == 0 {
            return Err(ProfileError::NoUsers);
        }
        Ok(())
    }

    /// As [`LoadProfile::check`], for a run that has started: no users are allowed, because
    /// a user may take them all away, immediately or before they started.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn check_bounds(&self) -> Result<(), ProfileError> {
        let most = self.steps.len().max(self.rates.len());
        if most > MAX_PROFILE_STEPS {
            return Err(ProfileError::TooManySteps(most));
        }
        let length = self.ends_at.since_zero();
        if length.is_zero() || length > MAX_DURATION {
            return Err(ProfileError::End(length.as_secs_f64()));
        }
        if !self.steps.is_sorted_by_key(|step| step.at)
            || !self.rates.is_sorted_by_key(|rate| rate.at)
        {
            return Err(ProfileError::NotAscending);
        }
        for step in &self.steps {
            if step.users > MAX_USERS {
                return Err(ProfileError::TooManyUsers(step.users));
            }
        }
        for rate in &self.rates {
            if !(0.0..=MAX_ARRIVAL_RATE).contains(&rate.per_second) {
                return Err(ProfileError::Rate(rate.per_second));
            }
        }
        Ok(())
    }
}
