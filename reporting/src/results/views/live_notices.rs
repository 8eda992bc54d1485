//! What is wrong right now beside the numbers of a run: agents that are not heard, a store that cannot save, a
//! coordinator that is behind.

use std::collections::BTreeMap;
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
    let last_heard = |id: &AgentId| {
        let mut agents = infrastructures.iter().flat_map(|known| &known.agents);
        // One that is not known has not come back since the coordinator started.
        agents
            .find(|agent| agent.id == *id)
            .map_or(coordinator.started_at(), |agent| agent.last_heard)
    };
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
    let lease_s = coordinator.lease().as_secs_f64();
    let mut notices: Vec<LiveNotice> = unheard
        .iter()
        // What is missing of those is said with the counts.
        .filter(|(name, _)| !run.completeness.is_given_up(name))
        .map(|(name, heard)| LiveNotice {
            kind: "agent_unheard",
            message: format!(
                "Nothing heard from {name} for {} s. Its users are not counted as active; it counts as lost after {lease_s} s.",
                (now - *heard).as_secs()
            ),
        })
        .collect();
    let takes_part = |id: &AgentId| run.agents.iter().any(|agent| agent.id == *id);
    notices.extend(notices_of_store(
        coordinator,
        infrastructures,
        takes_part,
        now,
    ));
    notices
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
