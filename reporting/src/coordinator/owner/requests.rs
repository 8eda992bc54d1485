//! What people ask of the owner: runs, infrastructures, other numbers of users.

use std::time::Duration;

use greylag_infra::{
    ChangeRefused, Completeness, LoadTest, RunEffect, RunEvent, RunId, RunLifecycle, RunPhase,
    RunRecord, StartTerms, StopRefused, Turn, Waiting, worker_count,
};

use super::Owner;
use crate::coordinator::dispatch::{
    MAX_RUNS_AT_ONCE, StartRefused, choose_agents, user_type_weights,
};
use crate::coordinator::ramp_news::RampNews;
use crate::coordinator::{ChangeUsersError, CreateInfrastructureError, StartedRun, StopRunError};

/// Letters and digits of a run's identifier: 36^12 ids, so two coordinators never give the same.
const RUN_ID_LENGTH: usize = 12;

impl Owner {
    pub(super) async fn start_run(
        &mut self,
        test: LoadTest,
        terms: &StartTerms,
    ) -> Result<StartedRun, StartRefused> {
        let now = self.coordinator.now();
        let test = test.settled();
        let profile = test.profile();
        let mut record = RunRecord {
            id: new_run_id(),
            number: 0,
            test,
            phase: RunPhase::Preparing,
            created_at: now,
            started_at: None,
            ended_at: None,
            agents: Vec::new(),
            profile,
            completeness: Completeness::default(),
        };
        let mut warnings = Vec::new();
        let mut ramps = RampNews::new(None);
        match self.turn_of_new(&record) {
            Turn::Begin => {
                let chosen = choose_agents(&record.id, &record.test, &self.registry, terms)?;
                record.test.workers = worker_count(&chosen.agents);
                ramps = RampNews::new(user_type_weights(
                    &record.test,
                    &chosen.agents,
                    &self.registry,
                ));
                (record.agents, warnings) = (chosen.agents, chosen.warnings);
            }
            // Nothing was asked for a run that is new.
            Turn::NeverEnough => {
                let infrastructure = record.test.infrastructure.clone();
                return Err(StartRefused::NoAgentConnected(infrastructure));
            }
            Turn::Wait(reason) => {
                self.may_wait(&record, terms, &reason)?;
                let terms = terms.clone();
                record.phase = Waiting { reason, terms }.phase();
            }
        }
        if self.runs.len() >= MAX_RUNS_AT_ONCE {
            return Err(StartRefused::TooManyRuns);
        }
        let record = self
            .coordinator
            .store()
            .create_run(record)
            .await
            .map_err(|error| {
                tracing::error!(%error, "cannot save a new run");
                StartRefused::Store(error)
            })?;
        tracing::info!(run = %record.id, test = %record.test.name, number = record.number, phase = record.phase.word(), "run starting");
        self.keep_infrastructure(&record.test.infrastructure).await;
        let lease = self.coordinator.shared.lease;
        let (lifecycle, mut effects) = match record.phase.waiting() {
            Some(_) => RunLifecycle::wait(record.clone(), lease, now),
            None => RunLifecycle::begin(record.clone(), lease, now),
        };
        for agent in &record.agents {
            self.registry.takes_part(&agent.id);
        }
        effects.extend(warnings.iter().cloned().map(RunEffect::Log));
        self.adopt(record.id.clone(), lifecycle, effects, ramps)
            .await;
        Ok(StartedRun {
            run: record,
            warnings,
        })
    }

    pub(super) async fn stop_run(&mut self, run_id: &RunId) -> Result<(), StopRunError> {
        let Some(run) = self.runs.get(run_id) else {
            let known = self.coordinator.store().run(run_id).await.ok().flatten();
            return Err(match known {
                Some(record) => StopRefused::Over(record.phase.status().word()),
                None => StopRefused::Unknown(run_id.shortened()),
            }
            .into());
        };
        run.lifecycle.may_stop()?;
        self.advance(run_id, RunEvent::StopAsked).await;
        Ok(())
    }

    pub(super) async fn change_users(
        &mut self,
        run_id: &RunId,
        users: u64,
        over: Duration,
    ) -> Result<(), ChangeUsersError> {
        let Some(run) = self.runs.get(run_id) else {
            let known = self.coordinator.store().run(run_id).await.ok().flatten();
            return Err(match known {
                Some(record) => ChangeRefused::Over(record.phase.status().word()),
                None => ChangeRefused::Unknown(run_id.shortened()),
            }
            .into());
        };
        let over_us = u64::try_from(over.as_micros()).unwrap_or(u64::MAX);
        let now = self.coordinator.now();
        run.lifecycle.may_change_users(users, over_us, now)?;
        self.advance(run_id, RunEvent::ChangeUsers { users, over_us })
            .await;
        Ok(())
    }

    /// Agents may name any infrastructure; one is there for ever once something runs in it.
    async fn keep_infrastructure(&mut self, name: &str) {
        self.registry.keep(name);
        let saved = self.coordinator.store().save_infrastructure(name);
        if let Err(error) = saved.await {
            tracing::error!(%error, infrastructure = name, "cannot save the infrastructure; it will be forgotten at the next restart");
        }
    }

    pub(super) async fn create_infrastructure(
        &mut self,
        name: &str,
    ) -> Result<(), CreateInfrastructureError> {
        self.registry.create(name)?;
        self.registry_changed = true;
        self.publish();
        self.coordinator
            .store()
            .save_infrastructure(name)
            .await
            .map_err(CreateInfrastructureError::Store)
    }
}

fn new_run_id() -> RunId {
    use rand::Rng;
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    let letters =
        (0..RUN_ID_LENGTH).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    letters.collect::<String>().into()
}
