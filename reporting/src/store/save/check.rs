//! Whether a snapshot is the one that is due and fits its run.

use greylag_infra::protocol::AgentEnd;
use greylag_infra::{AgentId, LostWorker, RunId, RunTime};

use super::SaveOutcome;
use crate::measure::interval::MAX_COUNT;
use crate::store::checked_snapshot::CheckedSnapshot;
use crate::store::error::{StoreError, StoreResult};
use crate::store::live::LiveRun;

/// What to answer when the snapshot is not the one that is due; none when it is.
///
/// # Errors
/// It does not fit the run.
pub(super) fn answer_unsaved(
    live: &LiveRun,
    run_id: &RunId,
    agent_id: &AgentId,
    snapshot: &CheckedSnapshot,
) -> StoreResult<Option<SaveOutcome>> {
    let Some(agent) = live.agents.get(agent_id) else {
        return Err(StoreError::UnknownAgent {
            run: run_id.to_owned(),
        });
    };
    if snapshot.seq <= agent.last_seq {
        return Ok(Some(SaveOutcome::Duplicate));
    }
    if live.is_over && !live.takes_late_results {
        // Final numbers never change: the agent is to forget the run.
        return Err(StoreError::UnknownRun(run_id.to_owned()));
    }
    if agent.ended {
        return Err(StoreError::AfterEnd {
            run: run_id.to_owned(),
        });
    }
    let expected = agent.last_seq + 1;
    if snapshot.seq != expected {
        return Ok(Some(SaveOutcome::Gap { expected }));
    }
    let last_noticed = snapshot.notices.iter().map(|notice| notice.last_second);
    let last = snapshot
        .seconds()
        .chain(last_noticed)
        .chain(snapshot.health.iter().map(|health| health.second))
        .chain([snapshot.saved_until])
        .max();
    if let Some(second) = last.filter(|s| *s >= live.end_of_time) {
        return Err(StoreError::InvalidSnapshot(format!(
            "it refers to second {second}, but the run cannot last longer than {}",
            live.end_of_time
        )));
    }
    if let Some(end) = &snapshot.end {
        check_end(end, live.end_of_time)?;
    }
    check_lost(&snapshot.lost_workers, live.end_of_time)?;
    let tags = live.counted_tags.len();
    if let Some(unknown) = snapshot.tag_intervals.iter().find(|of| of.tag >= tags) {
        return Err(StoreError::InvalidSnapshot(format!(
            "it refers to tag {}, but the run's thresholds are about {tags}",
            unknown.tag
        )));
    }
    let named = snapshot.workers.iter().map(|worker| worker.index);
    let noticed = snapshot.notices.iter().filter_map(|notice| notice.worker);
    let measured = snapshot.health.iter().filter_map(|health| health.worker);
    let sampled = snapshot.error_samples.iter();
    let sampled = sampled.filter_map(|sample| sample.worker);
    let ends = snapshot.end.iter();
    let lost = ends.flat_map(|end| &end.lost_workers);
    let lost = lost.chain(&snapshot.lost_workers).map(|lost| lost.worker);
    if let Some(worker) = named
        .chain(noticed)
        .chain(measured)
        .chain(sampled)
        .chain(lost)
        .find(|worker| !agent.workers.contains(worker))
    {
        return Err(StoreError::InvalidSnapshot(format!(
            "it refers to worker {worker}, which is not one of this agent's"
        )));
    }
    Ok(None)
}

/// Whether an agent's part can have ended so within the longest time that the run may take.
fn check_end(end: &AgentEnd, end_of_time: u32) -> StoreResult<()> {
    let refuse = |what: String| Err(StoreError::InvalidSnapshot(what));
    let last = RunTime::of_second(end_of_time);
    if end.ended_at > last {
        return refuse(format!(
            "the agent ended at {} µs, but the run cannot last longer than {end_of_time} s",
            end.ended_at.as_micros()
        ));
    }
    let most = u64::from(end_of_time).saturating_mul(MAX_COUNT);
    if end.requests > most {
        return refuse(format!(
            "the agent counted {} requests, more than there can be in {end_of_time} s",
            end.requests
        ));
    }
    check_lost(&end.lost_workers, end_of_time)
}

/// Whether workers can have been lost then.
fn check_lost(lost: &[LostWorker], end_of_time: u32) -> StoreResult<()> {
    let mut lost = lost.iter();
    match lost.find(|lost| lost.since_second > end_of_time) {
        Some(lost) => Err(StoreError::InvalidSnapshot(format!(
            "worker {} was lost in second {}, but the run cannot last longer than {end_of_time}",
            lost.worker, lost.since_second
        ))),
        None => Ok(()),
    }
}
