//! Writing what snapshots add to their run: everything that adds up is summed up over all agents first, so that it costs
//! as many rows for a thousand agents as for one.

use std::collections::BTreeMap;
use std::ops::Range;

use greylag_infra::protocol::{
    Endpoint, LogLine, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut,
};
use greylag_infra::{GeneratorNotice, protocol::NoticeKind};
use rusqlite::{Connection, params};

use super::OfAgent;
use crate::measure::arrivals::Arrivals;
use crate::measure::health::HealthSums;
use crate::measure::interval::{Outcomes, PackedInterval};
use crate::store::agent_rows::{AgentRows, Grain, RowInterval, UserSums};
use crate::store::checked_snapshot::CheckedSnapshot;
use crate::store::error::StoreResult;
use crate::store::error_rows::{self, Occurrences};
use crate::store::error_sample_rows;
use crate::store::health_rows::{self, ProcessKey, Processes};
use crate::store::integers::to_sql;
use crate::store::live::LiveRun;
use crate::store::log_rows::{self, LogOrigin};
use crate::store::metric_rows::AddedMetrics;
use crate::store::recent_rows::RecentPlace;
use crate::store::rollup::{self, Added};
use crate::store::sample_rows::{self, StoredSample};
use crate::store::second_rows::{self, SecondChange};
use crate::store::tag_rows::{self, AddedTags};
use crate::store::totals::RunTotals;
use crate::store::{metric_rows, notice_rows, run_rows};

/// What snapshots added, by number of endpoint or error.
pub(super) struct Written {
    intervals: Added,
    errors: BTreeMap<(u32, i64), Occurrences>,
    arrivals: Arrivals,
}

impl Written {
    /// Adds it to the totals of its run.
    pub(super) fn add_to(&self, totals: &mut RunTotals, live: &LiveRun) -> StoreResult<()> {
        for ((_, endpoint, _), interval) in &self.intervals {
            if let Some(endpoint) = live.endpoint(*endpoint) {
                interval.add_to(totals.entry(endpoint))?;
            }
        }
        for ((_, error), occurrences) in &self.errors {
            if let Some((endpoint, text)) = live.error(*error)
                && let Some(endpoint) = live.endpoint(endpoint)
            {
                totals.entry(endpoint).record_error(text, occurrences.count);
            }
        }
        totals.arrivals.merge(self.arrivals);
        Ok(())
    }
}

/// Sums over all snapshots.
#[derive(Default)]
struct Merged<'a> {
    intervals: BTreeMap<RecentPlace, Vec<&'a PackedInterval>>,
    /// By second and error.
    errors: BTreeMap<(u32, i64), Occurrences>,
    seconds: BTreeMap<u32, SecondChange>,
    samples: Vec<StoredSample>,
    health: BTreeMap<u32, Processes>,
    metrics: AddedMetrics<'a>,
    tags: AddedTags<'a>,
}

/// What one snapshot adds to one second.
#[derive(Default)]
struct AgentSecond<'a> {
    users: UserSums,
    errors: BTreeMap<i64, u64>,
    intervals: Vec<RowInterval<'a>>,
}

/// Writes everything.
pub(super) fn write(
    connection: &Connection,
    live: &mut LiveRun,
    snapshots: &[&OfAgent],
) -> StoreResult<Written> {
    let grain = live.grain(connection)?;
    let mut merged = Merged::default();
    for OfAgent { agent_id, snapshot } in snapshots.iter().copied() {
        let agent = live.agents.get(agent_id).map_or(0, |agent| agent.number);
        let seconds = merge(connection, live, agent, snapshot, &mut merged)?;
        if grain != Grain::None {
            write_agent(connection, live, grain, agent, &seconds)?;
        }
        write_apart(connection, live, agent, snapshot)?;
    }
    let run = live.key;
    for of_agent in snapshots {
        if let Some(agent) = live.agents.get(&of_agent.agent_id) {
            let changes = &of_agent.snapshot.user_changes;
            let last_change = changes.iter().map(|change| change.second).max();
            let more_users = changes
                .iter()
                .map(|change| to_sql(change.started).saturating_sub(to_sql(change.stopped)))
                .fold(0, i64::saturating_add);
            run_rows::save_progress(connection, run, agent, more_users, last_change)?;
        }
    }
    let mut intervals = Added::new();
    for (place, parts) in merged.intervals {
        for part in parts {
            live.sum.add(part)?;
        }
        intervals.insert(place, live.sum.take());
    }
    let newest = snapshots
        .iter()
        .flat_map(|of_agent| of_agent.snapshot.seconds());
    let newest = newest.max().max(live.last_second);
    let present = live.present_second(newest.unwrap_or(0));
    let LiveRun {
        rolled,
        recent,
        sum,
        counted_tags,
        ..
    } = live;
    rollup::add(connection, run, rolled, (recent, present), &intervals, sum)?;
    error_rows::add(connection, run, &merged.errors)?;
    second_rows::add_seconds(connection, run, &merged.seconds)?;
    sample_rows::add(connection, run, merged.samples)?;
    health_rows::add(connection, run, rolled, &merged.health)?;
    metric_rows::add(connection, run, rolled, &merged.metrics)?;
    tag_rows::add(connection, run, counted_tags, &merged.tags, sum)?;
    if let Some(newest) = newest {
        move_on(connection, live, grain, newest, present)?;
    }
    let mut arrivals = Arrivals::default();
    for change in merged.seconds.values() {
        arrivals.merge(change.users.arrivals);
    }
    Ok(Written {
        intervals,
        errors: merged.errors,
        arrivals,
    })
}

/// Sums up what a snapshot adds; gives what it adds to each second.
fn merge<'a>(
    connection: &Connection,
    live: &mut LiveRun,
    agent: i64,
    snapshot: &'a CheckedSnapshot,
    merged: &mut Merged<'a>,
) -> StoreResult<BTreeMap<u32, AgentSecond<'a>>> {
    let numbers = intern_endpoints(connection, live, &snapshot.endpoints)?;
    let mut seconds: BTreeMap<u32, AgentSecond<'a>> = BTreeMap::new();
    for checked in &snapshot.intervals {
        let (second, endpoint) = (checked.second, numbers[checked.endpoint]);
        let of_agent = seconds.entry(second).or_default();
        let sums = &checked.interval.sums;
        if sums.requests() > 0 {
            let outcomes = sums.outcomes();
            if outcomes == Outcomes::Mixed {
                live.note_mixed(connection)?;
            }
            let place = (second, endpoint, outcomes);
            let parts = merged.intervals.entry(place).or_default();
            parts.push(&checked.interval);
            of_agent.intervals.push(RowInterval {
                endpoint,
                sums: *sums,
                counts: checked.interval.parts(),
            });
        }
        for error in &checked.errors {
            let text = cut(&error.error, MAX_ERROR_BYTES);
            let number = number_of_error(connection, live, endpoint, &text)?;
            let of_all = merged.errors.entry((second, number)).or_default();
            of_all.count = of_all.count.saturating_add(error.occurrences);
            of_all.agents.insert(agent);
            let sum = of_agent.errors.entry(number).or_default();
            *sum = sum.saturating_add(error.occurrences);
        }
        let of_all = merged.seconds.entry(second).or_default();
        of_all.requests = of_all.requests.saturating_add(sums.requests());
        of_all.failures = of_all.failures.saturating_add(sums.failures);
    }
    for change in &snapshot.user_changes {
        let users = UserSums {
            started: change.started,
            stopped: change.stopped,
            arrivals: Arrivals::from(change),
        };
        let of_all = merged.seconds.entry(change.second).or_default();
        of_all.users.merge(users);
        seconds.entry(change.second).or_default().users.merge(users);
    }
    for sample in &snapshot.samples {
        let endpoint = numbers[sample.endpoint as usize];
        let mut details = sample.details;
        if let Some(error) = details.error {
            let text = &snapshot.sample_errors[error as usize];
            let number = number_of_error(connection, live, endpoint, text)?;
            details.error = u32::try_from(number).ok();
        }
        merged.samples.push(StoredSample {
            endpoint: u32::try_from(endpoint).unwrap_or(u32::MAX),
            at_us: sample.at_us,
            response_us: sample.response_us,
            failed: sample.failed,
            kind: sample.kind,
            agent,
            details,
        });
    }
    for sample in &snapshot.error_samples {
        let endpoint = numbers[sample.endpoint as usize];
        let text = &snapshot.sample_errors[sample.error as usize];
        let error = number_of_error(connection, live, endpoint, text)?;
        error_sample_rows::add(connection, live.key, agent, error, sample)?;
    }
    merge_metrics(connection, live, snapshot, &mut merged.metrics)?;
    for checked in &snapshot.tag_intervals {
        let place = (checked.second, checked.tag);
        let parts = merged.tags.entry(place).or_default();
        parts.push(&checked.interval);
    }
    for health in &snapshot.health {
        let key = ProcessKey {
            agent,
            worker: health.worker,
        };
        let processes = merged.health.entry(health.second).or_default();
        let sums = processes.entry(key).or_default();
        sums.merge(&HealthSums::of(health));
    }
    Ok(seconds)
}

/// Sums up what a snapshot adds to custom metrics.
fn merge_metrics<'a>(
    connection: &Connection,
    live: &mut LiveRun,
    snapshot: &'a CheckedSnapshot,
    merged: &mut AddedMetrics<'a>,
) -> StoreResult<()> {
    let mut left_out = Vec::new();
    for checked in &snapshot.metric_values {
        let metric = &snapshot.metrics[checked.metric];
        match live.metric_number(connection, metric)? {
            Ok(number) => {
                let parts = merged.entry((checked.second, number)).or_default();
                parts.push(&checked.values);
            }
            // Another agent declared it otherwise, or others have used up all places.
            Err(why) => {
                let count = checked.values.numbers.count;
                left_out.push(why.notice(&metric.name, checked.second, count));
            }
        }
    }
    for news in notice_rows::add(connection, live.key, &left_out)? {
        warn(connection, live, format!("Warning: {}", news.message(None)))?;
    }
    Ok(())
}

/// The number of an error, which is a new one where it was not seen before.
fn number_of_error(
    connection: &Connection,
    live: &mut LiveRun,
    endpoint: i64,
    text: &str,
) -> StoreResult<i64> {
    let (number, first_beyond) = live.error_number(connection, endpoint, text)?;
    if first_beyond {
        let text = format!(
            "this run has more than {MAX_ERRORS} different errors; further ones are counted under {OTHER}: leave out of error texts what differs each time"
        );
        warn(connection, live, text)?;
    }
    Ok(number)
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

/// Writes an agent's own part of what it added.
fn write_agent(
    connection: &Connection,
    live: &mut LiveRun,
    grain: Grain,
    agent: i64,
    seconds: &BTreeMap<u32, AgentSecond<'_>>,
) -> StoreResult<()> {
    let mut rows = agent_rows(connection, live, grain);
    let mut late = Vec::new();
    for (second, part) in seconds {
        let errors: Vec<_> = part.errors.iter().map(|(n, count)| (*n, *count)).collect();
        late.extend(rows.add(agent, *second, part.users, &errors, &part.intervals)?);
    }
    rows.add_late(agent, &late)?;
    let coarse = std::mem::take(&mut rows.coarse);
    note_coarse(connection, live.key, coarse)
}

/// Says with the run that an agent's own histograms are coarse where they should not be.
fn note_coarse(
    connection: &Connection,
    run: i64,
    coarse: Vec<(i64, Range<u32>)>,
) -> StoreResult<()> {
    let notices = coarse.into_iter().map(|(agent, seconds)| {
        Ok(GeneratorNotice {
            kind: NoticeKind::CoarseResults,
            subject: run_rows::agent_name(connection, run, agent)?,
            first_second: seconds.start,
            last_second: seconds.end.saturating_sub(1),
            count: 1,
            ..GeneratorNotice::default()
        })
    });
    let notices = notices.collect::<StoreResult<Vec<_>>>()?;
    notice_rows::add(connection, run, &notices).map(drop)
}

fn agent_rows<'a>(
    connection: &'a Connection,
    live: &'a mut LiveRun,
    grain: Grain,
) -> AgentRows<'a> {
    AgentRows {
        connection,
        run: live.key,
        grain,
        rolled_by: live.rolled_by,
        sum: &mut live.sum,
        coarse: Vec::new(),
    }
}

/// Writes what is not summed up.
fn write_apart(
    connection: &Connection,
    live: &mut LiveRun,
    agent: i64,
    snapshot: &CheckedSnapshot,
) -> StoreResult<()> {
    let run = live.key;
    log_rows::append(
        connection,
        run,
        &snapshot.log,
        snapshot.log_lines_dropped,
        LogOrigin::Agent(agent),
    )?;
    notice_rows::add(connection, run, &snapshot.notices)?;
    for worker in &snapshot.workers {
        if live.workers.get(&worker.index) == Some(worker) {
            continue;
        }
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO workers (run, worker, agent, pid, users, running) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![run, worker.index, agent, worker.pid, to_sql(worker.users), worker.running])?;
        live.workers.insert(worker.index, worker.clone());
    }
    if let Some(end) = &snapshot.end {
        run_rows::save_end(connection, run, agent, end)?;
    }
    Ok(())
}

/// Notes the newest second that has anything, and makes the rows of longer stretches that are complete in the second that
/// the run has come to.
fn move_on(
    connection: &Connection,
    live: &mut LiveRun,
    grain: Grain,
    newest: u32,
    present: u32,
) -> StoreResult<()> {
    let run = live.key;
    let rolled_by = live.rolled_by.max(Some(present));
    if live.last_second == Some(newest) && live.rolled_by == rolled_by {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE runs SET last_second = ?2, rolled_by = ?3 WHERE run = ?1")?
        .execute(params![run, newest, rolled_by])?;
    let before = live.rolled;
    live.rolled = rollup::roll(connection, run, before, present, &mut live.sum)?;
    health_rows::roll(connection, run, &before, &live.rolled)?;
    metric_rows::roll(connection, run, live.metrics(), &before, &live.rolled)?;
    if grain != Grain::None {
        let agents = 0..to_sql(live.agents.len() as u64);
        let mut rows = agent_rows(connection, live, grain);
        rows.roll(agents, present)?;
        let coarse = std::mem::take(&mut rows.coarse);
        note_coarse(connection, run, coarse)?;
    }
    live.last_second = Some(newest);
    live.rolled_by = rolled_by;
    Ok(())
}
