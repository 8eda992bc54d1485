//! Saving snapshots: each once, whole, and with everything that follows from it.

mod check;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use greylag_infra::{AgentId, RunId};
use tokio::sync::oneshot;

use self::check::answer_unsaved;
use self::write::{Written, write};
use super::checked_snapshot::CheckedSnapshot;
use super::error::{StoreError, StoreResult};
use super::live::{LiveRun, WriterState, lock_totals};
use super::run_rows;
use super::writer::WaitingSnapshot;

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It is saved.
    Saved,
    /// It was saved before; nothing has changed.
    Duplicate,
    /// One before it is missing; nothing has changed.
    Gap {
        /// The number that is due.
        expected: u64,
    },
}

/// Saves snapshots, those of a run in one transaction, and answers each when they are saved. One that is refused changes
/// nothing and does not keep the others from being saved.
pub(super) fn save(state: &mut WriterState, batch: Vec<WaitingSnapshot>) {
    for (run_id, waiting) in by_run(batch) {
        let (snapshots, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let outcomes = save_of_run(state, &run_id, &snapshots);
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // That the caller no longer waits is fine: the snapshot is saved all the same.
            let _ = answer.send(outcome);
        }
    }
}

type Answer = oneshot::Sender<StoreResult<SaveOutcome>>;

/// The snapshots of each run in their order.
fn by_run(batch: Vec<WaitingSnapshot>) -> Vec<(RunId, Vec<(OfAgent, Answer)>)> {
    let mut runs: Vec<(RunId, Vec<(OfAgent, Answer)>)> = Vec::new();
    for waiting in batch {
        let of_agent = OfAgent {
            agent_id: waiting.agent_id,
            snapshot: waiting.snapshot,
        };
        let snapshot = (of_agent, waiting.answer);
        match runs
            .iter_mut()
            .find(|(run_id, _)| *run_id == waiting.run_id)
        {
            Some((_, snapshots)) => snapshots.push(snapshot),
            None => runs.push((waiting.run_id, vec![snapshot])),
        }
    }
    runs
}

/// A snapshot and who sent it.
struct OfAgent {
    agent_id: AgentId,
    snapshot: CheckedSnapshot,
}

/// Saves snapshots of a run and says of each what became of it.
fn save_of_run(
    state: &mut WriterState,
    run_id: &RunId,
    snapshots: &[OfAgent],
) -> Vec<StoreResult<SaveOutcome>> {
    let live = match state.live.remove(run_id) {
        Some(live) => Ok(live),
        None => LiveRun::load(&state.connection, run_id, state.clock),
    };
    let mut live = match live {
        Ok(live) => live,
        Err(error) => return for_each(error, snapshots.len()).map(Err).collect(),
    };
    let runs = state.live.len() + 1;
    for each in state.live.values_mut().chain([&mut live]) {
        each.recent.share_between(runs);
    }
    // From here on `live` may get ahead of the database; it is put back only when both agree again.
    let mut outcomes = Vec::with_capacity(snapshots.len());
    let mut accepted = Vec::with_capacity(snapshots.len());
    for of_agent in snapshots {
        let outcome = accept(&mut live, run_id, of_agent);
        if let Ok(SaveOutcome::Saved) = outcome {
            accepted.push(of_agent);
        }
        outcomes.push(outcome);
    }
    if !accepted.is_empty() {
        match write_all(state, run_id, &mut live, &accepted) {
            Ok(written) => keep_up_totals(state, run_id, &live, &written),
            Err(error) => {
                // Also of the duplicates: what they repeat may be among what is not saved now.
                let errors = for_each(error, outcomes.len());
                for (outcome, error) in outcomes.iter_mut().zip(errors) {
                    if outcome.is_ok() {
                        *outcome = Err(error);
                    }
                }
                return outcomes;
            }
        }
    }
    if !live.is_over {
        state.live.insert(run_id.to_owned(), live);
    }
    outcomes
}

/// An error for each of so many.
fn for_each(error: StoreError, count: usize) -> impl Iterator<Item = StoreError> {
    let (one, shared) = match count {
        1 => (Some(error), None),
        _ => (None, Some(Arc::new(error))),
    };
    let shared = shared.into_iter().cycle().take(count);
    one.into_iter().chain(shared.map(StoreError::Shared))
}

/// Writes snapshots in one transaction.
fn write_all(
    state: &mut WriterState,
    run_id: &RunId,
    live: &mut LiveRun,
    snapshots: &[&OfAgent],
) -> StoreResult<Written> {
    let transaction = state.connection.transaction()?;
    let written = write(&transaction, live, snapshots)?;
    if live.is_over {
        run_rows::late_results_came(&transaction, run_id, live.clock.now())?;
    }
    transaction.commit()?;
    Ok(written)
}

/// Adds what was saved to the totals of the run, if they are kept in memory.
fn keep_up_totals(state: &WriterState, run_id: &RunId, live: &LiveRun, written: &Written) {
    // Taken out, so that no reader waits for the lock while the sums are changed (or copied, when a reader still
    // has them). Who looks meanwhile asks this thread and gets them afterwards.
    let totals = lock_totals(&state.totals).remove(run_id);
    let Some(mut totals) = totals else {
        return;
    };
    match written.add_to(Arc::make_mut(&mut totals), live) {
        Ok(()) => {
            lock_totals(&state.totals).insert(run_id.to_owned(), totals);
        }
        // They are read again when somebody asks for them.
        Err(error) => tracing::error!(%error, "cannot keep up the totals of a run"),
    }
}

/// Notes that a snapshot is saved, if it is the one that is due, and says what is to become of it.
///
/// # Errors
/// It does not fit the run.
fn accept(live: &mut LiveRun, run_id: &RunId, of_agent: &OfAgent) -> StoreResult<SaveOutcome> {
    let OfAgent { agent_id, snapshot } = of_agent;
    if let Some(outcome) = answer_unsaved(live, run_id, agent_id, snapshot)? {
        return Ok(outcome);
    }
    if let Some(agent) = live.agents.get_mut(agent_id) {
        agent.last_seq = snapshot.seq;
        agent.saved_until = agent.saved_until.max(snapshot.saved_until);
        agent.ended |= snapshot.end.is_some();
    }
    Ok(SaveOutcome::Saved)
}
