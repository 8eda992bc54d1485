//! How an agent prepares its part of a run: what the test means here, the workers, and the load shape.

use std::time::Duration;

use greylag_infra::protocol::Prepare;
use greylag_infra::{FailureReason, RunId};

use super::Owner;
use crate::agent::load_shape::{self, LoadShapeError, ShapedLoad};
use crate::agent::run::{AgentRun, Plan, local_ports};
use crate::agent::worker_process::WorkerProcess;
use crate::scenario::{Choice, ChoiceError, choose, settings_of};

/// What a scenario's load shape says about a run.
#[derive(Debug)]
pub(super) struct EvaluatedShape {
    run_id: RunId,
    shape: Result<ShapedLoad, LoadShapeError>,
}

impl Owner {
    pub(super) fn on_prepare(&mut self, prepare: &Prepare) {
        let run_id = &prepare.run_id;
        if let Some(run) = self.runs.get(run_id) {
            if run.is_ready() {
                self.send_ready(run_id.clone());
            }
            return;
        }
        let now = self.now();
        let chosen = self.choose(prepare);
        let mut prepare = prepare.clone();
        let plan = match &chosen {
            Ok(choice) => self.plan_of(&prepare, choice),
            // What cannot be run starts nothing.
            Err(_) => {
                prepare.workers.clear();
                // What was not admitted may be beyond what can be added to a time.
                prepare.test.stop_timeout_s = 0;
                Plan::without_workers()
            }
        };
        let mut run = AgentRun::prepare(&prepare, &self.name, plan, now, |worker, message| {
            WorkerProcess::start(
                &self.config.worker_command,
                run_id.clone(),
                worker,
                message,
                self.worker_events.clone(),
            )
        });
        if let Err(error) = chosen {
            let reason = FailureReason::AgentCannotRun {
                agent: self.name.clone(),
                problem: error.to_string(),
            };
            run.fail(reason, now);
        }
        if self.shutting_down.is_some() {
            run.fail(self.shutdown_reason(), now);
        }
        self.runs.insert(run_id.clone(), run);
    }

    /// What the test means here.
    ///
    /// # Errors
    /// It makes no sense, or this agent's scenarios cannot run it.
    fn choose(&self, prepare: &Prepare) -> Result<Choice, ChoiceError> {
        let test = &prepare.test;
        let choice = choose(test, &self.config.scenarios)?;
        // What the shape says is checked when it has said it.
        test.check_for_scenario(choice.scenario.has_shape())?;
        Ok(choice)
    }

    /// What is known of our part before workers are started. The agent that has worker 0 asks the scenario's
    /// load shape, if the run follows it.
    fn plan_of(&self, prepare: &Prepare, choice: &Choice) -> Plan {
        let (test, workers) = (&prepare.test, &prepare.workers);
        let events = choice.scenario.events();
        let longest = |of_worker: &dyn Fn(u32) -> Duration| {
            workers
                .iter()
                .map(|worker| of_worker(*worker))
                .max()
                .unwrap_or_default()
        };
        let follows_shape = test.follows_shape(choice.scenario.has_shape());
        let awaits_shape = workers.contains(&0) && follows_shape;
        if awaits_shape {
            self.ask_shape(prepare, choice);
        }
        Plan {
            longest_start: longest(&|worker| choice.scenario.longest_start(worker)),
            longest_stop: longest(&|worker| events.longest_stop(worker)),
            awaits_shape,
            local_ports: local_ports(),
        }
    }

    fn ask_shape(&self, prepare: &Prepare, choice: &Choice) {
        let (run_id, test) = (prepare.run_id.clone(), &prepare.test);
        let duration = test.duration();
        let scenario = choice.scenario.clone();
        let settings = settings_of(test, 0);
        let answer = self.shape_events.clone();
        tokio::spawn(async move {
            let shape = match settings {
                Ok(settings) => load_shape::evaluate(scenario, settings, duration).await,
                Err(error) => Err(error.into()),
            };
            // An agent that has ended has no use for it.
            let _ = answer.send(EvaluatedShape { run_id, shape }).await;
        });
    }

    pub(super) fn on_shape(&mut self, evaluated: EvaluatedShape) {
        let now = self.now();
        let EvaluatedShape { run_id, shape } = evaluated;
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let was_ready = run.is_ready();
        run.on_shape(shape, now);
        if run.is_ready() && !was_ready {
            self.send_ready(run_id);
        }
    }
}
