//! How the processes of a run fared: each over a scope, and all of them over time.

use std::collections::HashMap;

use greylag_infra::RunId;
use rusqlite::{Connection, params};

use super::{ProcessKey, Processes, saturated, visit};
use crate::measure::health::HealthSums;
use crate::measure::seconds::Seconds;
use crate::measure::windows::ANY_STEP;
use crate::store::error::StoreResult;
use crate::store::scope::{RowScope, Scope};

/// How the generator of a run fared in a scope, whatever its endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct GeneratorHealth {
    /// The seconds in which a worker was saturated.
    pub(crate) saturated: Seconds,
    /// Its processes, by agent and worker.
    pub(crate) processes: Vec<ProcessSums>,
}

/// How one process fared.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSums {
    /// Name of the agent.
    pub(crate) agent: String,
    /// Index of the worker; none for the agent itself.
    pub(crate) worker: Option<u32>,
    pub(crate) sums: HealthSums,
}

/// How the workers of a scope fared in one step. What was not measured is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct HealthPoint {
    /// First second of the step.
    pub(crate) second: u32,
    /// Time of the load thread on its core in permille of a second: of the worst worker in its worst second, and of half of them at
    /// most.
    pub(crate) core_worst_pm: Option<u64>,
    pub(crate) core_median_pm: Option<u64>,
    /// The same of the worst with the time in which it waited for its core: more than 900 is saturated.
    pub(crate) wanted_worst_pm: Option<u64>,
    /// How late timers were at the 99th percentile, likewise.
    pub(crate) late_worst_us: Option<u64>,
    pub(crate) late_median_us: Option<u64>,
}

/// How the generator fared.
pub(in crate::store) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
) -> StoreResult<GeneratorHealth> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let mut processes = Processes::new();
    visit(
        connection,
        &scope,
        scope.from..scope.to,
        ANY_STEP,
        |_, key, sums| {
            processes.entry(key).or_default().merge(sums);
        },
    )?;
    let mut statement =
        connection.prepare_cached("SELECT agent, name FROM run_agents WHERE run = ?1")?;
    let names = statement.query_map(params![scope.run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let names = names.collect::<Result<HashMap<i64, String>, _>>()?;
    let processes = processes.into_iter().map(|(key, sums)| ProcessSums {
        agent: names.get(&key.agent).cloned().unwrap_or_default(),
        worker: key.worker,
        sums,
    });
    Ok(GeneratorHealth {
        saturated: saturated::read(connection, scope.run, scope.agents(), scope.from..scope.to)?,
        processes: processes.collect(),
    })
}

/// The steps of `step` seconds in which anything was measured of a worker.
pub(in crate::store) fn series(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    step: u32,
) -> StoreResult<Vec<HealthPoint>> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let step = step.max(1);
    let mut points = Vec::new();
    let mut open: Option<(u32, HashMap<ProcessKey, HealthSums>)> = None;
    visit(
        connection,
        &scope,
        scope.from..scope.to,
        step,
        |second, key, sums| {
            if key.worker.is_none() {
                return;
            }
            let begins = second - second % step;
            match &mut open {
                Some((at, workers)) if *at == begins => workers.entry(key).or_default().merge(sums),
                _ => {
                    let next = (begins, HashMap::from([(key, *sums)]));
                    points.extend(open.replace(next).and_then(point));
                }
            }
        },
    )?;
    points.extend(open.and_then(point));
    for point in &mut points {
        point.second = point.second.max(scope.from);
    }
    Ok(points)
}

fn point((second, workers): (u32, HashMap<ProcessKey, HealthSums>)) -> Option<HealthPoint> {
    let worst = |known: fn(&HealthSums) -> u64, most: fn(&HealthSums) -> u64| {
        let workers = workers.values().filter(|sums| known(sums) > 0);
        workers.map(most).max()
    };
    let median = |known: fn(&HealthSums) -> u64, sum: fn(&HealthSums) -> u64| {
        let workers = workers.values().filter(|sums| known(sums) > 0);
        let mut means: Vec<u64> = workers.map(|sums| sum(sums) / known(sums)).collect();
        let middle = means.len().checked_sub(1)? / 2;
        Some(*means.select_nth_unstable(middle).1)
    };
    let point = HealthPoint {
        second,
        core_worst_pm: worst(|sums| sums.core_seconds, |sums| sums.core_max_pm),
        wanted_worst_pm: worst(|sums| sums.core_seconds, |sums| sums.wanted_max_pm),
        core_median_pm: median(|sums| sums.core_seconds, |sums| sums.core_pm),
        late_worst_us: worst(|sums| sums.late_seconds, |sums| sums.late_p99_max_us),
        late_median_us: median(|sums| sums.late_seconds, |sums| sums.late_p99_us),
    };
    (point.core_worst_pm.is_some() || point.late_worst_us.is_some()).then_some(point)
}
