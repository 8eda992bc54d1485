//! What agents hold of runs that are over: a run that gave an agent up takes its results for a while after the end.

use greylag_infra::protocol::ToAgent;
use greylag_infra::{AgentId, Gap, RunId};

use super::{Owner, count_check, log, thresholds};

impl Owner {
    /// Tells an agent what becomes of a run that it holds and that is not active here: to hand it over, or to
    /// forget it.
    pub(super) async fn answer_about_old_run(&mut self, agent_id: &AgentId, run_id: &RunId) {
        let now = self.coordinator.now();
        let is_wanted = match self.coordinator.store().run(run_id).await {
            Ok(record) => record.is_some_and(|record| record.takes_late_results_of(agent_id, now)),
            // Nothing is lost yet: it holds the run and sends what it has.
            Err(error) => {
                tracing::error!(%error, run = %run_id, "cannot read a run that an agent holds");
                return;
            }
        };
        let run_id = run_id.to_owned();
        let message = if is_wanted {
            ToAgent::Stop { run_id }
        } else {
            ToAgent::Abandon { run_id }
        };
        self.send(agent_id, message);
    }

    /// The last results of an agent are saved, of a run that is over: they are not missing any more. The run's status
    /// stays.
    pub(super) async fn take_late_end(&mut self, agent_id: &AgentId, run_id: &RunId) {
        let coordinator = self.coordinator.clone();
        // The end was saved with the results, and a record that is read says what follows from it.
        let record = match coordinator.store().run(run_id).await {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, run = %run_id, "cannot read a run that an agent has delivered");
                return;
            }
        };
        // No agent was given up: what comes now was saved before the end and is only sent again.
        if record.completeness.late_until().is_none() {
            return;
        }
        let agent = match record.agent(agent_id) {
            Some(agent) if agent.end.is_some() => agent.name.clone(),
            _ => return,
        };
        let gap = match count_check::disagreement(&coordinator, &record).await {
            Ok(None) => None,
            Ok(Some((counted, saved))) => Some(Gap::counts_disagree(counted, saved)),
            // Nothing is saved that was not compared.
            Err(error) => {
                tracing::error!(%error, run = %run_id, "cannot read the results to check them");
                return;
            }
        };
        let record = match coordinator.store().save_late_end(run_id, gap).await {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, run = %run_id, "cannot save a run that an agent has delivered");
                return;
            }
        };
        let text = match record.remark() {
            None => {
                format!("agent {agent} delivered its remaining results; the run is complete")
            }
            Some(remark) => format!("agent {agent} delivered its remaining results. {remark}"),
        };
        log(&coordinator, run_id, vec![text]).await;
        thresholds::follow(&coordinator, &record);
        coordinator.changed();
    }
}
