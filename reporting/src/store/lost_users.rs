//! Users of agents that were given up: they never reported that these stopped, so it is noted where the agent's results
//! end. When it hands over what it holds, what it says itself takes the place of this.

use std::collections::HashMap;
use std::ops::Range;

use greylag_infra::{Completeness, GapCause};
use rusqlite::{Connection, OptionalExtension};

use super::agent_rows::UserSums;
use super::error::StoreResult;
use super::integers::from_sql;
use super::run_rows::from_json;
use super::scope::RowScope;

/// Agents of a run whose end has not come and that have users by what is saved of them.
const UNENDED: &str = "FROM run_agents JOIN agent_progress progress USING (run, agent)
    WHERE run = ?1 AND end IS NULL AND users > 0";

/// Gives `visit` each second of these in which the results of agents of a scope end that were given up, and their users
/// that stop then.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    mut visit: impl FnMut(u32, UserSums) -> StoreResult<()>,
) -> StoreResult<()> {
    let is_any_unended = connection
        .prepare_cached(&format!("SELECT 1 {UNENDED} LIMIT 1"))?
        .exists([scope.run])?;
    if !is_any_unended {
        return Ok(());
    }
    let completeness: Option<String> = connection
        .prepare_cached("SELECT completeness FROM runs WHERE run = ?1")?
        .query_row([scope.run], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(completeness) = completeness else {
        return Ok(());
    };
    let completeness: Completeness = from_json(&completeness)?;
    let gaps = completeness.gaps().iter();
    let ends: HashMap<&str, u32> = gaps
        .filter(|gap| matches!(gap.cause, GapCause::AgentLost | GapCause::AgentRestarted))
        .filter_map(|gap| Some((gap.agent.as_deref()?, gap.since_second)))
        .filter(|(agent, _)| scope.agent.as_ref().is_none_or(|only| only == agent))
        .collect();
    if ends.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT name, max(progress.saved_until, last_change), users {UNENDED}"
    ))?;
    let mut rows = statement.query([scope.run])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        // Late results may have come since it was given up, and some of seconds that are not whole yet.
        let saved_until: u32 = row.get(1)?;
        let users = UserSums {
            stopped: from_sql(row.get(2)?),
            ..UserSums::default()
        };
        if let Some(since) = ends.get(name.as_str()) {
            let second = saved_until.max(*since);
            if seconds.contains(&second) {
                visit(second, users)?;
            }
        }
    }
    Ok(())
}
