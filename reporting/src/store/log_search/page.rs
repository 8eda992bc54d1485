//! A page of a run's log.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use greylag_infra::RunId;
use rusqlite::{Connection, Row, params};

use super::filter::LogFilter;
use super::level::level_of;
use crate::api_types::LogRow;
use crate::plain_text::plain_text;
use crate::store::Scope;
use crate::store::error::StoreResult;
use crate::store::integers::{from_sql, time_from_sql, to_sql};
use crate::store::run_rows::key_of;
use crate::store::scope::RowScope;

/// Most lines that are looked at for one page.
const MAX_LOOKED_AT: u64 = 50_000;
/// Longest time that is spent on one page: regular expressions can be made to take their time.
const MAX_TIME: Duration = Duration::from_millis(300);
/// How many lines are looked at between two looks at the clock.
const LINES_BETWEEN: u64 = 64;

/// From which end lines are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogOrder {
    /// The first ones.
    First,
    /// The last ones.
    #[default]
    Last,
}

/// Between which positions, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// After this one; 0 is before the first line.
    pub after: u64,
    /// Before this one, if there is an end.
    pub before: Option<u64>,
    /// Of more lines than are wanted these.
    pub order: LogOrder,
    /// How many are wanted at most.
    pub limit: usize,
}

/// Some of the lines that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// In order.
    pub rows: Vec<LogRow>,
    /// Up to where was looked, if there is something beyond: `before` of the next page of the last lines, `after` of that of the first
    /// ones.
    pub more: Option<u64>,
}

/// What a filter means for the rows of one run.
struct Wanted<'a> {
    filter: &'a LogFilter,
    times_us: Range<i64>,
    agents: Option<BTreeSet<i64>>,
}

impl Wanted<'_> {
    /// The row, if it is wanted, fit to be shown.
    fn take(&self, row: &Row<'_>) -> rusqlite::Result<Option<LogRow>> {
        if !self.times_us.contains(&row.get(1)?) {
            return Ok(None);
        }
        if let Some(agents) = &self.agents {
            let agent: Option<i64> = row.get(4)?;
            if agent.is_none_or(|agent| !agents.contains(&agent)) {
                return Ok(None);
            }
        }
        let mut line = row_of(row)?;
        if !self.filter.takes(&line.source, &line.text) {
            return Ok(None);
        }
        if let Some(pattern) = &self.filter.pattern {
            line.matches = pattern.places_in(&line.text);
        }
        Ok(Some(line))
    }
}

/// A line of `seq, at_us, source, text`, fit to be shown.
pub(in crate::store) fn row_of(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let text = plain_text(row.get_ref(3)?.as_str()?);
    Ok(LogRow {
        seq: from_sql(row.get(0)?),
        at: time_from_sql(row.get(1)?),
        source: plain_text(row.get_ref(2)?.as_str()?),
        level: level_of(&text),
        text,
        matches: Vec::new(),
    })
}

/// A page of the lines that a filter takes.
pub(in crate::store) fn read_page(
    connection: &Connection,
    run_id: &RunId,
    filter: &LogFilter,
    range: LogRange,
) -> StoreResult<LogPage> {
    read_page_within(connection, run_id, filter, range, MAX_LOOKED_AT)
}

/// The same with another number of lines to look at.
pub(super) fn read_page_within(
    connection: &Connection,
    run_id: &RunId,
    filter: &LogFilter,
    range: LogRange,
    most_looked_at: u64,
) -> StoreResult<LogPage> {
    let Some((run, wanted)) = wanted(connection, run_id, filter)? else {
        return Ok(LogPage::default());
    };
    let order = match range.order {
        LogOrder::First => "ASC",
        LogOrder::Last => "DESC",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, at_us, source, text, agent FROM log
         WHERE run = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq {order}"
    ))?;
    let before = range.before.map_or(i64::MAX, to_sql);
    let mut found = statement.query(params![run, to_sql(range.after), before])?;
    let began = Instant::now();
    let mut page = LogPage::default();
    let mut looked_at = 0;
    while let Some(row) = found.next()? {
        // Another one is there: whether the page is full is asked here.
        let is_late = looked_at % LINES_BETWEEN == 0 && looked_at > 0 && began.elapsed() > MAX_TIME;
        if page.rows.len() >= range.limit || looked_at >= most_looked_at || is_late {
            let seq: u64 = from_sql(row.get(0)?);
            page.more = Some(match range.order {
                LogOrder::First => seq - 1,
                LogOrder::Last => seq + 1,
            });
            break;
        }
        looked_at += 1;
        page.rows.extend(wanted.take(row)?);
    }
    if range.order == LogOrder::Last {
        page.rows.reverse();
    }
    Ok(page)
}

/// The row number of the run, and what is wanted of it; nothing of a window of a run that has not begun.
fn wanted<'a>(
    connection: &Connection,
    run_id: &RunId,
    filter: &'a LogFilter,
) -> StoreResult<Option<(i64, Wanted<'a>)>> {
    let scope = RowScope::find(connection, run_id, &filter.scope)?;
    let Some(times_us) = times_us(connection, scope.run, &filter.scope)? else {
        return Ok(None);
    };
    let agents = match &scope.agent {
        Some(name) => {
            let mut statement = connection
                .prepare_cached("SELECT agent FROM run_agents WHERE run = ?1 AND name = ?2")?;
            let agents = statement.query_map(params![scope.run, name], |row| row.get(0))?;
            Some(agents.collect::<Result<_, _>>()?)
        }
        None => None,
    };
    let wanted = Wanted {
        filter,
        times_us,
        agents,
    };
    Ok(Some((scope.run, wanted)))
}

fn times_us(connection: &Connection, run: i64, scope: &Scope) -> StoreResult<Option<Range<i64>>> {
    if scope.window.is_none() {
        return Ok(Some(i64::MIN..i64::MAX));
    }
    let start_us = started_at_us(connection, run)?;
    let seconds = scope.seconds();
    Ok(start_us.map(|start_us| {
        let at = |second: u32| start_us.saturating_add(i64::from(second) * 1_000_000);
        at(seconds.start)..at(seconds.end)
    }))
}

fn started_at_us(connection: &Connection, run: i64) -> StoreResult<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT started_at_us FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}

/// The position after which lines of this run time begin, in µs; none of a run that has not begun. Lines are in the order in
/// which they were saved, which is that of their times but for what came late: it is as near as that allows.
pub(in crate::store) fn position_at(
    connection: &Connection,
    run_id: &RunId,
    run_time_us: u64,
) -> StoreResult<Option<u64>> {
    let run = key_of(connection, run_id)?;
    let Some(start_us) = started_at_us(connection, run)? else {
        return Ok(None);
    };
    let at_us = start_us.saturating_add(to_sql(run_time_us));
    let lines: i64 = connection
        .prepare_cached("SELECT log_lines FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    let mut statement =
        connection.prepare_cached("SELECT at_us < ?3 FROM log WHERE run = ?1 AND seq = ?2")?;
    let (mut before, mut end) = (0, lines + 1);
    while end - before > 1 {
        let middle = before + (end - before) / 2;
        match statement.query_row(params![run, middle, at_us], |row| row.get(0))? {
            true => before = middle,
            false => end = middle,
        }
    }
    Ok(Some(from_sql(before)))
}
