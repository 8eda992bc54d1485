//! Agents that come, go and come back, and what becomes of their runs.

use std::collections::HashSet;

use greylag_infra::protocol::{Hello, PROTOCOL_VERSION, ToAgent, Welcome};
use greylag_infra::{Admission, AgentId, Joined, RunEvent, RunId};
use tokio::sync::oneshot;

use super::{Connection, LiveRun, Owner};
use crate::coordinator::admission::HelloRefused;

impl Owner {
    pub(super) async fn agent_connected(
        &mut self,
        connection: Connection,
        hello: &Hello,
        admission: Admission,
        reply: oneshot::Sender<Result<(), HelloRefused>>,
    ) {
        let runs = &self.runs;
        let is_in_run = |id: &AgentId| runs.values().any(|run| run.lifecycle.has_agent(id));
        let now = self.coordinator.now();
        let joined = self.registry.join_as(hello, admission, is_in_run, now);
        let Joined { name, replaced } = match joined {
            Ok(joined) => joined,
            Err(error) => {
                let _ = reply.send(Err(error.into()));
                return;
            }
        };
        let secret = self.registry.take_new_secret_options();
        if !secret.is_empty()
            && let Err(error) = {
                let store = self.coordinator.store();
                store.save_secret_options(secret.clone()).await
            }
        {
            tracing::error!(%error, "cannot save which options are secret; this is tried again when the next agent connects");
            self.registry.give_back_secret_options(secret);
        }
        tracing::info!(agent = %name, infrastructure = %hello.infrastructure, "agent connected");
        let agent_id = hello.secret.agent_id();
        // A connection that is still there for the same agent is a dead one that was not noticed yet.
        self.connections.insert(agent_id.clone(), connection);
        self.send(
            &agent_id,
            ToAgent::Welcome(Welcome {
                protocol: PROTOCOL_VERSION,
                name,
                lease_ms: u64::try_from(self.coordinator.shared.lease.as_millis())
                    .unwrap_or(u64::MAX),
            }),
        );
        let _ = reply.send(Ok(()));
        self.registry_changed = true;
        self.queue_changed = true;
        if !self.runs_of(&agent_id).is_empty() {
            self.registry.takes_part(&agent_id);
        }
        if let Some(replaced) = replaced {
            // Its connection may seem to be there still; if it is alive after all, it comes back under another name.
            self.connections.remove(&replaced);
            self.agent_restarted(&replaced);
        }
        self.reconcile(&agent_id, hello).await;
    }

    /// The process is gone for good: its runs need not wait for it.
    fn agent_restarted(&mut self, agent_id: &AgentId) {
        for run_id in self.runs_of(agent_id) {
            let event = RunEvent::AgentRestarted {
                agent_id: agent_id.to_owned(),
            };
            self.note(&run_id, event);
        }
    }

    /// The active runs in which an agent takes part.
    fn runs_of(&self, agent_id: &AgentId) -> Vec<RunId> {
        let takes_part = |run: &LiveRun| run.lifecycle.has_agent(agent_id);
        let runs = self.runs.iter().filter(|(_, run)| takes_part(run));
        runs.map(|(id, _)| id.clone()).collect()
    }

    /// Tells runs that the agent is back, and the agent which of the runs it holds are no more.
    async fn reconcile(&mut self, agent_id: &AgentId, hello: &Hello) {
        let held: HashSet<&RunId> = hello.runs.iter().collect();
        let taking_part = self.runs_of(agent_id);
        for run_id in &taking_part {
            let event = RunEvent::AgentReturned {
                agent_id: agent_id.to_owned(),
                holds_run: held.contains(run_id),
            };
            self.note(run_id, event);
        }
        let old = held.iter().filter(|run_id| !taking_part.contains(run_id));
        let old: Vec<&RunId> = old.copied().collect();
        if !old.is_empty() {
            // What it hears of the others first does not wait until these have been looked up.
            self.perform_all().await;
        }
        for run_id in old {
            self.answer_about_old_run(agent_id, run_id).await;
        }
    }

    pub(super) fn agent_disconnected(&mut self, connection: u64, agent_id: &AgentId) {
        let current = self
            .connections
            .get(agent_id)
            .map(|connection| connection.number);
        if current != Some(connection) {
            return;
        }
        self.connections.remove(agent_id);
        self.registry.left(agent_id);
        self.registry_changed = true;
        self.queue_changed = true;
        tracing::info!(agent = %self.name_of(agent_id), "agent disconnected");
        // Not now: of a connection that only fell silent a whole lease has gone by already.
        let since = self
            .registry
            .agent(agent_id)
            .map_or_else(|| self.coordinator.now(), |agent| agent.last_heard);
        let run_ids: Vec<RunId> = self.runs.keys().cloned().collect();
        for run_id in run_ids {
            let event = RunEvent::AgentLost {
                agent_id: agent_id.to_owned(),
                since,
            };
            self.note(&run_id, event);
        }
    }
}
