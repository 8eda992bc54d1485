//! What is wrong right now beside the numbers of a run: agents that are not heard, a store that cannot save, a
//! coordinator that is behind.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use greylag_infra::{AgentId, InfrastructureView, RunRecord, SILENT_AFTER, WallTime, micros};
use serde::Serialize;
use utoipa::ToSchema;

use crate::coordinator::Coordinator;
use crate::results::page_text;

/// How old what is not saved may be before the page says that the coordinator is behind, in µs.
const BEHIND_AFTER_US: u64 = 3_000_000;
/// How long an agent may be away while the store cannot save: it is disconnected for that and comes back.
const AWAY_WHILE_FAILING: Duration = Duration::from_secs(15);

/// Most agents that are not heard of which each has a notice; of more there is one notice about all.
const MAX_UNHEARD_LISTED: usize = 10;
/// How many of those it names.
const MAX_UNHEARD_NAMED: usize = 3;

/// One thing that is wrong now, and gone from the page when it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveNotice {
    /// What, for programs: `agent_unheard`, `not_saving`, `behind` or `disk_nearly_full`.
    pub kind: &'static str,
    /// The same for people.
    pub message: String,
}

/// The agents of a run that are not heard, by name, each with when it was heard last.
pub(crate) type UnheardAgents = BTreeMap<String, WallTime>;

/// The agents that should be heard now and are not; none once the run is over.
pub(crate) fn unheard_agents(
    coordinator: &Coordinator,
    run: &RunRecord,
    infrastructures: &[InfrastructureView],
    now: WallTime,
) -> UnheardAgents {
    if run.phase.is_over() {
        return UnheardAgents::new();
    }
    let tolerated = match coordinator.saving_fails() {
        Some(_) => AWAY_WHILE_FAILING,
        None => SILENT_AFTER,
    };
    let heard: HashMap<&AgentId, WallTime> = infrastructures
        .iter()
        .flat_map(|known| &known.agents)
        .map(|agent| (&agent.id, agent.last_heard))
        .collect();
    // One that is not known has not come back since the coordinator started.
    let last_heard = |id: &AgentId| heard.get(id).copied().unwrap_or(coordinator.started_at());
    run.agents
        .iter()
        .filter(|agent| agent.end.is_none())
        .map(|agent| (agent.name.clone(), last_heard(&agent.id)))
        .filter(|(_, heard)| now - *heard >= tolerated)
        .collect()
}

/// What is wrong with a run now.
pub(crate) fn notices_of_run(
    coordinator: &Coordinator,
    run: &RunRecord,
    unheard: &UnheardAgents,
    infrastructures: &[InfrastructureView],
    now: WallTime,
) -> Vec<LiveNotice> {
    if run.phase.is_over() {
        return Vec::new();
    }
    // What is missing of those that are given up is said with the counts.
    let unheard: Vec<(&str, WallTime)> = unheard
        .iter()
        .filter(|(name, _)| !run.completeness.is_given_up(name))
        .map(|(name, heard)| (name.as_str(), *heard))
        .collect();
    let mut notices = notices_of_unheard(&unheard, coordinator.lease(), now);
    let agents: HashSet<&AgentId> = run.agents.iter().map(|agent| &agent.id).collect();
    notices.extend(notices_of_store(
        coordinator,
        infrastructures,
        |id| agents.contains(id),
        now,
    ));
    notices
}

/// One notice about each agent, or one about all of them if there are many.
fn notices_of_unheard(
    unheard: &[(&str, WallTime)],
    lease: Duration,
    now: WallTime,
) -> Vec<LiveNotice> {
    let lease_s = lease.as_secs_f64();
    let notice = |message: String| LiveNotice {
        kind: "agent_unheard",
        message,
    };
    if unheard.len() <= MAX_UNHEARD_LISTED {
        let each = unheard.iter().map(|(name, heard)| {
            notice(format!(
                "Nothing heard from {name} for {} s. Its users are not counted as active; it counts as lost after {lease_s} s.",
                (now - *heard).as_secs()
            ))
        });
        return each.collect();
    }
    let named: Vec<&str> = unheard.iter().map(|(name, _)| *name).collect();
    let (named, others) = named.split_at(MAX_UNHEARD_NAMED);
    let longest = unheard.iter().map(|(_, heard)| now - *heard).max();
    vec![notice(format!(
        "Nothing heard from {} and {} other agents for up to {} s. Their users are not counted as active; an agent counts as lost after {lease_s} s.",
        named.join(", "),
        page_text::count(others.len() as u64),
        longest.unwrap_or_default().as_secs()
    ))]
}

/// What is wrong with the coordinator and its store now, whatever runs.
pub(crate) fn notices_of_coordinator(
    coordinator: &Coordinator,
    infrastructures: &[InfrastructureView],
    now: WallTime,
) -> Vec<LiveNotice> {
    notices_of_store(coordinator, infrastructures, |_| true, now)
}

fn notices_of_store(
    coordinator: &Coordinator,
    infrastructures: &[InfrastructureView],
    counts: impl Fn(&AgentId) -> bool,
    now: WallTime,
) -> Vec<LiveNotice> {
    let mut notices = notices_of_saving(coordinator, infrastructures, counts, now);
    if let Some(free) = coordinator.store().disk_nearly_full() {
        notices.push(LiveNotice {
            kind: "disk_nearly_full",
            message: format!(
                "The results disk is nearly full: {} MiB left. Free some space or delete runs.",
                page_text::count(free >> 20)
            ),
        });
    }
    notices
}

fn notices_of_saving(
    coordinator: &Coordinator,
    infrastructures: &[InfrastructureView],
    counts: impl Fn(&AgentId) -> bool,
    now: WallTime,
) -> Vec<LiveNotice> {
    if let Some(fails) = coordinator.saving_fails() {
        return vec![LiveNotice {
            kind: "not_saving",
            message: format!(
                "The store cannot save: {}. Results have not been saved since {} UTC; agents keep theirs and send them again.",
                fails.cause,
                page_text::time_of_day(fails.since)
            ),
        }];
    }
    let agents = infrastructures.iter().flat_map(|known| &known.agents);
    let unsaved_us = agents
        .filter(|agent| counts(&agent.id))
        .map(|agent| agent.unsaved_us)
        .chain(coordinator.saving_since().map(|since| micros(now - since)))
        .max()
        .unwrap_or(0);
    if unsaved_us < BEHIND_AFTER_US {
        return Vec::new();
    }
    vec![LiveNotice {
        kind: "behind",
        message: format!(
            "The coordinator is {} s behind: results arrive or are saved more slowly than they are produced.",
            unsaved_us / 1_000_000
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_unheard_agents_are_one_notice() {
        let now = WallTime::from_micros(100_000_000);
        let names: Vec<String> = (0..1_000).map(|number| format!("agent-{number}")).collect();
        let unheard: Vec<(&str, WallTime)> = names
            .iter()
            .zip(1..)
            .map(|(name, number)| (name.as_str(), WallTime::from_micros(number * 50_000)))
            .collect();
        let messages = |unheard| -> Vec<String> {
            let notices = notices_of_unheard(unheard, Duration::from_secs(30), now);
            notices.into_iter().map(|notice| notice.message).collect()
        };
        assert_eq!(messages(&unheard[..10]).len(), 10);
        assert_eq!(
            messages(&unheard),
            [
                "Nothing heard from agent-0, agent-1, agent-2 and 997 other agents for up to 99 s. Their users are not counted as active; an agent counts as lost after 30 s."
            ]
        );
    }
}
