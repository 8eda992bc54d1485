//! What agents say many times a second, kept until the owner takes it: of heartbeats and saved results only the latest
//! counts, so that the owner has as much to do with many as it has time for, and no connection waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use greylag_infra::protocol::{AgentEnd, FailureReason, HeldRun};
use greylag_infra::{AgentId, LostWorker, RunId, WallTime};
use tokio::sync::Notify;

/// What has come since the owner looked last. At most one of each kind per agent and run.
#[derive(Debug, Default)]
pub(super) struct AgentNews {
    waiting: Mutex<Waiting>,
    urgent: Notify,
}

/// All of it, taken out.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) heartbeats: HashMap<AgentId, Heartbeat>,
    /// Agents of which more of a long message has come, and when.
    pub(super) arriving: HashMap<AgentId, WallTime>,
    /// What was saved of an agent's part in a run.
    pub(super) saved: HashMap<(RunId, AgentId), Saved>,
    /// The keys of those that say more than how far results are saved, in the order in which they came.
    pub(super) urgent: Vec<(RunId, AgentId)>,
}

/// An agent was heard.
#[derive(Debug)]
pub(super) struct Heartbeat {
    pub(super) at: WallTime,
    /// How its runs stand, if it said so.
    pub(super) runs: Vec<HeldRun>,
}

/// What saved snapshots say to the life cycle of their run.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// All results of the seconds before this one are saved.
    pub(super) until: Option<u32>,
    /// Workers without which the agent goes on, if any are new.
    pub(super) lost_workers: Vec<LostWorker>,
    /// Why the agent stops its load early.
    pub(super) failing: Option<FailureReason>,
    pub(super) end: Option<AgentEnd>,
}

impl AgentNews {
    /// An agent was heard.
    pub(super) fn heard(&self, agent_id: &AgentId, heartbeat: Heartbeat) {
        self.lock().heartbeats.insert(agent_id.clone(), heartbeat);
    }

    /// More of an agent's message has come, behind which its heartbeats wait.
    pub(super) fn message_arrives(&self, agent_id: &AgentId, at: WallTime) {
        self.lock().arriving.insert(agent_id.clone(), at);
    }

    /// A snapshot was saved.
    pub(super) fn saved(&self, run_id: &RunId, agent_id: &AgentId, saved: Saved) {
        let is_urgent = saved.failing.is_some() || saved.end.is_some();
        let key = (run_id.clone(), agent_id.clone());
        let mut waiting = self.lock();
        let known = waiting.saved.entry(key.clone()).or_default();
        let was_urgent = known.failing.is_some() || known.end.is_some();
        known.until = known.until.max(saved.until);
        if !saved.lost_workers.is_empty() {
            // All of them so far.
            known.lost_workers = saved.lost_workers;
        }
        known.failing = known.failing.take().or(saved.failing);
        known.end = known.end.take().or(saved.end);
        if is_urgent && !was_urgent {
            waiting.urgent.push(key);
        }
        drop(waiting);
        if is_urgent {
            self.urgent.notify_one();
        }
    }

    /// Waits until there is something that cannot wait.
    pub(super) async fn urgent(&self) {
        self.urgent.notified().await;
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_what_is_said_again_the_latest_counts_and_of_reasons_the_first() {
        let news = AgentNews::default();
        let (run, agent) = (RunId::from("r"), AgentId::from("a"));
        let failing = |reason: &str| Saved {
            failing: Some(FailureReason::other(reason)),
            ..Saved::default()
        };
        let until = |second| Saved {
            until: Some(second),
            ..Saved::default()
        };
        for saved in [
            until(3),
            until(2),
            failing("first"),
            failing("second"),
            until(4),
        ] {
            news.saved(&run, &agent, saved);
        }
        for micros in [5, 7] {
            let at = WallTime::from_micros(micros);
            news.heard(&agent, Heartbeat { at, runs: vec![] });
        }
        news.urgent().await;
        let taken = news.take();
        assert_eq!(taken.urgent, [(run.clone(), agent.clone())]);
        let saved = &taken.saved[&(run, agent.clone())];
        assert_eq!(saved.until, Some(4));
        assert_eq!(saved.failing, Some(FailureReason::other("first")));
        assert_eq!(taken.heartbeats[&agent].at, WallTime::from_micros(7));
        assert!(news.take().saved.is_empty());
    }
}
