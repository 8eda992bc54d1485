//! More time for agents whose results still arrive: over a slow link they come long after the load has ended, and a
//! run whose results are all coming has not failed.

use super::{END_GRACE_US, Presence, RunLifecycle};
use crate::base::AgentId;
use crate::run::RunPhase;

/// How much longer than otherwise a run lasts at most while its agents' results still arrive, in µs.
pub(super) const MAX_CATCH_UP_US: u64 = 3_600_000_000;

impl RunLifecycle {
    /// The present phase must be over by then, or later while results arrive.
    pub(super) fn set_deadline(&mut self, deadline_us: u64) {
        self.deadline_us = deadline_us;
        self.latest_deadline_us = deadline_us + MAX_CATCH_UP_US;
    }

    /// Results of an agent were saved: it is waited for as long again as after the end of the load.
    pub(super) fn give_time(&mut self, agent_id: &AgentId, now_us: u64) {
        let is_waited_for = matches!(
            self.presence.get(agent_id),
            Some(Presence::Ready | Presence::Preparing)
        );
        let load_ends = matches!(self.record.phase, RunPhase::Running | RunPhase::Failing(_));
        if is_waited_for && load_ends {
            let more = (now_us + END_GRACE_US).min(self.latest_deadline_us);
            self.deadline_us = self.deadline_us.max(more);
        }
    }
}
