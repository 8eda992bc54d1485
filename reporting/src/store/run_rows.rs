//! Runs, their agents and tests, and infrastructures, as rows.

use std::collections::HashMap;

use greylag_infra::protocol::AgentEnd;
use greylag_infra::{
    BuildInfo, LoadTest, RunAgent, RunId, RunPhase, RunRecord, SetUpData, WallTime,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::agent_rows::Grain;
use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, time_from_sql, time_to_sql, to_sql};
use super::live::LiveAgent;
use super::rows::WorkerRow;
use super::run_search::{CONDITION, RunFilter};
use super::scope::{RowScope, Scope, is_only_agent};
use super::second_rows::has_unattributed_changes;
use super::secret_rows::definition_of;
use super::thresholds::outdate_results;

/// Most runs one query returns.
pub const MAX_RUNS_PER_QUERY: usize = 1_000;

/// A test: the name that runs are numbered by.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRecord {
    /// Its name.
    pub name: String,
    /// The definition of its latest run.
    pub latest: LoadTest,
    /// How many runs it has.
    pub runs: u64,
}

const COLUMNS: &str = "run, id, number, definition, phase, created_at_us, started_at_us, ended_at_us, profile, completeness";

/// Row number of a run.
pub(super) fn key_of(connection: &Connection, id: &RunId) -> StoreResult<i64> {
    connection
        .prepare_cached("SELECT run FROM runs WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::UnknownRun(id.shortened()))
}

/// Keeps a new run and gives it its number.
pub(super) fn insert(connection: &Connection, mut record: RunRecord) -> StoreResult<RunRecord> {
    let exists: Option<i64> = connection
        .prepare_cached("SELECT run FROM runs WHERE id = ?1")?
        .query_row([record.id.as_str()], |row| row.get(0))
        .optional()?;
    if exists.is_some() {
        return Err(StoreError::RunExists(record.id));
    }
    record.number = next_number(connection, &record.test.name)?;
    connection
        .prepare_cached(
            "INSERT INTO runs (id, test, number, definition, phase, is_over, created_at_us, started_at_us, ended_at_us, profile, completeness, agent_grain, labels)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            record.id.as_str(),
            record.test.name,
            to_sql(record.number),
            definition_of(connection, &record)?,
            json(&record.phase),
            record.phase.is_over(),
            time_to_sql(record.created_at),
            record.started_at.map(time_to_sql),
            record.ended_at.map(time_to_sql),
            json(&record.profile),
            json(&record.completeness),
            Grain::of(record.agents.len()).as_sql(),
            json(&record.test.labels),
        ])?;
    insert_agents(connection, connection.last_insert_rowid(), &record)?;
    Ok(record)
}

/// The number of the next run of a test: no run has had it.
fn next_number(connection: &Connection, test: &str) -> StoreResult<u64> {
    let latest: i64 = connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(number) FROM runs WHERE test = ?1), 0),
                        coalesce((SELECT number FROM last_numbers WHERE test = ?1), 0))",
        )?
        .query_row([test], |row| row.get(0))?;
    Ok(from_sql(latest) + 1)
}

/// The number of a run that comes from elsewhere: its own, if no run of its test has that.
pub(super) fn free_number(connection: &Connection, record: &RunRecord) -> StoreResult<u64> {
    let is_taken: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE test = ?1 AND number = ?2)")?
        .query_row(params![record.test.name, to_sql(record.number)], |row| {
            row.get(0)
        })?;
    if is_taken {
        next_number(connection, &record.test.name)
    } else {
        Ok(record.number)
    }
}

fn insert_agents(connection: &Connection, key: i64, record: &RunRecord) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO run_agents (run, agent, id, name, workers, last_seq, saved_until, end, build)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (position, agent) in (0_i64..).zip(&record.agents) {
        statement.execute(params![
            key,
            position,
            agent.id.as_str(),
            agent.name,
            json(&agent.workers),
            to_sql(agent.last_seq),
            agent.saved_until,
            agent.end.as_ref().map(json),
            json(&agent.build),
        ])?;
    }
    Ok(())
}

/// Keeps a run's definition, profile, phase, times and completeness and its agents' ends. An end that is known is not
/// forgotten; the numbers of the last snapshots are left alone: they are written with the snapshots. Agents are kept with
/// the first update that has some, because a run that waits has none.
pub(super) fn update(connection: &Connection, record: &RunRecord) -> StoreResult<()> {
    let key = key_of(connection, &record.id)?;
    if !record.agents.is_empty() && !has_agents(connection, key)? {
        insert_agents(connection, key, record)?;
        save_grain(connection, key, Grain::of(record.agents.len()), false)?;
    }
    connection
        .prepare_cached(
            "UPDATE runs SET phase = ?2, is_over = ?3, started_at_us = ?4, ended_at_us = ?5,
             definition = ?6, profile = ?7, completeness = ?8,
             set_up_data = CASE WHEN ?3 THEN NULL ELSE set_up_data END WHERE run = ?1",
        )?
        .execute(params![
            key,
            json(&record.phase),
            record.phase.is_over(),
            record.started_at.map(time_to_sql),
            record.ended_at.map(time_to_sql),
            definition_of(connection, record)?,
            json(&record.profile),
            json(&record.completeness),
        ])?;
    let mut without_end =
        connection.prepare_cached("SELECT agent FROM run_agents WHERE run = ?1 AND end IS NULL")?;
    let without_end: Vec<i64> = without_end
        .query_map([key], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for position in without_end {
        let agent = usize::try_from(position)
            .ok()
            .and_then(|at| record.agents.get(at));
        if let Some(end) = agent.and_then(|agent| agent.end.as_ref()) {
            save_end(connection, key, position, end)?;
        }
    }
    Ok(())
}

fn has_agents(connection: &Connection, key: i64) -> StoreResult<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM run_agents WHERE run = ?1)")?
        .query_row([key], |row| row.get(0))?)
}

/// Keeps what a run's set-up made; it is forgotten with the run's end, because it may hold passwords.
pub(super) fn save_set_up_data(
    connection: &Connection,
    id: &RunId,
    data: &SetUpData,
) -> StoreResult<()> {
    let key = key_of(connection, id)?;
    connection
        .prepare_cached("UPDATE runs SET set_up_data = ?2 WHERE run = ?1 AND NOT is_over")?
        .execute(params![key, data.bytes()])?;
    Ok(())
}

/// What a run's set-up made, while the run is active.
pub(super) fn set_up_data(connection: &Connection, id: &RunId) -> StoreResult<Option<SetUpData>> {
    let key = key_of(connection, id)?;
    let data: Option<Vec<u8>> = connection
        .prepare_cached("SELECT set_up_data FROM runs WHERE run = ?1")?
        .query_row([key], |row| row.get(0))?;
    Ok(data.map(SetUpData::from))
}

/// Keeps how far an agent's results are saved, and that it has so many more users since a second; without a second none
/// changed. Those of a run that began before users were counted are not known, and may stop.
pub(super) fn save_progress(
    connection: &Connection,
    run: i64,
    agent: &LiveAgent,
    more_users: i64,
    last_change: Option<u32>,
) -> StoreResult<()> {
    connection
        .prepare_cached(
            "INSERT INTO agent_progress (run, agent, last_seq, saved_until, users, last_change)
                 VALUES (?1, ?2, ?3, ?4, max(?5, 0), ?6)
             ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, saved_until = excluded.saved_until,
                 users = max(users + ?5, 0), last_change = max(last_change, excluded.last_change)",
        )?
        .execute(params![
            run,
            agent.number,
            to_sql(agent.last_seq),
            agent.saved_until,
            more_users,
            last_change.unwrap_or(0)
        ])?;
    Ok(())
}

/// How exactly a run's agents are kept; none while nothing was saved of a run that an earlier version began.
pub(super) fn grain(connection: &Connection, run: i64) -> StoreResult<Option<Grain>> {
    let grain: Option<i64> = connection
        .prepare_cached("SELECT agent_grain FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    grain.map(Grain::from_sql).transpose()
}

/// Whether some users and iterations of a run are of agents that are not known. A single agent has all of them.
pub(super) fn has_unknown_users(connection: &Connection, run: i64) -> StoreResult<bool> {
    if is_only_agent(connection, run)? {
        return Ok(false);
    }
    if grain(connection, run)?.is_none() {
        return has_unattributed_changes(connection, run);
    }
    Ok(connection
        .prepare_cached("SELECT has_unknown_users FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}

/// Keeps how exactly a run's agents are kept from here on, and whether some of its users are of agents that are not known.
pub(super) fn save_grain(
    connection: &Connection,
    run: i64,
    grain: Grain,
    has_unknown_users: bool,
) -> StoreResult<()> {
    connection
        .prepare_cached("UPDATE runs SET agent_grain = ?2, has_unknown_users = ?3 WHERE run = ?1")?
        .execute(params![run, grain.as_sql(), has_unknown_users])?;
    Ok(())
}

/// Keeps how an agent's part ended.
pub(super) fn save_end(
    connection: &Connection,
    run: i64,
    agent: i64,
    end: &AgentEnd,
) -> StoreResult<()> {
    connection
        .prepare_cached("UPDATE run_agents SET end = ?3 WHERE run = ?1 AND agent = ?2")?
        .execute(params![run, agent, json(end)])?;
    Ok(())
}

/// A run by its identifier.
pub(super) fn by_id(connection: &Connection, id: &RunId) -> StoreResult<Option<RunRecord>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?;
    let row = statement
        .query_row([id.as_str()], RunRow::read)
        .optional()?;
    row.map(|row| row.into_record(connection)).transpose()
}

/// Runs, newest first.
pub(super) fn list(connection: &Connection, filter: &RunFilter) -> StoreResult<Vec<RunRecord>> {
    let limit = filter
        .limit
        .map_or(MAX_RUNS_PER_QUERY, |limit| limit.min(MAX_RUNS_PER_QUERY));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE {} ORDER BY created_at_us DESC, run DESC LIMIT ?3 OFFSET ?4",
        *CONDITION
    ))?;
    let rows = statement
        .query_map(
            params![
                filter.test,
                filter.words(),
                to_sql(limit as u64),
                to_sql(filter.offset as u64)
            ],
            RunRow::read,
        )?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|row| row.into_record(connection))
        .collect()
}

/// The run before one, of the same test, that has begun.
pub(super) fn before(connection: &Connection, run: &RunRecord) -> StoreResult<Option<RunRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE test = ?1 AND number < ?2 AND started_at_us IS NOT NULL
         ORDER BY number DESC LIMIT 1"
    ))?;
    let row = statement
        .query_row(params![run.test.name, to_sql(run.number)], RunRow::read)
        .optional()?;
    row.map(|row| row.into_record(connection)).transpose()
}

/// Runs that have begun and ended since this time, the last first.
pub(super) fn ended_since(
    connection: &Connection,
    since: WallTime,
    limit: usize,
) -> StoreResult<Vec<RunRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE is_over AND started_at_us IS NOT NULL AND ended_at_us >= ?1
         ORDER BY ended_at_us DESC, run DESC LIMIT ?2"
    ))?;
    let rows = statement
        .query_map(
            params![time_to_sql(since), to_sql(limit as u64)],
            RunRow::read,
        )?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|row| row.into_record(connection))
        .collect()
}

/// Runs that have not ended, oldest first.
pub(super) fn unfinished(connection: &Connection) -> StoreResult<Vec<RunRecord>> {
    records(connection, "NOT is_over ORDER BY run")
}

/// Most runs that are asked whether they were taking late results.
const MAX_TAKING_LATE_RESULTS: u32 = 100;

/// Runs that are over and may have been taking late results when this database was used last: no run was created or
/// ended after their time for it. What a clock says now is left out, because it may have been set.
pub(super) fn taking_late_results(connection: &Connection) -> StoreResult<Vec<RunRecord>> {
    records(
        connection,
        &format!(
            "is_over AND completeness ->> '$.late_until_us' > (SELECT max(coalesce(ended_at_us, created_at_us)) FROM runs)
             ORDER BY run DESC LIMIT {MAX_TAKING_LATE_RESULTS}"
        ),
    )
}

/// Most runs that are over and judged when a coordinator starts.
const MAX_TO_JUDGE: u32 = 100;

/// Runs that are over, have thresholds, and whose results of these are not kept or outdated.
pub(super) fn to_judge(connection: &Connection) -> StoreResult<Vec<RunRecord>> {
    records(
        connection,
        &format!(
            "is_over AND (threshold_results IS NULL OR results_outdated) AND json_array_length(definition, '$.thresholds') > 0
             ORDER BY run DESC LIMIT {MAX_TO_JUDGE}"
        ),
    )
}

fn records(connection: &Connection, condition: &str) -> StoreResult<Vec<RunRecord>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE {condition}"))?;
    let rows = statement
        .query_map([], RunRow::read)?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|row| row.into_record(connection))
        .collect()
}

/// Tests, the one that ran last first.
pub(super) fn tests(connection: &Connection) -> StoreResult<Vec<TestRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT latest.test, latest.definition, (SELECT count(*) FROM runs WHERE test = latest.test)
         FROM runs latest
         WHERE latest.number = (SELECT max(number) FROM runs WHERE test = latest.test)
         ORDER BY latest.created_at_us DESC, latest.run DESC",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
        })?
        .collect::<Result<Vec<(String, String, i64)>, _>>()?;
    rows.into_iter()
        .map(|(name, definition, runs)| {
            Ok(TestRecord {
                name,
                latest: from_json(&definition)?,
                runs: from_sql(runs),
            })
        })
        .collect()
}

/// Worker processes at their last report, by index.
pub(super) fn workers(
    connection: &Connection,
    id: &RunId,
    scope: &Scope,
) -> StoreResult<Vec<WorkerRow>> {
    let scope = RowScope::find(connection, id, scope)?;
    // There may be many more workers than agents, so that joining the tables would cost more.
    let mut statement = connection.prepare_cached(
        "SELECT agent, name FROM run_agents WHERE run = ?1 AND (?2 IS NULL OR name = ?2)",
    )?;
    let names = statement.query_map(params![scope.run, scope.agent], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let names = names.collect::<Result<HashMap<i64, String>, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT agent, worker, pid, users, running FROM workers WHERE run = ?1 ORDER BY worker",
    )?;
    let mut rows = statement.query([scope.run])?;
    let mut workers = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(agent) = names.get(&row.get(0)?) {
            workers.push(WorkerRow {
                agent: agent.clone(),
                index: row.get(1)?,
                pid: row.get(2)?,
                users: from_sql(row.get(3)?),
                running: row.get(4)?,
                stale: false,
            });
        }
    }
    Ok(workers)
}

/// Names of infrastructures, sorted.
pub(super) fn infrastructures(connection: &Connection) -> StoreResult<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM infrastructures ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Keeps the name of an infrastructure; one that is known is left alone.
pub(super) fn insert_infrastructure(connection: &Connection, name: &str) -> StoreResult<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO infrastructures (name) VALUES (?1)")?
        .execute([name])?;
    Ok(())
}

struct RunRow {
    key: i64,
    id: RunId,
    number: i64,
    definition: String,
    phase: String,
    created_at_us: i64,
    started_at_us: Option<i64>,
    ended_at_us: Option<i64>,
    /// None for runs of a version that kept no profile.
    profile: Option<String>,
    /// None for runs of a version that did not look.
    completeness: Option<String>,
}

impl RunRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            id: row.get::<_, String>(1)?.into(),
            number: row.get(2)?,
            definition: row.get(3)?,
            phase: row.get(4)?,
            created_at_us: row.get(5)?,
            started_at_us: row.get(6)?,
            ended_at_us: row.get(7)?,
            profile: row.get(8)?,
            completeness: row.get(9)?,
        })
    }

    fn into_record(self, connection: &Connection) -> StoreResult<RunRecord> {
        let phase: RunPhase = from_json(&self.phase)?;
        let test: LoadTest = from_json(&self.definition)?;
        let profile = match &self.profile {
            Some(profile) => from_json(profile)?,
            None => test.profile(),
        };
        let completeness = self.completeness.as_deref().map(from_json).transpose()?;
        let mut record = RunRecord {
            agents: agents(connection, self.key)?,
            id: self.id,
            number: from_sql(self.number),
            test,
            phase,
            created_at: time_from_sql(self.created_at_us),
            started_at: self.started_at_us.map(time_from_sql),
            ended_at: self.ended_at_us.map(time_from_sql),
            profile,
            completeness: completeness.unwrap_or_default(),
        };
        // An end is kept with its snapshot, a moment before the run's life cycle hears of it.
        record.follow_ends();
        Ok(record)
    }
}

/// Results of a run that is over were saved: further ones are taken for longer.
pub(super) fn late_results_came(
    connection: &Connection,
    id: &RunId,
    now: WallTime,
) -> StoreResult<()> {
    let Some(mut record) = by_id(connection, id)? else {
        return Ok(());
    };
    let ended_at = record.ended_at.unwrap_or(record.created_at);
    if record.completeness.late_results_came(now, ended_at) {
        connection
            .prepare_cached("UPDATE runs SET completeness = ?2 WHERE id = ?1")?
            .execute(params![id.as_str(), json(&record.completeness)])?;
    }
    outdate_results(connection, id)
}

/// The name of an agent of a run by its number.
pub(super) fn agent_name(connection: &Connection, key: i64, agent: i64) -> StoreResult<String> {
    Ok(connection
        .prepare_cached("SELECT name FROM run_agents WHERE run = ?1 AND agent = ?2")?
        .query_row(params![key, agent], |row| row.get(0))?)
}

/// A run's agents in the order in which workers are distributed.
pub(super) fn agents(connection: &Connection, key: i64) -> StoreResult<Vec<RunAgent>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, workers, coalesce(progress.last_seq, agents.last_seq), end, build,
             coalesce(progress.saved_until, agents.saved_until)
         FROM run_agents agents LEFT JOIN agent_progress progress USING (run, agent)
         WHERE run = ?1 ORDER BY agent",
    )?;
    let mut rows = statement.query([key])?;
    let mut agents = Vec::new();
    while let Some(row) = rows.next()? {
        let end: Option<String> = row.get(4)?;
        let build: Option<String> = row.get(5)?;
        agents.push(RunAgent {
            id: row.get::<_, String>(0)?.into(),
            name: row.get(1)?,
            workers: from_json(&row.get::<_, String>(2)?)?,
            last_seq: from_sql(row.get(3)?),
            saved_until: row.get(6)?,
            end: end.map(|end| from_json(&end)).transpose()?,
            build: build.map_or_else(|| Ok(BuildInfo::default()), |build| from_json(&build))?,
        });
    }
    Ok(agents)
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("records have string keys and finite numbers only")
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> StoreResult<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}
