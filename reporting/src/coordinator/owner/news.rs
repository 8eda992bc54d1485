//! What agents have said since the owner looked last.

use greylag_infra::protocol::HeldRun;
use greylag_infra::{AgentId, RunEvent, RunId, WallTime, micros};

use super::Owner;
use crate::coordinator::agent_news::{Heartbeat, Waiting};

impl Owner {
    /// Takes all of it.
    pub(super) async fn take_news(&mut self) {
        let Waiting {
            heartbeats,
            arriving,
            mut saved,
            urgent,
        } = self.coordinator.shared.news.take();
        for (agent_id, Heartbeat { at, runs }) in heartbeats {
            self.agent_heard(&agent_id, at, runs);
        }
        for (agent_id, at) in arriving {
            self.registry.heard(&agent_id, at);
            for run in self.runs.values_mut() {
                let event = RunEvent::ResultsWait {
                    agent_id: agent_id.clone(),
                };
                run.pending.extend(run.lifecycle.handle(event, at));
            }
        }
        for ((run_id, agent_id), saved) in &saved {
            if !self.runs.contains_key(run_id) {
                self.late_results_came(run_id);
                continue;
            }
            let event = RunEvent::ResultsSaved {
                agent_id: agent_id.clone(),
                until: saved.until,
            };
            self.note(run_id, event);
            if !saved.lost_workers.is_empty() {
                let event = RunEvent::WorkersLost {
                    agent_id: agent_id.clone(),
                    workers: saved.lost_workers.clone(),
                };
                self.note(run_id, event);
            }
        }
        for key in urgent {
            let Some(saved) = saved.remove(&key) else {
                continue;
            };
            let (run_id, agent_id) = key;
            if let Some(reason) = saved.failing {
                let event = RunEvent::AgentFailing {
                    agent_id: agent_id.clone(),
                    reason,
                };
                self.note(&run_id, event);
            }
            let Some(end) = saved.end else {
                continue;
            };
            if self.is_going_on(&run_id).await {
                self.note(&run_id, RunEvent::AgentEnded { agent_id, end });
            } else {
                self.take_late_end(&agent_id, &run_id).await;
            }
        }
    }

    /// Whether a run is not over. What the end of one that is leads to is performed.
    async fn is_going_on(&mut self, run_id: &RunId) -> bool {
        let Some(run) = self.runs.get(run_id) else {
            return false;
        };
        if run.lifecycle.record().phase.is_over() {
            self.perform(run_id).await;
        }
        self.runs.contains_key(run_id)
    }

    fn agent_heard(&mut self, agent_id: &AgentId, at: WallTime, runs: Vec<HeldRun>) {
        self.registry.heard(agent_id, at);
        // Nothing waits for longer than its run has been there.
        let unsaved_us = runs.iter().filter_map(|held| {
            let record = self.runs.get(&held.run_id)?.lifecycle.record();
            let age_us = micros(at - record.created_at);
            Some(held.unacknowledged_us.min(age_us))
        });
        let unsaved_us = unsaved_us.max().unwrap_or(0);
        self.registry.unsaved(agent_id, unsaved_us);
        for held in runs {
            let event = RunEvent::AgentHeard {
                agent_id: agent_id.to_owned(),
                run_time: held.run_time,
                fetched_bytes: held.fetched_bytes,
                finish_asked: held.finish_asked,
            };
            self.note_at(&held.run_id, event, at);
        }
    }
}
