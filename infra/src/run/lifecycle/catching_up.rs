//! More time for agents that fetch the run's build, or whose results still arrive: over a slow link they come long after the load has ended, and a
//! run whose results are all coming has not failed.

use std::time::Duration;

use super::{END_GRACE, PREPARE_TIMEOUT, Presence, RunLifecycle};
use crate::base::{AgentId, WallTime};
use crate::run::RunPhase;

/// How much longer than otherwise a run lasts at most while its agents' results still arrive.
pub(super) const MAX_CATCH_UP: Duration = Duration::from_secs(3_600);

impl RunLifecycle {
    /// The present phase must be over by then, or later while results arrive.
    pub(super) fn set_deadline(&mut self, deadline: WallTime) {
        self.deadline = deadline;
        self.latest_deadline = deadline + MAX_CATCH_UP;
    }

    /// Results of an agent were saved or wait to be: it is not lost, and it is waited for as long again as after the end of
    /// the load.
    pub(super) fn give_time(&mut self, agent_id: &AgentId, now: WallTime) {
        match self.presence.get_mut(agent_id) {
            None | Some(Presence::Ended | Presence::GivenUp) => return,
            Some(Presence::Absent { since, .. }) => *since = (*since).max(now),
            Some(Presence::Ready | Presence::Preparing) => {}
        }
        if matches!(self.record.phase, RunPhase::Running | RunPhase::Failing(_)) {
            let more = (now + END_GRACE).min(self.latest_deadline);
            self.deadline = self.deadline.max(more);
        }
    }

    /// An agent fetches the run's build. As long as more of it comes the time to prepare begins anew; a build has an end, so
    /// this has one, too.
    pub(super) fn agent_fetches(
        &mut self,
        agent_id: &AgentId,
        fetched_bytes: Option<u64>,
        now: WallTime,
    ) {
        let (Some(fetched), true) = (fetched_bytes, self.has_agent(agent_id)) else {
            return;
        };
        let build = self.record.test.build.as_ref();
        let fetched = fetched.min(build.map_or(0, |build| build.bytes()));
        // One that begins anew gets no more time for what it had before.
        let before = self.fetched.get(agent_id).copied();
        let has_more = before.is_none_or(|before| fetched > before);
        if has_more {
            self.fetched.insert(agent_id.to_owned(), fetched);
        }
        if has_more && self.record.phase == RunPhase::Preparing {
            self.set_deadline(now + PREPARE_TIMEOUT);
        }
    }
}
