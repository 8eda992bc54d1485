//! How a run's load profile changes: by its scenario's own load shape before the start, by people and by its scenario's wish to
//! finish while it runs.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::{ChangeRefused, Presence, RunEffect, RunLifecycle};
use crate::base::{AgentId, MAX_DURATION, MAX_ERROR_BYTES, MAX_USERS, WallTime, visible_line};
use crate::load_test::LoadTestError;
use crate::profile::LoadProfile;
use crate::protocol::{FailureReason, ToAgent};
use crate::run::RunPhase;

/// How far ahead of the decision a change of users lies, so that every agent hears of it before.
pub const CHANGE_DELAY: Duration = Duration::from_millis(300);

/// In place of the reason of a scenario that gives none.
const NO_REASON: &str = "no reason given";

impl RunLifecycle {
    /// Whether the run's users may be changed now.
    ///
    /// # Errors
    /// It is not running, or the change is out of bounds.
    pub fn may_change_users(
        &self,
        users: u64,
        over_us: u64,
        now: WallTime,
    ) -> Result<(), ChangeRefused> {
        self.changed_profile(users, over_us, now).map(|_| ())
    }

    fn changed_profile(
        &self,
        users: u64,
        over_us: u64,
        now: WallTime,
    ) -> Result<LoadProfile, ChangeRefused> {
        let record = &self.record;
        let started_at = match (&record.phase, record.started_at) {
            (RunPhase::Queued(_) | RunPhase::Provisioning(_) | RunPhase::Preparing, _)
            | (RunPhase::Running, None) => {
                return Err(ChangeRefused::NotYet);
            }
            (RunPhase::Failing(_), _) => return Err(ChangeRefused::Stopping),
            (RunPhase::Finished | RunPhase::Failed(_), _) => {
                return Err(ChangeRefused::Over(record.phase.status().word()));
            }
            (RunPhase::Running, Some(_)) if !self.knows_run_zero => {
                return Err(ChangeRefused::RunTimeUnknown);
            }
            (RunPhase::Running, Some(started_at)) => started_at,
        };
        if users > MAX_USERS {
            return Err(ChangeRefused::TooManyUsers(users));
        }
        if u128::from(over_us) > MAX_DURATION.as_micros() {
            return Err(ChangeRefused::TooSlow(over_us as f64 / 1e6));
        }
        let at = (now + CHANGE_DELAY).run_time(started_at);
        if at >= record.profile.ends_at {
            return Err(ChangeRefused::Ending);
        }
        Ok(record.profile.with_change(at, users, over_us)?)
    }

    /// A refused change does nothing: [`RunLifecycle::may_change_users`] has already answered whoever asked.
    pub(super) fn change_users(
        &mut self,
        users: u64,
        over_us: u64,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let Ok(profile) = self.changed_profile(users, over_us, now) else {
            return Vec::new();
        };
        self.record.profile = profile;
        let how = match over_us {
            0 => "immediately".to_owned(),
            over_us => format!("over {}s", over_us as f64 / 1e6),
        };
        let mut effects = vec![RunEffect::Log(format!(
            "changing to {users} users {how}, as requested"
        ))];
        effects.extend(self.announce_profile());
        effects
    }

    /// The scenario asks to finish before the time: the run is planned to end now, for all agents. It is asked again with every
    /// ping, and the first time counts.
    pub(super) fn finish_early(
        &mut self,
        agent_id: &AgentId,
        reason: &str,
        now: WallTime,
    ) -> Vec<RunEffect> {
        // The run goes on without those that were given up.
        let takes_part = self
            .presence
            .get(agent_id)
            .is_some_and(|presence| *presence != Presence::GivenUp);
        let (RunPhase::Running, true, Some(started_at)) = (
            &self.record.phase,
            self.knows_run_zero && takes_part,
            self.record.started_at,
        ) else {
            return Vec::new();
        };
        let at = (now + CHANGE_DELAY).run_time(started_at);
        // It has to begin before it can end: the wish comes again.
        if now < started_at || at >= self.record.profile.ends_at {
            return Vec::new();
        }
        let reason = match visible_line(reason, MAX_ERROR_BYTES) {
            empty if empty.is_empty() => NO_REASON.to_owned(),
            reason => reason,
        };
        self.record.profile = self.record.profile.finished_at(at, reason.clone());
        // Agents that are away hear of it when they return.
        self.set_deadline(self.failing_deadline(now));
        let mut effects = vec![RunEffect::Log(format!(
            "finishing before the planned end, as the scenario asks: {reason}"
        ))];
        effects.extend(self.announce_profile());
        effects
    }

    /// Saves the profile as it is now, then sends it to everyone who still follows it.
    fn announce_profile(&self) -> Vec<RunEffect> {
        let mut effects = vec![RunEffect::Save];
        let profile = Arc::new(self.record.profile.clone());
        let there = self
            .presence
            .iter()
            .filter(|(_, presence)| !matches!(presence, Presence::Ended | Presence::GivenUp));
        effects.extend(there.map(|(agent_id, _)| RunEffect::Send {
            agent_id: agent_id.clone(),
            message: ToAgent::Profile {
                run_id: self.record.id.clone(),
                profile: Arc::clone(&profile),
            },
        }));
        effects
    }

    /// Lets the scenario's own load shape take the place of users, ramp-up and duration. All agents work out
    /// the same shape; the one of worker 0 is asked, and asked once.
    pub(super) fn take_shape(
        &mut self,
        agent_id: &AgentId,
        mut shape: LoadProfile,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let has_worker_0 = self.has_worker_0(agent_id);
        let test = &mut self.record.test;
        if self.record.phase != RunPhase::Preparing
            || self.has_shape
            || !has_worker_0
            || !test.follows_shape(true)
        {
            return Vec::new();
        }
        self.has_shape = true;
        if let Err(error) = shape.check() {
            return self.fail(invalid_shape(&error), now);
        }
        if test.duration_s > 0 {
            let duration = Duration::from_secs(test.duration_s);
            shape.ends_at = shape.ends_at.min(duration.into());
        }
        test.users = shape.most_users();
        test.duration_s = shape.ends_at.as_micros().div_ceil(1_000_000);
        test.ramp_up_s = 0;
        test.spawn_rate = None;
        let (users, workers, is_auto) = (test.users, test.workers, test.auto_workers);
        self.record.profile = shape;
        let mut effects = vec![
            RunEffect::Log(format!(
                "controlled by the scenario's load shape: at most {users} users, {}s",
                self.record.profile.ends_at.since_zero().as_secs_f64()
            )),
            RunEffect::Save,
        ];
        // One per core was asked for before it was known that there are fewer users.
        if u64::from(workers) > users && !is_auto {
            let error = LoadTestError::MoreWorkersThanUsers { workers, users };
            effects.extend(self.fail(invalid_shape(&error), now));
        }
        effects
    }
}

fn invalid_shape(error: &dyn Error) -> FailureReason {
    FailureReason::ShapeInvalid {
        problem: format!("the scenario's load shape: {error}"),
    }
}
