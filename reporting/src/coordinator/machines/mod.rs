//! Machines of runs: asked for when it is a run's turn, followed while it waits and runs, and given back at its end.
//!
//! Each run with machines has a task (`job.rs`). What must be given back is saved before anything is asked for, and
//! forgotten when it has been given back: whatever ends the coordinator, the next one goes on where it was. What pages
//! and programs see of it is on the board (`board.rs`).
//!
//! ```text
//!   its turn ──► saved ──► machines of earlier runs are given back ──► asked for, and followed ──► run over
//!                  restart: begins here for a run that waits; for others only followed ───┘           │
//!                  restart: begins here for a run that is over ──────────────────────────────► given back ──► forgotten
//! ```

mod board;
mod job;
mod log;
mod pauses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greylag_infra::{AgentId, RunId, RunRecord, WaitReason};
use tokio_util::sync::CancellationToken;

use super::Coordinator;
use crate::provisioning::Provider;
use crate::store::{HeldMachines, StoreError};
use job::{Ask, Job};
use log::bounded_text;
use pauses::Pauses;

pub(super) use board::MachineBoard;
pub use board::{InfrastructureMachines, ShownMachine};

/// Which infrastructures there are beside those that agents name, and how machines are had there.
#[derive(Debug, Clone, Default)]
pub struct Provisioning {
    /// By the name of the infrastructure.
    pub infrastructures: BTreeMap<String, ProvisionedInfrastructure>,
    /// Whether agents run programs that are uploaded.
    pub accept_uploads: bool,
}

/// One infrastructure of the configuration.
#[derive(Debug, Clone)]
pub struct ProvisionedInfrastructure {
    /// Whom to ask.
    pub provider: Arc<dyn Provider>,
    /// Where its agents reach this coordinator.
    pub coordinator_url: String,
}

/// The tasks of all runs that have machines; the owner's.
#[derive(Debug)]
pub(super) struct Machines {
    coordinator: Coordinator,
    /// By run: cancelled when it is over.
    jobs: BTreeMap<RunId, Over>,
    /// Runs with machines of an infrastructure that the configuration does not have any more, or has with another kind.
    stranded: BTreeSet<RunId>,
}

/// Says to a job that its run is over.
#[derive(Debug, Clone, Default)]
struct Over {
    token: CancellationToken,
    /// The agents that took part, which end by themselves.
    agents: Arc<std::sync::OnceLock<BTreeSet<AgentId>>>,
}

impl Machines {
    pub(super) fn of(coordinator: &Coordinator) -> Self {
        Self {
            coordinator: coordinator.clone(),
            jobs: BTreeMap::new(),
            stranded: BTreeSet::new(),
        }
    }

    /// Takes up what an earlier coordinator left: `unfinished` are the runs that are not over.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn recover(&mut self, unfinished: &[RunRecord]) -> Result<(), StoreError> {
        let held = self.coordinator.store().held_machines().await?;
        for held in &held {
            let HeldMachines {
                run_id,
                infrastructure,
                ..
            } = held;
            if !self.are_made_as_before(held) {
                self.are_stranded(held);
                if unfinished.iter().all(|run| run.id != *run_id) {
                    self.revoke_tokens(run_id);
                }
                continue;
            }
            if let Some(provisioned) = self.provisioned(infrastructure) {
                provisioned.provider.inherits(run_id);
            }
            let run = unfinished.iter().find(|run| run.id == *run_id);
            let over = Over::default();
            match run {
                Some(_) => {
                    self.jobs.insert(run_id.clone(), over.clone());
                }
                None => self.release_now(infrastructure, run_id, &over),
            }
            // Whatever it waited for when it was saved last: the row says that it was its turn.
            let waiting = run.filter(|run| run.phase.waiting().is_some());
            let ask = waiting.map(Ask::of);
            if ask.is_some() {
                let board = &self.coordinator.shared.machines;
                board.clears(infrastructure, run_id, true);
            }
            self.spawn(infrastructure, run_id, ask, over);
        }
        self.compare_with_providers(held.into_iter().map(|held| held.run_id).collect());
        Ok(())
    }

    fn are_made_as_before(&self, held: &HeldMachines) -> bool {
        let provisioned = self.provisioned(&held.infrastructure);
        provisioned.is_some_and(|now| {
            let kind = now.provider.kind().word();
            held.kind.as_deref().is_none_or(|before| before == kind)
        })
    }

    /// Says that machines cannot be given back; they are when the coordinator is started with what made them.
    fn are_stranded(&mut self, held: &HeldMachines) {
        let HeldMachines {
            run_id,
            infrastructure,
            kind,
        } = held;
        let kind = kind.as_deref().unwrap_or("that it had");
        let text = format!(
            "machines of run {} are not given back, because the configuration file does not have infrastructure {infrastructure} with the kind {kind} any more; add it again",
            run_id.shortened()
        );
        tracing::error!(run = %run_id, "{text}");
        let board = &self.coordinator.shared.machines;
        board.failed(infrastructure, text);
        self.stranded.insert(run_id.clone());
    }

    /// Whether machines are made for runs of this infrastructure.
    pub(super) fn are_made_in(&self, infrastructure: &str) -> bool {
        self.provisioned(infrastructure).is_some()
    }

    /// Whether machines of a run that is over are being given back there.
    pub(super) fn are_given_back_in(&self, infrastructure: &str) -> bool {
        let board = &self.coordinator.shared.machines;
        board.first_given_back(infrastructure).is_some()
    }

    /// Whether what an earlier coordinator had begun for this run may be about to go.
    pub(super) fn are_cleared_up_for(&self, run_id: &RunId) -> bool {
        self.coordinator.shared.machines.is_cleared_up(run_id)
    }

    /// Whether anything is still done for the machines of a run.
    pub(super) fn are_known_of(&self, run_id: &RunId) -> bool {
        self.coordinator.shared.machines.knows(run_id)
    }

    /// Asks for the machines of a run, once, if it is saved that it is its turn and that agents are missing. Whether that is so:
    /// what is asked for is asked for again after a restart.
    pub(super) fn want(&mut self, run: &RunRecord) -> bool {
        let is_missing_agents = is_missing_agents(run);
        if is_missing_agents {
            self.ask_once(run);
        }
        is_missing_agents
    }

    fn ask_once(&mut self, run: &RunRecord) {
        let infrastructure = &run.test.infrastructure;
        // What is asked for now would take the place of what is to be given back later.
        let is_stranded = self.stranded.contains(&run.id);
        if is_stranded || self.jobs.contains_key(&run.id) || !self.are_made_in(infrastructure) {
            return;
        }
        let over = Over::default();
        self.jobs.insert(run.id.clone(), over.clone());
        self.spawn(infrastructure, &run.id, Some(Ask::of(run)), over);
    }

    /// A run has its agents.
    pub(super) fn run_begins(&self, run: &RunRecord) {
        if let (true, Some(provisioned)) = (
            self.jobs.contains_key(&run.id),
            self.provisioned(&run.test.infrastructure),
        ) {
            provisioned.provider.begins(&run.id);
        }
    }

    /// A run is over: its machines are given back, if it has any.
    pub(super) fn run_is_over(&mut self, run: &RunRecord) {
        let Some(over) = self.jobs.remove(&run.id) else {
            self.revoke_tokens(&run.id);
            return;
        };
        let agents = run.agents.iter().map(|agent| agent.id.clone());
        // Only said once, because it is removed above.
        let _ = over.agents.set(agents.collect());
        self.release_now(&run.test.infrastructure, &run.id, &over);
    }

    /// What becomes of the machines of a run that waits for them.
    pub(super) fn said_of(&self, run_id: &RunId) -> Option<String> {
        self.coordinator.shared.machines.said_of(run_id)
    }

    /// How many of the machines that were made for a run are there or may still come, as far as it is known.
    pub(super) fn at_most_of(&self, run_id: &RunId) -> Option<usize> {
        self.coordinator.shared.machines.at_most_of(run_id)
    }

    /// From now on, not only when its task comes to it, runs that come later wait for this one's machines to be gone.
    fn release_now(&self, infrastructure: &str, run_id: &RunId, over: &Over) {
        let board = &self.coordinator.shared.machines;
        board.gives_back(infrastructure, run_id);
        over.token.cancel();
    }

    /// Of a run whose machines nothing can be done for: its agents are let in no longer all the same.
    fn revoke_tokens(&self, run_id: &RunId) {
        if !self.coordinator.tokens().are_for_run(run_id) {
            return;
        }
        let (coordinator, run_id) = (self.coordinator.clone(), run_id.clone());
        tokio::spawn(async move {
            if let Err(error) = coordinator.tokens().revoke_of_run(&run_id).await {
                tracing::error!(%error, run = %run_id, "the token of a run's agents");
            }
        });
    }

    fn provisioned(&self, infrastructure: &str) -> Option<&ProvisionedInfrastructure> {
        let known = &self.coordinator.shared.provisioning.infrastructures;
        known
            .get(infrastructure)
            .filter(|known| known.provider.kind().makes_machines())
    }

    fn spawn(&self, infrastructure: &str, run_id: &RunId, ask: Option<Ask>, over: Over) {
        let Some(provisioned) = self.provisioned(infrastructure) else {
            return;
        };
        let job = Job::new(&self.coordinator, infrastructure, provisioned, run_id, over);
        tokio::spawn(job.run(ask));
    }

    /// Asks each provider which runs have machines there, and gives back those of runs that are over and were forgotten.
    fn compare_with_providers(&self, known: BTreeSet<RunId>) {
        let all = &self.coordinator.shared.provisioning.infrastructures;
        for (name, provisioned) in all {
            if !provisioned.provider.kind().makes_machines() {
                continue;
            }
            // What gives back those of an earlier run may take along what a later one has got.
            self.coordinator.shared.machines.compares(name, true);
            let (name, provisioned) = (name.clone(), provisioned.clone());
            let (coordinator, known) = (self.coordinator.clone(), known.clone());
            tokio::spawn(async move {
                let held = held_by(&coordinator, &provisioned, &name).await;
                for run_id in held.into_iter().filter(|run_id| !known.contains(run_id)) {
                    let board = &coordinator.shared.machines;
                    if is_over_here(&coordinator, &run_id).await
                        && board.gives_back_unknown(&name, &run_id)
                    {
                        tracing::warn!(run = %run_id, infrastructure = %name, "machines of a run that is over are still there; giving them back");
                        let over = Over::default();
                        over.token.cancel();
                        let job = Job::new(&coordinator, &name, &provisioned, &run_id, over);
                        tokio::spawn(job.run(None));
                    }
                }
                coordinator.shared.machines.compares(&name, false);
            });
        }
    }
}

/// Whether it is this run's turn and its agents are missing.
fn is_missing_agents(run: &RunRecord) -> bool {
    let reason = run.phase.waiting().map(|waiting| &waiting.reason);
    reason.is_some_and(WaitReason::lacks_agents)
}

async fn held_by(
    coordinator: &Coordinator,
    provisioned: &ProvisionedInfrastructure,
    name: &str,
) -> Vec<RunId> {
    let mut pauses = Pauses::default();
    loop {
        match provisioned.provider.held().await {
            Ok(held) => return held,
            Err(error) if error.is_final() => {
                tracing::error!(%error, infrastructure = name, "cannot ask which machines are there");
                return Vec::new();
            }
            Err(error) => {
                tracing::warn!(%error, infrastructure = name, "cannot ask which machines are there; trying again");
                let board = &coordinator.shared.machines;
                board.failed(name, bounded_text(&error.to_string()));
                // Who waits says so.
                board.compares(name, true);
                tokio::time::sleep(pauses.next()).await;
            }
        }
    }
}

/// Whether a run that this coordinator has machines of is over, or forgotten.
async fn is_over_here(coordinator: &Coordinator, run_id: &RunId) -> bool {
    match coordinator.store().run(run_id).await {
        Ok(record) => record.is_none_or(|record| record.phase.is_over()),
        Err(error) => {
            tracing::error!(%error, run = %run_id, "cannot read a run that has machines; they are given back after the next start");
            false
        }
    }
}
