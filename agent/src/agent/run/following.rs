//! A part of a run and its load profile: the load shape before the start, the start, and changes since.

use std::time::Instant;

use greylag_infra::{FailureReason, LoadProfile, ProfileError, SetUpData, WallTime};

use super::{AgentRun, Now, Phase, SNAPSHOT_DELAY, Shape, WorkerHandle};
use crate::scenario::ShapedLoad;
use crate::worker_protocol::ToWorker;

impl<W: WorkerHandle> AgentRun<W> {
    /// What the scenario's load shape says, where the run follows it and it was evaluated here.
    pub(crate) fn shape(&self) -> Option<&LoadProfile> {
        match &self.shape {
            Shape::Known(profile) => Some(profile),
            Shape::None | Shape::Awaited => None,
        }
    }

    /// What the scenario's set-up made, if worker 0 is ours.
    pub(crate) fn set_up_data(&self) -> Option<&SetUpData> {
        self.set_up_data.as_ref()
    }

    /// The load shape has been evaluated: what it asks for, or why it cannot be run.
    pub(crate) fn on_shape(&mut self, shape: Result<ShapedLoad, String>, now: Now) {
        match shape {
            Ok(ShapedLoad { profile, remark }) => {
                if let Some(remark) = remark {
                    self.note(now, remark);
                }
                self.shape = Shape::Known(profile);
                self.check_ready(now);
            }
            Err(problem) => self.fail(FailureReason::ShapeInvalid { problem }, now),
        }
    }

    /// Run time zero is at this instant, which is `run_zero_at` on the system's wall clock, and the users are
    /// those of this profile, who read the set-up data. When the load has started already only the profile counts.
    pub(crate) fn start(
        &mut self,
        run_zero: Instant,
        run_zero_at: WallTime,
        profile: LoadProfile,
        set_up_data: Option<SetUpData>,
        now: Now,
    ) {
        if self.phase != Phase::Ready {
            self.change_profile(profile, now);
            return;
        }
        if let Err(error) = profile.check_bounds() {
            self.fail(invalid_profile(&error), now);
            return;
        }
        self.phase = Phase::Driving;
        self.run_zero = Some(run_zero);
        self.next_snapshot = run_zero + SNAPSHOT_DELAY;
        for worker in self.workers.values() {
            worker.send(|| ToWorker::Start {
                run_zero_at,
                profile: profile.clone(),
                set_up_data: set_up_data.clone(),
            });
        }
        self.check_ports(&profile, now);
        self.profile = profile;
    }

    /// The load profile is this from now on. Harmless when it is so already, or when there is no load.
    pub(crate) fn change_profile(&mut self, profile: LoadProfile, now: Now) {
        if self.phase != Phase::Driving || profile == self.profile {
            return;
        }
        if let Err(error) = profile.check_bounds() {
            self.fail(invalid_profile(&error), now);
            return;
        }
        for worker in self.workers.values() {
            worker.send(|| ToWorker::Profile {
                profile: profile.clone(),
            });
        }
        self.check_ports(&profile, now);
        self.profile_since = Some(now.instant);
        self.profile = profile;
    }
}

fn invalid_profile(error: &ProfileError) -> FailureReason {
    FailureReason::ProfileInvalid {
        problem: error.to_string(),
    }
}
