//! Runs that wait: for other runs on their infrastructure, then for their agents.

use std::time::Duration;

use greylag_infra::{
    AgentsThere, RunEffect, RunEvent, RunId, RunRecord, StartTerms, Turn, WaitReason, turn_of,
};

use super::Owner;
use crate::coordinator::dispatch::{Chosen, StartRefused, choose_agents, user_type_weights};
use crate::coordinator::ramp_news::RampNews;

/// How long after a restart agents have to come back before a run begins with those that did: longer than they wait before
/// they dial again.
pub(super) const AGENTS_COME_BACK: Duration = Duration::from_secs(5);

impl Owner {
    /// What becomes of a run that is asked for now.
    pub(super) fn turn_of_new(&self, record: &RunRecord) -> Turn {
        let runs = self.runs.values();
        let mut before: Vec<_> = runs.map(|run| (run.order, run)).collect();
        before.sort_by_key(|(order, _)| *order);
        let before = before.into_iter().map(|(_, run)| run.lifecycle.record());
        turn_of(record, before, || self.agents_there(record))
    }

    /// None while machines of an earlier run are given back, or what an earlier coordinator had begun for this one: what is
    /// there then is about to go.
    fn agents_there(&self, record: &RunRecord) -> AgentsThere {
        let infrastructure = &record.test.infrastructure;
        if self.machines.are_given_back_in(infrastructure)
            || self.machines.are_cleared_up_for(&record.id)
        {
            return AgentsThere::default();
        }
        let free = self.registry.count_free(infrastructure, &record.id);
        let made = self.machines.at_most_of(&record.id);
        AgentsThere {
            free: free.count,
            settled_for: self.coordinator.now() - free.last_came,
            at_most: made.map(|made| made + free.others),
        }
    }

    /// Whether a test whose turn has not come may wait for it: it is refused if the agents that are there show that it
    /// could not begin, and if there are none, none are made for it, and it does not say that it waits for some.
    pub(super) fn may_wait(
        &mut self,
        record: &RunRecord,
        terms: &StartTerms,
        reason: &WaitReason,
    ) -> Result<(), StartRefused> {
        let test = &record.test;
        let is_asked = test.fleet.agents.is_given()
            || !matches!(reason, WaitReason::Agents { .. })
            || self.machines.are_made_in(&test.infrastructure);
        match choose_agents(&record.id, test, &self.registry, terms) {
            Ok(_) => Ok(()),
            // Agents may name an infrastructure that is not there; so may runs that wait for them.
            Err(StartRefused::UnknownInfrastructure { .. }) if is_asked => {
                self.registry_changed = true;
                Ok(self.registry.create(&test.infrastructure)?)
            }
            Err(StartRefused::NoAgentConnected(_)) if is_asked => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    /// Lets those runs begin whose turn it is, and says of the others why they wait.
    pub(super) fn let_waiting_runs_begin(&mut self) {
        if !std::mem::take(&mut self.queue_changed) {
            return;
        }
        let waits = |run: &super::LiveRun| run.lifecycle.terms_of_waiting().is_some();
        let waiting = self.runs.iter().filter(|(_, run)| waits(run));
        let mut waiting: Vec<(u64, RunId)> =
            waiting.map(|(id, run)| (run.order, id.clone())).collect();
        waiting.sort();
        for (order, run_id) in waiting {
            let Some(run) = self.runs.get(&run_id) else {
                continue;
            };
            // What it waits for is saved before anything follows from it.
            if !run.pending.is_empty() {
                continue;
            }
            let record = run.lifecycle.record();
            let mut before: Vec<_> = self
                .runs
                .values()
                .filter(|other| other.order < order)
                .collect();
            before.sort_by_key(|other| other.order);
            let before = before.into_iter().map(|other| other.lifecycle.record());
            match turn_of(record, before, || self.agents_there(record)) {
                Turn::Wait(reason) => {
                    if reason.lacks_agents() && !self.machines.want(record) {
                        // Once the reason is saved.
                        self.queue_changed = true;
                    }
                    let said = self.machines.said_of(&run_id);
                    self.note(&run_id, RunEvent::Waits(reason.with_machines(said)));
                }
                Turn::NeverEnough => {
                    let said = self.machines.said_of(&run_id);
                    let problem = said.unwrap_or_else(|| "too few of them are left".to_owned());
                    self.note(&run_id, RunEvent::MachinesRefused { problem });
                }
                Turn::Begin if self.coordinator.now() < self.no_turn_before => {}
                Turn::Begin => self.begin(&run_id),
            }
        }
    }

    /// Its turn has come.
    fn begin(&mut self, run_id: &RunId) {
        let Some(run) = self.runs.get_mut(run_id) else {
            return;
        };
        let Some(terms) = run.lifecycle.terms_of_waiting() else {
            return;
        };
        let test = &run.lifecycle.record().test;
        match choose_agents(run_id, test, &self.registry, terms) {
            Ok(Chosen { agents, warnings }) => {
                run.ramps = RampNews::new(user_type_weights(test, &agents, &self.registry));
                for agent in &agents {
                    self.registry.takes_part(&agent.id);
                }
                self.machines.run_begins(run.lifecycle.record());
                let warnings = warnings.into_iter().map(RunEffect::Log);
                run.pending.extend(warnings);
                self.note(run_id, RunEvent::AgentsChosen(agents));
            }
            Err(refused) => {
                let problem = refused.to_string();
                self.note(run_id, RunEvent::CannotBegin { problem });
            }
        }
    }
}
