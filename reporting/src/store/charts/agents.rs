//! Users and requests of each agent over run time.

use std::collections::BTreeSet;

use greylag_infra::RunRecord;
use rusqlite::Transaction;

use super::{Chart, ChartData, ChartSteps, find, greatest};
use crate::plain_text::plain_text;
use crate::store::error::StoreResult;
use crate::store::integers::from_sql;
use crate::store::scope::{RowScope, Scope};
use crate::store::scope_rows::{self, Part, Requests, Wanted, users_before};

/// What is shown of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Users that are active when a step begins.
    Users,
    /// Requests of a step.
    Requests,
}

impl What {
    pub(super) fn of(chart: Chart) -> Self {
        match chart {
            Chart::AgentUsers => Self::Users,
            _ => Self::Requests,
        }
    }
}

/// A line for each agent of a scope.
pub(super) fn read(
    connection: &Transaction<'_>,
    run: &RunRecord,
    scope: &Scope,
    what: What,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let agents: BTreeSet<&str> = run
        .agents
        .iter()
        .map(|agent| agent.name.as_str())
        .filter(|name| scope.agent.as_deref().is_none_or(|only| only == *name))
        .collect();
    let rows = |_: &RowScope| Ok(u32::try_from(run.agents.len()).unwrap_or(u32::MAX));
    let (all, steps) = find(connection, &run.id, scope, rows, steps)?;
    let mut counts = Vec::with_capacity(agents.len());
    for agent in agents {
        let of_agent = Scope {
            agent: Some(agent.to_owned()),
            ..scope.clone()
        };
        let mut scope = RowScope::find(connection, &run.id, &of_agent)?;
        // The same seconds of each, so that lines add up to all requests.
        scope.left_out.clone_from(&all.left_out);
        let mut requests = vec![0_u64; steps.len()];
        let mut changes = vec![0_i64; steps.len()];
        let wanted = match what {
            What::Users => Wanted {
                users: true,
                ..Wanted::default()
            },
            What::Requests => Wanted {
                requests: Requests::Counts,
                ..Wanted::default()
            },
        };
        let seconds = steps.seconds();
        scope_rows::visit(
            connection,
            &scope,
            seconds,
            steps.width(),
            wanted,
            |second, part| {
                match part {
                    Part::Users(users) => {
                        let change = &mut changes[steps.at(second)];
                        *change = change.saturating_add(users.change());
                    }
                    Part::Counts { requests: more, .. } => {
                        let sum = &mut requests[steps.at(second)];
                        *sum = sum.saturating_add(more);
                    }
                    Part::OfEndpoint { .. } | Part::Interval { .. } | Part::Errors { .. } => {}
                }
                Ok(())
            },
        )?;
        if what == What::Users {
            let mut users = users_before(connection, &scope, steps.seconds().start)?;
            for (active, change) in requests.iter_mut().zip(changes) {
                *active = from_sql(users);
                users = users.saturating_add(change);
            }
        }
        counts.push((plain_text(agent), requests));
    }
    Ok(steps.chart(greatest(counts)))
}
