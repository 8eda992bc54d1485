//! What becomes of machines, for whoever waits for them and for pages and programs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use greylag_infra::RunId;
use tokio::sync::watch;

use super::ProvisionedInfrastructure;
use crate::provisioning::{MachineNews, MachineState, ProviderKind};

/// Most machines of one run that are remembered by name.
const MAX_MACHINES: usize = 10_000;
/// Most machines of an infrastructure that are shown.
const MAX_SHOWN: usize = 50;
/// Most reasons why machines are as they are, in one line.
const MAX_REASONS: usize = 3;

/// All infrastructures of the configuration.
#[derive(Debug)]
pub(in crate::coordinator) struct MachineBoard {
    known: Mutex<BTreeMap<String, Known>>,
    /// Changes when machines have been given back, or it is known whether any have to be.
    released: watch::Sender<()>,
}

#[derive(Debug)]
struct Known {
    kind: ProviderKind,
    runs: BTreeMap<RunId, Machines>,
    /// Whether it is not known yet of which earlier runs machines are still there.
    is_compared: bool,
    last_error: Option<String>,
}

/// The machines of one run.
#[derive(Debug, Default)]
struct Machines {
    /// The run, as people know it; empty if that is not known.
    label: String,
    is_given_back: bool,
    /// What an earlier coordinator began for it may be given back before anything is asked for.
    is_cleared_up: bool,
    by_name: BTreeMap<String, (MachineState, Option<String>)>,
    /// How many of them are there or may still come, as far as it is known.
    at_most: Option<usize>,
    /// Why nothing is asked for yet, or is to be asked again.
    obstacle: Option<String>,
}

/// How an infrastructure gets its machines, and how they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InfrastructureMachines {
    /// Its kind.
    pub kind: ProviderKind,
    /// What is going on, in one line; none when nothing is.
    pub activity: Option<String>,
    /// What failed last, until something succeeds.
    pub last_error: Option<String>,
    /// Machines that are not there yet, or have failed; of many the first.
    pub machines: Vec<ShownMachine>,
}

/// A machine without an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownMachine {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: MachineState,
    /// Why.
    pub reason: Option<String>,
}

impl MachineBoard {
    pub(in crate::coordinator) fn of<'a>(
        infrastructures: impl IntoIterator<Item = (&'a String, &'a ProvisionedInfrastructure)>,
    ) -> Self {
        let known = infrastructures.into_iter().map(|(name, provisioned)| {
            let known = Known {
                kind: provisioned.provider.kind(),
                runs: BTreeMap::new(),
                is_compared: false,
                last_error: None,
            };
            (name.clone(), known)
        });
        Self {
            known: Mutex::new(known.collect()),
            released: watch::Sender::new(()),
        }
    }

    /// The kind of each infrastructure of the configuration, and what it does. Others are of kind `machines`.
    pub(in crate::coordinator) fn view(&self) -> BTreeMap<String, InfrastructureMachines> {
        let known = self.known();
        let views = known.iter();
        views
            .map(|(name, known)| (name.clone(), known.view()))
            .collect()
    }

    /// A run's machines are about to be asked for.
    pub(super) fn asks(&self, infrastructure: &str, run_id: &RunId, label: &str) {
        self.with(infrastructure, run_id, |run| {
            label.clone_into(&mut run.label)
        });
    }

    /// Whether what an earlier coordinator has begun for this run may be about to go.
    pub(super) fn clears(&self, infrastructure: &str, run_id: &RunId, is_cleared_up: bool) {
        self.with(infrastructure, run_id, |run| {
            run.is_cleared_up = is_cleared_up;
        });
    }

    /// The same.
    pub(super) fn is_cleared_up(&self, run_id: &RunId) -> bool {
        let known = self.known();
        let run = known.values().find_map(|known| known.runs.get(run_id));
        run.is_some_and(|run| run.is_cleared_up)
    }

    /// Whether anything is still done for a run's machines.
    pub(super) fn knows(&self, run_id: &RunId) -> bool {
        let known = self.known();
        known.values().any(|known| known.runs.contains_key(run_id))
    }

    /// As [`Self::gives_back`], unless something is done for the run's machines already. Whether they are to be given back.
    pub(super) fn gives_back_unknown(&self, infrastructure: &str, run_id: &RunId) -> bool {
        let mut known = self.known();
        let Some(known) = known.get_mut(infrastructure) else {
            return false;
        };
        if known.runs.contains_key(run_id) {
            return false;
        }
        let run = known.runs.entry(run_id.clone()).or_default();
        run.is_given_back = true;
        true
    }

    /// Why machines are not asked for now; none when they are.
    pub(super) fn obstacle(&self, infrastructure: &str, run_id: &RunId, text: Option<String>) {
        self.with(infrastructure, run_id, |run| run.obstacle = text);
    }

    /// Something failed.
    pub(super) fn failed(&self, infrastructure: &str, error: String) {
        if let Some(known) = self.known().get_mut(infrastructure) {
            known.last_error = Some(error);
        }
    }

    /// Something succeeded.
    pub(super) fn succeeded(&self, infrastructure: &str) {
        if let Some(known) = self.known().get_mut(infrastructure) {
            known.last_error = None;
        }
    }

    /// Keeps how a machine is; returns the line for the log, if it is news.
    pub(super) fn note(
        &self,
        infrastructure: &str,
        run_id: &RunId,
        news: MachineNews,
    ) -> Option<String> {
        let MachineNews {
            machine,
            state,
            reason,
        } = news;
        let mut known = self.known();
        let Known { kind, runs, .. } = known.get_mut(infrastructure)?;
        let run = runs.entry(run_id.clone()).or_default();
        let is_full = run.by_name.len() >= MAX_MACHINES;
        let before = run.by_name.get_mut(&machine);
        let line = match (&before, &reason) {
            // A command may well say the same twice.
            (_, reason) if *kind == ProviderKind::Command => {
                reason.as_ref().map(|said| format!("{machine}: {said}"))
            }
            (Some((was, said)), _) if *was == state && *said == reason => None,
            // More of the same machine.
            (Some((was, _)), Some(reason)) if *was == state => Some(format!("{machine}: {reason}")),
            (_, reason) => Some(described(&machine, state, reason.as_ref())),
        };
        match before {
            Some(before) => *before = (state, reason),
            None if is_full => {}
            None => {
                run.by_name.insert(machine, (state, reason));
            }
        }
        line
    }

    /// No more than so many of a run's machines are there or may still come.
    pub(super) fn can_be_at_most(&self, infrastructure: &str, run_id: &RunId, at_most: usize) {
        self.with(infrastructure, run_id, |run| run.at_most = Some(at_most));
    }

    /// How many that are, as far as it is known.
    pub(super) fn at_most_of(&self, run_id: &RunId) -> Option<usize> {
        let known = self.known();
        let run = known.values().find_map(|known| known.runs.get(run_id))?;
        run.at_most
    }

    /// A run's machines are being given back.
    pub(super) fn gives_back(&self, infrastructure: &str, run_id: &RunId) {
        self.with(infrastructure, run_id, |run| {
            run.is_given_back = true;
            run.obstacle = None;
        });
    }

    /// A run's machines are gone.
    pub(super) fn released(&self, infrastructure: &str, run_id: &RunId) {
        if let Some(known) = self.known().get_mut(infrastructure) {
            known.runs.remove(run_id);
        }
        self.released.send_replace(());
    }

    /// Whether it is being found out of which earlier runs machines are still there.
    pub(super) fn compares(&self, infrastructure: &str, is_compared: bool) {
        if let Some(known) = self.known().get_mut(infrastructure) {
            known.is_compared = is_compared;
        }
        self.released.send_replace(());
    }

    /// Waits until the machines of earlier runs of this infrastructure have been given back. `says` is called with what it
    /// waits for.
    pub(super) async fn others_are_gone(&self, infrastructure: &str, says: impl Fn(String)) {
        let mut released = self.released.subscribe();
        while let Some(obstacle) = self.others_of(infrastructure) {
            says(obstacle);
            // The sender is this board's.
            let _ = released.changed().await;
        }
    }

    /// What keeps machines from being asked for, if anything does.
    fn others_of(&self, infrastructure: &str) -> Option<String> {
        if let Some(label) = self.first_given_back(infrastructure) {
            return Some(match label.as_str() {
                "" => "the machines of an earlier run are given back first".to_owned(),
                label => format!("the machines of {label} are given back first"),
            });
        }
        let known = self.known();
        let known = known
            .get(infrastructure)
            .filter(|known| known.is_compared)?;
        let finding_out = "finding out whether machines of earlier runs are still there";
        Some(match &known.last_error {
            Some(error) => format!("{finding_out}: {error}"),
            None => finding_out.to_owned(),
        })
    }

    /// The first run, as people know it, whose machines are being given back.
    pub(super) fn first_given_back(&self, infrastructure: &str) -> Option<String> {
        let known = self.known();
        let mut runs = known.get(infrastructure)?.runs.values();
        let first = runs.find(|run| run.is_given_back)?;
        Some(first.label.clone())
    }

    /// What becomes of the machines of a run that waits for them.
    pub(in crate::coordinator) fn said_of(&self, run_id: &RunId) -> Option<String> {
        let known = self.known();
        let run = known.values().find_map(|known| known.runs.get(run_id))?;
        run.obstacle.clone().or_else(|| run.said())
    }

    fn with<T>(
        &self,
        infrastructure: &str,
        run_id: &RunId,
        change: impl FnOnce(&mut Machines) -> T,
    ) -> Option<T> {
        let mut known = self.known();
        let runs = &mut known.get_mut(infrastructure)?.runs;
        Some(change(runs.entry(run_id.clone()).or_default()))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn view(&self) -> InfrastructureMachines {
        let waiting = self.runs.values().filter(|run| !run.is_given_back);
        let mut activity: Vec<String> = waiting
            .clone()
            .filter_map(|run| run.obstacle.clone().or_else(|| run.said()))
            .collect();
        activity.extend(
            self.runs
                .values()
                .filter(|run| run.is_given_back)
                .map(|run| match run.label.as_str() {
                    "" => "giving machines back".to_owned(),
                    label => format!("giving the machines of {label} back"),
                }),
        );
        let machines = waiting.flat_map(Machines::without_agents);
        InfrastructureMachines {
            kind: self.kind,
            activity: (!activity.is_empty()).then(|| activity.join("; ")),
            last_error: self.last_error.clone(),
            machines: machines
                .take(MAX_SHOWN)
                .map(|(name, (state, reason))| ShownMachine {
                    name: name.clone(),
                    state: *state,
                    reason: reason.clone(),
                })
                .collect(),
        }
    }
}

impl Machines {
    /// Those whose agents are not there yet.
    fn without_agents(&self) -> impl Iterator<Item = (&String, &(MachineState, Option<String>))> {
        use MachineState::{Failed, Starting, Waiting};
        let machines = self.by_name.iter();
        machines.filter(|(_, (state, _))| matches!(state, Waiting | Starting | Failed))
    }

    /// In a few words: the only machine, or how many are how, and different reasons why some of those are.
    fn said(&self) -> Option<String> {
        let missing: Vec<_> = self.without_agents().collect();
        if let [(name, (state, reason))] = missing.as_slice() {
            return Some(described(name, *state, reason.as_ref()));
        }
        use MachineState::{Failed, Starting, Waiting};
        let mut parts = Vec::new();
        for state in [Failed, Waiting, Starting] {
            let of_state = missing.iter().filter(|(_, (was, _))| *was == state);
            let count = of_state.clone().count();
            if count == 0 {
                continue;
            }
            let s = if count == 1 { "" } else { "s" };
            let mut part = format!("{count} machine{s} {}", state.word());
            let why = of_state.filter_map(|(name, (_, reason))| Some((name, reason.as_ref()?)));
            let mut reasons = BTreeSet::new();
            let different = why.filter(|(_, reason)| reasons.insert(*reason));
            let shown: Vec<String> = different
                .take(MAX_REASONS)
                .map(|(name, reason)| format!("{name}: {reason}"))
                .collect();
            if !shown.is_empty() {
                part.push_str(&format!(" ({})", shown.join("; ")));
            }
            parts.push(part);
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// How a machine is, and why.
fn described(machine: &str, state: MachineState, reason: Option<&String>) -> String {
    let state = state.word();
    match reason {
        Some(reason) => format!("{machine} {state}: {reason}"),
        None => format!("{machine} {state}"),
    }
}

#[cfg(test)]
mod tests;
