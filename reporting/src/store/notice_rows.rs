//! What the generator itself ran short of in a run, as rows.

use std::collections::BTreeMap;

use greylag_infra::protocol::OTHER;
use greylag_infra::{GeneratorNotice, GeneratorNotices, NoticeKind, RunId, ThresholdResult};
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::run_rows::{agents, from_json, json};
use super::scope::{RowScope, Scope};
use super::thresholds::mark_failed;

/// Several workers together, in the column of the worker.
const NO_WORKER: i64 = -1;

/// Adds notices to those of a run, merged and bounded as [`GeneratorNotices`] does. Gives those that are the first of their kind,
/// worker and subject.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    added: &[GeneratorNotice],
) -> StoreResult<Vec<GeneratorNotice>> {
    if added.is_empty() {
        return Ok(Vec::new());
    }
    let is_failure = |notice: &GeneratorNotice| notice.kind == NoticeKind::TestFailed;
    if added.iter().any(is_failure) {
        mark_failed(connection, run)?;
    }
    let mut notices: GeneratorNotices = of_run(connection, run)?.into_iter().collect();
    let news = added.iter().cloned();
    let news = news.filter_map(|notice| notices.add(notice).cloned());
    let news = news.collect();
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO notices (run, kind, worker, subject, first_second, last_second, count, worst)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for notice in notices.iter() {
        statement.execute(params![
            run,
            json(&notice.kind),
            notice.worker.map_or(NO_WORKER, i64::from),
            notice.subject,
            notice.first_second,
            notice.last_second,
            to_sql(notice.count),
            to_sql(notice.worst),
        ])?;
    }
    Ok(news)
}

/// The notices of a scope, by kind, worker and subject: those of the agent's workers and of several workers together,
/// and of the whole run's time those of these seconds.
pub(super) fn read(
    connection: &Connection,
    id: &RunId,
    scope: &Scope,
) -> StoreResult<Vec<GeneratorNotice>> {
    let seconds = scope.seconds();
    let scope = RowScope::find(connection, id, scope)?;
    let mut notices = of_run(connection, scope.run)?;
    notices
        .retain(|notice| notice.first_second < seconds.end && notice.last_second >= seconds.start);
    if let Some(name) = scope.agent {
        let agents = agents(connection, scope.run)?;
        let is_of_agent = |worker: u32| {
            let mut of_name = agents.iter().filter(|agent| agent.name == name);
            of_name.any(|agent| agent.workers.contains(&worker))
        };
        notices.retain(|notice| match notice.kind {
            NoticeKind::CoarseResults => notice.subject == name,
            _ => notice.worker.is_none_or(is_of_agent),
        });
    }
    Ok(notices)
}

/// What the scenario's code says failed in a run, by reason.
pub(super) fn failures(connection: &Connection, run: i64) -> StoreResult<Vec<ThresholdResult>> {
    let mut reasons: BTreeMap<String, (u64, u32)> = BTreeMap::new();
    for notice in of_run(connection, run)?.iter() {
        if notice.kind == NoticeKind::TestFailed {
            // Two ways to be one of many.
            let reason = match notice.subject.as_str() {
                OTHER => "",
                reason => reason,
            };
            let known = reasons.entry(reason.to_owned());
            let (times, since_s) = known.or_insert((0, u32::MAX));
            *times = times.saturating_add(notice.count);
            *since_s = notice.first_second.min(*since_s);
        }
    }
    let results = reasons
        .iter()
        .map(|(reason, (times, since_s))| ThresholdResult::of_scenario(reason, *times, *since_s));
    Ok(results.collect())
}

/// Whether the notices of a run can be read.
pub(super) fn check(connection: &Connection, run: i64) -> StoreResult<()> {
    of_run(connection, run).map(drop)
}

fn of_run(connection: &Connection, run: i64) -> StoreResult<Vec<GeneratorNotice>> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, worker, subject, first_second, last_second, count, worst FROM notices WHERE run = ?1",
    )?;
    let mut rows = statement.query([run])?;
    let mut notices = GeneratorNotices::default();
    while let Some(row) = rows.next()? {
        let worker: i64 = row.get(1)?;
        notices.add(GeneratorNotice {
            kind: from_json(&row.get::<_, String>(0)?)?,
            worker: (worker != NO_WORKER).then(|| small_from_sql(worker)),
            subject: row.get(2)?,
            first_second: small_from_sql(row.get(3)?),
            last_second: small_from_sql(row.get(4)?),
            count: from_sql(row.get(5)?),
            worst: from_sql(row.get(6)?),
        });
    }
    Ok(notices.take())
}
