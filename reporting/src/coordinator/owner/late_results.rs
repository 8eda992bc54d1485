//! What agents hold of runs that are over: a run that gave an agent up takes its results for a while after the end.

use std::collections::BTreeMap;

use greylag_infra::protocol::ToAgent;
use greylag_infra::{AgentId, Gap, RunId};
use tokio::task::JoinHandle;

use super::{Owner, count_check, log, thresholds};

/// Runs that are over and of which results came, until their thresholds have been judged again.
#[derive(Debug, Default)]
pub(super) struct LateResults {
    runs: BTreeMap<RunId, Late>,
    judging: BTreeMap<RunId, JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    /// Some came since the last tick.
    New,
    /// None came since.
    Settled,
}

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
        coordinator.changed();
    }

    /// Results of a run that is over have been saved.
    pub(super) fn late_results_came(&mut self, run_id: &RunId) {
        self.late_results.runs.insert(run_id.clone(), Late::New);
    }

    /// Has runs judged again of which no results came for a tick: an agent may be gone before it has said that these were all, and
    /// each time all of the run is read.
    pub(super) fn judge_late_results(&mut self) {
        let LateResults { runs, judging } = &mut self.late_results;
        judging.retain(|_, task| !task.is_finished());
        runs.retain(|run_id, late| {
            if *late == Late::New || judging.contains_key(run_id) {
                *late = Late::Settled;
                return true;
            }
            let task = thresholds::judge_again(&self.coordinator, run_id);
            judging.insert(run_id.clone(), task);
            false
        });
    }
}
