//! Which part of a run a number is about.

use std::ops::Range;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::{StoreResult, UnknownAgentName, UnknownEndpoint};
use super::health_rows::saturated;
use super::live::{LastSeconds, last_seconds};
use super::run_rows::key_of;
use crate::measure::interval::{Outcome, Outcomes};
use crate::measure::seconds::Seconds;
use crate::measure::windows::{LEVELS, width};

/// Which part of a run a number is about. The whole run is the default.
///
/// Users, iterations of an arrival rate, log lines and workers belong to no endpoint and have no outcome: these leave them
/// as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Only these seconds of run time.
    pub window: Option<Window>,
    /// Only requests to this endpoint.
    pub endpoint: Option<Endpoint>,
    /// Only what the agent of this name measured.
    pub agent: Option<String>,
    /// Only requests that ended so, and of errors those of failed requests and tasks. Requests that an earlier version
    /// counted together with others from which they cannot be distinguished are not in it.
    pub outcome: Option<Outcome>,
    /// Without the seconds in which the load generator was saturated: a worker of the agent, or any.
    pub without_saturated: bool,
}

/// Seconds of run time, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    from: u32,
    to: u32,
}

/// A window has no seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("from must be less than to: [{from}, {to}) has no seconds")]
pub struct EmptyWindow {
    from: u32,
    to: u32,
}

impl Window {
    /// The seconds of `[from, to)`.
    ///
    /// # Errors
    /// There are none.
    pub fn new(from: u32, to: u32) -> Result<Self, EmptyWindow> {
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(EmptyWindow { from, to })
        }
    }

    /// First second.
    pub fn from(self) -> u32 {
        self.from
    }

    /// End, exclusive; `u32::MAX` is the end of the run.
    pub fn to(self) -> u32 {
        self.to
    }
}

impl Scope {
    /// The whole run in these seconds.
    pub fn of_window(window: Window) -> Self {
        Self {
            window: Some(window),
            ..Self::default()
        }
    }

    /// The same of all endpoints, agents and outcomes, for what knows none of these.
    pub(super) fn seconds_only(&self) -> Self {
        Self {
            window: self.window,
            without_saturated: self.without_saturated,
            ..Self::default()
        }
    }

    /// Whether it is the whole run.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// How many seconds of a run that has been going for `elapsed_s` it is about, without these.
    pub(crate) fn elapsed_s(&self, elapsed_s: f64, left_out: &Seconds) -> f64 {
        let Range { start, end } = self.seconds();
        let (start, end) = (f64::from(start), elapsed_s.min(f64::from(end)));
        (end - start - left_out.time_within(start, end)).max(0.0)
    }

    /// The seconds that it is about, of a run that may have any.
    pub(super) fn seconds(&self) -> Range<u32> {
        self.window
            .map_or(0..u32::MAX, |window| window.from..window.to)
    }
}

/// Of rows with an agent those in a scope: ?5 is the agent's name or NULL.
pub(super) const AGENT: &str =
    "(?5 IS NULL OR agent IN (SELECT agent FROM run_agents WHERE run = ?1 AND name = ?5))";

/// A scope in terms of rows.
#[derive(Debug, Clone)]
pub(super) struct RowScope {
    /// Row number of the run.
    pub(super) run: i64,
    /// First second.
    pub(super) from: u32,
    /// End, exclusive, at most the second after the run's last one.
    pub(super) to: u32,
    /// The same for rows of levels that are kept up with level 0: nothing is stored behind the run's last second, so
    /// that the longest row that holds it is read instead of many short ones.
    pub(super) rolled_to: u32,
    /// End that was asked for, exclusive; `u32::MAX` is the end of the run, whenever that comes.
    pub(super) asked_to: u32,
    /// Only requests of tasks with this tag, of which nothing but requests is known; no endpoint, agent and outcome then.
    pub(super) tag: Option<String>,
    /// Number of the endpoint.
    pub(super) endpoint: Option<i64>,
    /// Name of the agent.
    pub(super) agent: Option<String>,
    /// Seconds of it that are left out.
    pub(super) left_out: Seconds,
    /// The second by which the rows of longer stretches of agents were made.
    pub(super) rolled_by: Option<u32>,
    /// How requests ended.
    pub(super) outcome: Option<Outcome>,
    /// Whether successful and failed requests may be mixed in some rows of the run.
    pub(super) may_be_mixed: bool,
    /// Numbers of the agents of that name, where they are not the only ones.
    agents: Vec<i64>,
    /// Whether rows of single agents are among those of all agents together, as earlier versions saved them.
    has_agent_rows: bool,
}

impl RowScope {
    /// Looks up what a scope names.
    pub(super) fn find(
        connection: &Connection,
        run_id: &RunId,
        scope: &Scope,
    ) -> StoreResult<Self> {
        let run = key_of(connection, run_id)?;
        let LastSeconds {
            last_second,
            rolled_by,
        } = last_seconds(connection, run)?;
        let end = last_second.map_or(0, |last| last.saturating_add(1));
        let seconds = scope.seconds();
        let mut endpoint = None;
        if let Some(wanted) = &scope.endpoint {
            endpoint = endpoint_number(connection, run, wanted)?;
            if endpoint.is_none() {
                return Err(UnknownEndpoint(format!("{} {}", wanted.method, wanted.name)).into());
            }
        }
        let mut agents = Vec::new();
        if let Some(agent) = &scope.agent {
            agents = agents_of_name(connection, run, agent)?;
            if agents.is_empty() {
                return Err(UnknownAgentName(agent.clone()).into());
            }
            if is_only_agent(connection, run)? {
                agents.clear();
            }
        }
        let (from, to) = (seconds.start.min(end), seconds.end.min(end));
        let left_out = if scope.without_saturated {
            saturated::read(connection, run, &agents, from..to)?
        } else {
            Seconds::default()
        };
        Ok(Self {
            run,
            from,
            to,
            left_out,
            asked_to: seconds.end,
            rolled_to: if seconds.end >= end {
                end.checked_next_multiple_of(width(LEVELS - 1))
                    .unwrap_or(u32::MAX)
            } else {
                seconds.end
            },
            tag: None,
            endpoint,
            agent: scope.agent.clone(),
            rolled_by,
            outcome: scope.outcome,
            may_be_mixed: may_be_mixed(connection, run)?,
            has_agent_rows: !agents.is_empty() && has_agent_rows(connection, run)?,
            agents,
        })
    }

    /// The same of the requests of tasks with a tag only, where one is given.
    pub(super) fn of_tag(self, tag: Option<String>) -> Self {
        Self { tag, ..self }
    }

    /// The same with another outcome.
    pub(super) fn with_outcome(&self, outcome: Option<Outcome>) -> Self {
        Self {
            outcome,
            ..self.clone()
        }
    }

    /// Whether rows of all endpoints and agents together can be read, which say how many requests failed.
    pub(super) fn has_no_filter(&self) -> bool {
        let has_outcomes = self.outcome.is_none() || !self.may_be_mixed;
        self.endpoint.is_none() && self.agents.is_empty() && has_outcomes
    }

    /// Whether requests of which so many failed are in it, all of them.
    pub(super) fn has_outcome(&self, requests: u64, failures: u64) -> bool {
        let outcomes = Outcomes::of(requests, failures);
        self.outcome.is_none_or(|outcome| outcomes.are(outcome))
    }

    /// Of requests of all outcomes, and how many of them failed, those in it.
    pub(super) fn part_of(&self, (requests, failures): (u64, u64)) -> (u64, u64) {
        match self.outcome {
            None => (requests, failures),
            Some(Outcome::Ok) => (requests.saturating_sub(failures), 0),
            Some(Outcome::Failed) => (failures, failures),
        }
    }

    /// Whether errors are in it.
    pub(super) fn has_errors(&self) -> bool {
        self.outcome != Some(Outcome::Ok)
    }

    /// Whether an endpoint is in it.
    pub(super) fn has_endpoint(&self, number: i64) -> bool {
        self.endpoint.is_none_or(|only| only == number)
    }

    /// Numbers of the agents whose results are meant, where those are not the results of all.
    pub(super) fn agents(&self) -> &[i64] {
        &self.agents
    }

    /// Their name, likewise: the only agent of a run has all of its results, also those that no agent is kept with.
    pub(super) fn agent_filter(&self) -> Option<&str> {
        self.agent.as_deref().filter(|_| !self.agents.is_empty())
    }

    /// Whether anything of it is in the rows of all agents together.
    pub(super) fn is_in_common_rows(&self) -> bool {
        self.agents.is_empty() || self.has_agent_rows
    }

    /// Whether there are no seconds.
    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.to
    }
}

fn endpoint_number(
    connection: &Connection,
    run: i64,
    endpoint: &Endpoint,
) -> StoreResult<Option<i64>> {
    Ok(connection
        .prepare_cached(
            "SELECT endpoint FROM endpoints WHERE run = ?1 AND method = ?2 AND name = ?3",
        )?
        .query_row(params![run, endpoint.method, endpoint.name], |row| {
            row.get(0)
        })
        .optional()?)
}

fn agents_of_name(connection: &Connection, run: i64, name: &str) -> StoreResult<Vec<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT agent FROM run_agents WHERE run = ?1 AND name = ?2")?;
    let numbers = statement.query_map(params![run, name], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

fn has_agent_rows(connection: &Connection, run: i64) -> StoreResult<bool> {
    Ok(connection
        .prepare_cached("SELECT has_agent_rows FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}

/// Whether successful and failed requests may be mixed in some rows of a run, as earlier versions counted them.
fn may_be_mixed(connection: &Connection, run: i64) -> StoreResult<bool> {
    Ok(connection
        .prepare_cached("SELECT may_be_mixed FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}

/// Whether a run has one agent.
pub(super) fn is_only_agent(connection: &Connection, run: i64) -> StoreResult<bool> {
    Ok(connection
        .prepare_cached("SELECT count(*) = 1 FROM run_agents WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}
