//! Writing what a snapshot adds to its run.

use std::collections::BTreeMap;

use greylag_infra::AgentId;
use greylag_infra::protocol::{
    Endpoint, LogLine, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut,
};
use rusqlite::{Connection, params};

use crate::measure::arrivals::Arrivals;
use crate::store::checked_snapshot::CheckedSnapshot;
use crate::store::error::StoreResult;
use crate::store::integers::to_sql;
use crate::store::live::LiveRun;
use crate::store::log_rows::{self, LogOrigin};
use crate::store::sample_rows::{self, StoredSample};
use crate::store::second_rows::{SecondChange, add_second};
use crate::store::stored_interval::{Place, StoredInterval};
use crate::store::totals::RunTotals;
use crate::store::{error_rows, notice_rows, rollup, run_rows};

/// What a snapshot added, by number of endpoint or error.
pub(super) struct Written {
    intervals: Vec<(i64, StoredInterval)>,
    errors: Vec<(i64, u64)>,
    arrivals: Arrivals,
}

impl Written {
    /// Adds it to the totals of its run.
    pub(super) fn add_to(&self, totals: &mut RunTotals, live: &LiveRun) {
        for (endpoint, stored) in &self.intervals {
            if let Some(endpoint) = live.endpoint(*endpoint) {
                totals.entry(endpoint).add(stored.interval());
            }
        }
        for (error, occurrences) in &self.errors {
            if let Some((endpoint, text)) = live.error(*error)
                && let Some(endpoint) = live.endpoint(endpoint)
            {
                totals.entry(endpoint).record_error(text, *occurrences);
            }
        }
        totals.arrivals.merge(self.arrivals);
    }
}

/// Writes everything.
pub(super) fn write(
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
