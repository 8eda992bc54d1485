//! How much of a run's load there was, where it went on without some of its agents or workers: who was lost, since when
//! and why. That is another question than whether all results are there (`completeness.rs`): an agent that was shut down
//! has handed over everything, and its users are missing all the same.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::RunAgent;
use super::completeness::since_text;
use crate::base::{RunTime, WallTime};
use crate::profile::own_users;
use crate::protocol::{FailureReason, LostWorker, WorkerFailure};

/// Most losses of a run that are kept apart; further ones are only counted.
const MAX_LOSSES: usize = 10_000;

/// What was lost of a run's load while the run went on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    losses: Vec<Loss>,
    /// Losses beyond [`MAX_LOSSES`].
    more: u64,
}

/// An agent, or one of its workers, without which a run went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Name of the agent.
    pub agent: String,
    /// Global index of its worker, if only that was lost.
    #[serde(default)]
    pub worker: Option<u32>,
    /// First second of run time without it, as far as that is known.
    pub since_second: u32,
    /// Why: what the run would have failed for.
    pub reason: FailureReason,
}

/// How many users are missing, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingUsers {
    /// Those of what was lost.
    pub missing: u64,
    /// The most that the run's load profile asks for.
    pub of: u64,
}

impl Coverage {
    /// Whether nothing was lost.
    pub fn is_full(&self) -> bool {
        self.losses.is_empty() && self.more == 0
    }

    /// What was lost, in the order in which it was found out, at most 10,000.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Whether a whole agent was lost.
    pub fn has_lost_agent(&self, name: &str) -> bool {
        let mut losses = self.losses.iter();
        losses.any(|loss| loss.worker.is_none() && loss.agent == name)
    }

    /// Whether a whole agent was lost at this second or before: what it loses then was missing with it.
    pub(super) fn has_lost_agent_by(&self, name: &str, second: u32) -> bool {
        let mut losses = self.losses.iter();
        losses
            .any(|loss| loss.worker.is_none() && loss.agent == name && loss.since_second <= second)
    }

    /// Adds a loss, once: of the same agent (and worker) the first one stays. Says whether it is new.
    pub fn add(&mut self, loss: Loss) -> bool {
        let is_same = |known: &Loss| known.agent == loss.agent && known.worker == loss.worker;
        if self.losses.iter().any(is_same) {
            return false;
        }
        if self.losses.len() < MAX_LOSSES {
            self.losses.push(loss);
        } else {
            self.more = self.more.saturating_add(1);
        }
        true
    }

    /// An agent that was lost has said until when it had users: since then they are missing. Nothing is, if that was the end
    /// of the load.
    pub fn agent_had_users_until(&mut self, agent: &str, until: RunTime, load_ends_at: RunTime) {
        let is_meant = |loss: &Loss| loss.worker.is_none() && loss.agent == agent;
        if until >= load_ends_at {
            self.losses.retain(|loss| !is_meant(loss));
        }
        for loss in self.losses.iter_mut().filter(|loss| is_meant(loss)) {
            loss.since_second = until.second();
        }
    }

    /// The workers that are lost, of a run with these agents.
    pub fn lost_workers(&self, agents: &[RunAgent]) -> BTreeSet<u32> {
        let workers = workers_by_agent(agents);
        let of_loss = |loss: &Loss| match loss.worker {
            Some(worker) => vec![worker],
            None => workers.get(&*loss.agent).copied().unwrap_or(&[]).to_vec(),
        };
        self.losses.iter().flat_map(of_loss).collect()
    }

    /// What to say beside the numbers of a run that started at this time and misses so many users; none for one that
    /// misses nothing.
    pub fn remark(&self, users: MissingUsers, started_at: WallTime) -> Option<String> {
        let first = self.losses.iter().map(|loss| loss.since_second).min()?;
        let MissingUsers { missing, of } = users;
        let up_to = match self.losses.len() {
            1 => "",
            _ => "up to ",
        };
        let since = since_text(started_at, first);
        Some(format!(
            "Partial load: {up_to}{missing} of {of} users missing since {since}"
        ))
    }
}

impl Loss {
    /// The loss of a whole agent.
    pub fn of_agent(agent: &str, since_second: u32, reason: FailureReason) -> Self {
        Self {
            agent: agent.to_owned(),
            worker: None,
            since_second,
            reason,
        }
    }

    /// The loss of a worker of this agent.
    pub fn of_worker(agent: &str, lost: &LostWorker) -> Self {
        let failure = WorkerFailure::Exited {
            how: lost.how.clone(),
        };
        let reason = FailureReason::Worker {
            agent: agent.to_owned(),
            worker: lost.worker,
            failure,
        };
        Self {
            agent: agent.to_owned(),
            worker: Some(lost.worker),
            since_second: lost.since_second,
            reason: reason.as_reported(),
        }
    }

    /// Its users, of so many in so many workers.
    fn users(&self, workers: &HashMap<&str, &[u32]>, all_workers: u32, of: u64) -> u64 {
        match self.worker {
            Some(worker) => own_users(of, worker, all_workers),
            None => users_of(
                workers.get(&*self.agent).copied().unwrap_or(&[]),
                all_workers,
                of,
            ),
        }
    }

    /// All of it in words, for a run that started at this time.
    pub fn message(&self, users: MissingUsers, started_at: WallTime) -> String {
        format!(
            "{}; {} of {} users missing since {}",
            self.reason,
            users.missing,
            users.of,
            since_text(started_at, self.since_second)
        )
    }

    /// The same in a few words, for a mark at its second.
    pub fn short(&self) -> String {
        match self.worker {
            Some(worker) => format!("lost: worker {worker} on {}", self.agent),
            None => format!("lost: {}", self.agent),
        }
    }
}

/// The users of each loss, of so many users in so many workers.
pub(super) fn users_of_losses(
    coverage: &Coverage,
    agents: &[RunAgent],
    all_workers: u32,
    of: u64,
) -> Vec<MissingUsers> {
    let workers = workers_by_agent(agents);
    let losses = coverage.losses.iter();
    losses
        .map(|loss| MissingUsers {
            missing: loss.users(&workers, all_workers, of),
            of,
        })
        .collect()
}

/// How many of so many users belong to these workers.
pub(super) fn users_of(workers: &[u32], all_workers: u32, of: u64) -> u64 {
    let users = workers
        .iter()
        .map(|worker| own_users(of, *worker, all_workers));
    users.fold(0, u64::saturating_add)
}

fn workers_by_agent(agents: &[RunAgent]) -> HashMap<&str, &[u32]> {
    let agents = agents.iter();
    agents
        .map(|agent| (agent.name.as_str(), agent.workers.as_slice()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents() -> Vec<RunAgent> {
        [("a", vec![0, 2]), ("b", vec![1, 3])]
            .map(|(name, workers)| RunAgent {
                id: name.into(),
                name: name.to_owned(),
                build: crate::BuildInfo::default(),
                workers,
                last_seq: 0,
                saved_until: 0,
                end: None,
            })
            .into()
    }

    fn loss(agent: &str, worker: Option<u32>, since_second: u32) -> Loss {
        Loss {
            agent: agent.to_owned(),
            worker,
            since_second,
            reason: FailureReason::AgentShutDown {
                agent: agent.to_owned(),
            },
        }
    }

    #[test]
    fn an_agent_and_its_worker_are_not_missing_twice() {
        let mut coverage = Coverage::default();
        assert!(
            coverage.is_full()
                && coverage
                    .remark(MissingUsers::default(), WallTime::default())
                    .is_none()
        );
        assert!(coverage.add(loss("b", Some(3), 5)));
        assert!(coverage.add(loss("b", None, 9)));
        assert!(!coverage.add(loss("b", None, 7)), "it is known");
        assert!(coverage.has_lost_agent("b") && !coverage.has_lost_agent("a"));
        assert_eq!(coverage.lost_workers(&agents()), [1, 3].into());
        let users: Vec<u64> = users_of_losses(&coverage, &agents(), 4, 10)
            .iter()
            .map(|users| users.missing)
            .collect();
        assert_eq!(users, [2, 5], "slots 3, 7 and 1, 5, 9, 3, 7");
    }

    #[test]
    fn what_an_agent_says_at_its_end_counts() {
        let ends_at = RunTime::of_second(60);
        let mut coverage = Coverage::default();
        coverage.add(loss("a", None, 5));
        coverage.add(loss("b", Some(1), 5));
        coverage.agent_had_users_until("a", RunTime::from_micros(35_900_000), ends_at);
        coverage.agent_had_users_until("b", RunTime::of_second(60), ends_at);
        assert_eq!(
            coverage.losses(),
            [loss("a", None, 35), loss("b", Some(1), 5)]
        );
        coverage.agent_had_users_until("a", RunTime::from_micros(60_100_000), ends_at);
        assert_eq!(coverage.losses(), [loss("b", Some(1), 5)]);
    }

    #[test]
    fn it_says_how_many_users_are_missing_since_when() {
        // 2026-11-23 12:04:00 UTC.
        let started_at = WallTime::from_micros(1_795_435_440_000_000);
        let users = |missing| MissingUsers { missing, of: 12 };
        let mut coverage = Coverage::default();
        coverage.add(loss("b", None, 7));
        assert_eq!(
            coverage.remark(users(4), started_at).unwrap(),
            "Partial load: 4 of 12 users missing since 12:04:07 UTC (second 7)"
        );
        assert_eq!(
            coverage.losses()[0].message(users(4), started_at),
            "agent b was shut down; 4 of 12 users missing since 12:04:07 UTC (second 7)"
        );
        coverage.add(loss("a", Some(2), 3));
        assert_eq!(
            coverage.remark(users(6), started_at).unwrap(),
            "Partial load: up to 6 of 12 users missing since 12:04:03 UTC (second 3)"
        );
        assert_eq!(coverage.losses()[1].short(), "lost: worker 2 on a");
    }

    #[test]
    fn more_losses_than_are_kept_are_counted() {
        let mut coverage = Coverage::default();
        for number in 0..MAX_LOSSES + 2 {
            coverage.add(loss(&format!("a{number}"), None, 1));
        }
        assert_eq!((coverage.losses.len(), coverage.more), (MAX_LOSSES, 2));
        let json = serde_json::to_string(&coverage).unwrap();
        assert_eq!(serde_json::from_str::<Coverage>(&json).unwrap(), coverage);
    }
}
