//! Agents that come, go and come back, and what becomes of their runs.

use std::collections::HashSet;

use greylag_infra::protocol::{Hello, PROTOCOL_VERSION, ToAgent, Welcome};
use greylag_infra::{RunEvent, RunId};
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Owner};
use crate::coordinator::admission::check_hello;

impl Owner {
    pub(super) async fn agent_connected(
        &mut self,
        connection: u64,
        hello: &Hello,
        outgoing: mpsc::Sender<ToAgent>,
        reply: oneshot::Sender<Result<(), String>>,
    ) {
        let name = match self.admit(hello) {
            Ok(name) => name,
            Err(reason) => {
                let _ = reply.send(Err(reason));
                return;
            }
        };
        if let Err(error) = self
            .coordinator
            .store()
            .save_infrastructure(&hello.infrastructure)
            .await
        {
            tracing::error!(%error, infrastructure = %hello.infrastructure, "cannot save the infrastructure; it is forgotten at the next restart");
        }
        tracing::info!(agent = %name, infrastructure = %hello.infrastructure, "agent connected");
        let agent_id = hello.secret.agent_id();
        // A connection that is still there for the same agent is a dead one that was not noticed yet.
        self.connections.insert(
            agent_id.clone(),
            Connection {
                number: connection,
                outgoing,
            },
        );
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
        self.publish();
        self.reconcile(&agent_id, hello).await;
    }

    fn admit(&mut self, hello: &Hello) -> Result<String, String> {
        check_hello(hello)?;
        self.registry
            .join(hello, self.coordinator.now_us())
            .map_err(|error| error.to_string())
    }

    /// Tells runs that the agent is back, and the agent which of the runs it holds are no more.
    async fn reconcile(&mut self, agent_id: &str, hello: &Hello) {
        let held: HashSet<&str> = hello.runs.iter().map(String::as_str).collect();
        let taking_part: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(_, run)| {
                run.lifecycle
                    .record()
                    .agents
                    .iter()
                    .any(|agent| agent.id == agent_id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for run_id in &taking_part {
            let event = RunEvent::AgentReturned {
                agent_id: agent_id.to_owned(),
                holds_run: held.contains(run_id.as_str()),
            };
            self.advance(run_id, event).await;
        }
        for run_id in held {
            if !taking_part.iter().any(|known| known == run_id) {
                self.send(
                    agent_id,
                    ToAgent::Abandon {
                        run_id: run_id.to_owned(),
                    },
                );
            }
        }
    }

    pub(super) async fn agent_disconnected(&mut self, connection: u64, agent_id: &str) {
        let current = self
            .connections
            .get(agent_id)
            .map(|connection| connection.number);
        if current != Some(connection) {
            return;
        }
        self.connections.remove(agent_id);
        self.registry.left(agent_id);
        self.publish();
        tracing::info!(agent = %self.name_of(agent_id), "agent disconnected");
        // Not now: of a connection that only fell silent a whole lease has gone by already.
        let since_us = self
            .registry
            .agent(agent_id)
            .map_or_else(|| self.coordinator.now_us(), |agent| agent.last_heard_us);
        let run_ids: Vec<RunId> = self.runs.keys().cloned().collect();
        for run_id in run_ids {
            let event = RunEvent::AgentLost {
                agent_id: agent_id.to_owned(),
                since_us,
            };
            self.advance(&run_id, event).await;
        }
    }
}
