//! Saving a snapshot: once, whole, and with everything that follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use greylag_infra::RunTime;
use greylag_infra::protocol::{
    AgentEnd, Endpoint, LogLine, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut,
};
use greylag_infra::{AgentId, RunId};
use rusqlite::{Connection, params};

use crate::store::checked_snapshot::CheckedSnapshot;
use crate::store::error::{StoreError, StoreResult};
use crate::store::error_rows;
use crate::store::integers::to_sql;
use crate::store::live::{LiveRun, WriterState, lock_totals};
use crate::store::log_rows::{self, LogOrigin};
use crate::store::notice_rows;
use crate::store::rollup;
use crate::store::run_rows;
use crate::store::sample_rows::{self, StoredSample};
use crate::store::second_rows::{SecondChange, add_second};
use crate::store::stored_interval::{Place, StoredInterval};
use crate::store::totals::RunTotals;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::MAX_COUNT;

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

/// Saves a snapshot in one transaction, or changes nothing.
pub(super) fn save(
    state: &mut WriterState,
    run_id: &RunId,
    agent_id: &AgentId,
    snapshot: &CheckedSnapshot,
) -> StoreResult<SaveOutcome> {
    let mut live = match state.live.remove(run_id) {
        Some(live) => live,
        None => LiveRun::load(&state.connection, run_id, state.clock)?,
    };
    if let Some(answer) = answer_unsaved(&live, run_id, agent_id, snapshot).transpose() {
        if !live.is_over {
            state.live.insert(run_id.to_owned(), live);
        }
        return answer;
    }
    // From here on `live` may get ahead of the database; it is put back only when both agree again.
    let transaction = state.connection.transaction()?;
    let written = write(&transaction, &mut live, agent_id, snapshot)?;
    transaction.commit()?;

    // Taken out, so that no reader waits for the lock while the sums are changed (or copied, when a reader still
    // has them). Who looks meanwhile asks this thread and gets them afterwards.
    let totals = lock_totals(&state.totals).remove(run_id);
    if let Some(mut totals) = totals {
        add_to_totals(Arc::make_mut(&mut totals), &live, &written);
        lock_totals(&state.totals).insert(run_id.to_owned(), totals);
    }
    if !live.is_over {
        state.live.insert(run_id.to_owned(), live);
    }
    Ok(SaveOutcome::Saved)
}

fn add_to_totals(totals: &mut RunTotals, live: &LiveRun, written: &Written) {
    for (endpoint, stored) in &written.intervals {
        if let Some(endpoint) = live.endpoint(*endpoint) {
            totals.entry(endpoint).add(stored.interval());
        }
    }
    for (error, occurrences) in &written.errors {
        if let Some((endpoint, text)) = live.error(*error)
            && let Some(endpoint) = live.endpoint(endpoint)
        {
            totals.entry(endpoint).record_error(text, *occurrences);
        }
    }
    totals.arrivals.merge(written.arrivals);
}

/// What to answer when the snapshot is not the one that is due; none when it is.
///
/// # Errors
/// It does not fit the run.
fn answer_unsaved(
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
    let named = snapshot.workers.iter().map(|worker| worker.index);
    let noticed = snapshot.notices.iter().filter_map(|notice| notice.worker);
    let ends = snapshot.end.iter();
    let lost = ends.flat_map(|end| end.lost_workers.iter().map(|lost| lost.worker));
    if let Some(worker) = named
        .chain(noticed)
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
    let mut lost = end.lost_workers.iter();
    match lost.find(|lost| lost.since_second > end_of_time) {
        Some(lost) => refuse(format!(
            "worker {} was lost in second {}, but the run cannot last longer than {end_of_time}",
            lost.worker, lost.since_second
        )),
        None => Ok(()),
    }
}

/// What a snapshot added, by number of endpoint or error.
struct Written {
    intervals: Vec<(i64, StoredInterval)>,
    errors: Vec<(i64, u64)>,
    arrivals: Arrivals,
}

/// Writes everything.
fn write(
    connection: &Connection,
    live: &mut LiveRun,
    agent_id: &AgentId,
    snapshot: &CheckedSnapshot,
) -> StoreResult<Written> {
    let run = live.key;
    let agent = live.agents.get(agent_id).map_or(0, |agent| agent.number);
    let numbers = intern_endpoints(connection, live, &snapshot.endpoints)?;
    let mut written = write_intervals(connection, live, agent, snapshot, &numbers)?;
    written.arrivals = write_seconds(connection, run, agent, snapshot)?;

    let samples = snapshot
        .samples
        .iter()
        .map(|sample| StoredSample {
            endpoint: u32::try_from(numbers[sample.endpoint as usize]).unwrap_or(u32::MAX),
            at_us: sample.at_us,
            response_us: sample.response_us,
            failed: sample.failed,
            kind: sample.kind,
        })
        .collect();
    sample_rows::add(connection, run, agent, samples)?;
    log_rows::append(
        connection,
        run,
        &snapshot.log,
        snapshot.log_lines_dropped,
        LogOrigin::Agent(agent),
    )?;
    notice_rows::add(connection, run, &snapshot.notices)?;
    for worker in &snapshot.workers {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO workers (run, worker, agent, pid, users, running) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![run, worker.index, agent, worker.pid, to_sql(worker.users), worker.running])?;
    }
    connection
        .prepare_cached(
            "UPDATE run_agents SET last_seq = ?3, saved_until = max(saved_until, ?4)
             WHERE run = ?1 AND agent = ?2",
        )?
        .execute(params![
            run,
            agent,
            to_sql(snapshot.seq),
            snapshot.saved_until
        ])?;
    if let Some(end) = &snapshot.end {
        run_rows::save_end(connection, run, agent, end)?;
    }
    let newest = snapshot.seconds().max().max(live.last_second);
    if let Some(newest) = newest
        && live.last_second != Some(newest)
    {
        connection
            .prepare_cached("UPDATE runs SET last_second = ?2 WHERE run = ?1")?
            .execute(params![run, newest])?;
        live.rolled = rollup::roll(connection, run, live.rolled, newest)?;
        live.last_second = Some(newest);
    }
    if let Some(agent) = live.agents.get_mut(agent_id) {
        agent.last_seq = snapshot.seq;
        agent.ended |= snapshot.end.is_some();
    }
    Ok(written)
}

fn intern_endpoints(
    connection: &Connection,
    live: &mut LiveRun,
    endpoints: &[Endpoint],
) -> StoreResult<Vec<i64>> {
    let mut numbers = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let (number, first_beyond) = live.endpoint_number(connection, endpoint)?;
        numbers.push(number);
        if first_beyond {
            let text = format!(
                "this run has more than {MAX_ENDPOINTS} endpoints; requests to further ones are counted under {OTHER}: group them with name(...)"
            );
            warn(connection, live, text)?;
        }
    }
    Ok(numbers)
}

/// Says something to our log and to the run's.
fn warn(connection: &Connection, live: &LiveRun, text: String) -> StoreResult<()> {
    let run = live.key;
    tracing::warn!(run, "{text}");
    let line = LogLine {
        at: live.clock.now(),
        source: "coordinator".to_owned(),
        text,
    };
    log_rows::append(connection, run, &[line], 0, LogOrigin::Coordinator)
}

fn write_intervals(
    connection: &Connection,
    live: &mut LiveRun,
    agent: i64,
    snapshot: &CheckedSnapshot,
    numbers: &[i64],
) -> StoreResult<Written> {
    let mut intervals: BTreeMap<Place, StoredInterval> = BTreeMap::new();
    let mut errors: BTreeMap<(u32, i64), u64> = BTreeMap::new();
    for checked in &snapshot.intervals {
        let endpoint = numbers[checked.endpoint];
        if checked.stored.interval().sums.requests() > 0 {
            intervals
                .entry((checked.second, endpoint, agent))
                .and_modify(|sum| sum.merge(&checked.stored))
                .or_insert_with(|| checked.stored.clone());
        }
        for error in &checked.errors {
            let text = cut(&error.error, MAX_ERROR_BYTES);
            let (number, first_beyond) = live.error_number(connection, endpoint, &text)?;
            if first_beyond {
                let text = format!(
                    "this run has more than {MAX_ERRORS} different errors; further ones are counted under {OTHER}: leave out of error texts what differs each time"
                );
                warn(connection, live, text)?;
            }
            let sum = errors.entry((checked.second, number)).or_default();
            *sum = sum.saturating_add(error.occurrences);
        }
    }
    rollup::add_intervals(connection, live.key, &live.rolled, &intervals)?;
    rollup::add_errors(connection, live.key, agent, &errors)?;
    error_rows::saw(connection, live.key, &errors)?;
    Ok(Written {
        intervals: intervals
            .into_iter()
            .map(|((_, endpoint, _), stored)| (endpoint, stored))
            .collect(),
        errors: errors
            .into_iter()
            .map(|((_, error), occurrences)| (error, occurrences))
            .collect(),
        arrivals: Arrivals::default(),
    })
}

/// Writes what each second adds to a run; says what all of them add to its arrivals.
fn write_seconds(
    connection: &Connection,
    run: i64,
    agent: i64,
    snapshot: &CheckedSnapshot,
) -> StoreResult<Arrivals> {
    let mut seconds: BTreeMap<u32, SecondChange> = BTreeMap::new();
    for checked in &snapshot.intervals {
        let second = seconds.entry(checked.second).or_default();
        let sums = &checked.stored.interval().sums;
        second.requests += sums.requests();
        second.failures += sums.failures;
    }
    for change in &snapshot.user_changes {
        let second = seconds.entry(change.second).or_default();
        second.started += change.started;
        second.stopped += change.stopped;
        second.arrivals.merge(Arrivals::from(change));
    }
    let mut arrivals = Arrivals::default();
    for (second, change) in seconds {
        add_second(connection, run, agent, second, change)?;
        arrivals.merge(change.arrivals);
    }
    Ok(arrivals)
}
