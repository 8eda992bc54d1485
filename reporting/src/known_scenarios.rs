//! What the agents that have been here say about their scenarios.

use std::collections::BTreeMap;

use greylag_infra::protocol::{OptionInfo, ScenarioInfo};
use greylag_infra::{ConnectionStatus, InfrastructureView};

use crate::front_view::{OptionRow, ScenarioRow};

/// About how many bytes of scenarios the pages offer: they are in every front page. Others are started by their name.
const MAX_OFFERED_BYTES: usize = 2 * 1024 * 1024;

/// Scenarios of all connected agents, by name. Of several of one name the first agent's counts.
pub(crate) fn offered(infrastructures: &[InfrastructureView]) -> Vec<ScenarioRow> {
    let mut rows: BTreeMap<&str, ScenarioRow> = BTreeMap::new();
    let mut bytes = 0;
    for infrastructure in infrastructures {
        for scenario in connected(infrastructure) {
            if rows.contains_key(scenario.name.as_str()) {
                continue;
            }
            bytes += scenario.memory_bytes();
            if bytes > MAX_OFFERED_BYTES {
                return rows.into_values().collect();
            }
            rows.entry(&scenario.name).or_insert_with(|| ScenarioRow {
                name: scenario.name.clone(),
                description: scenario.description.clone(),
                user_types: scenario
                    .user_types
                    .iter()
                    .map(|user_type| user_type.name.clone())
                    .collect(),
                tags: scenario.tags.clone(),
                has_shape: scenario.has_shape,
                has_hosts: has_hosts(scenario),
                options: scenario.options.iter().map(option_row).collect(),
            });
        }
    }
    rows.into_values().collect()
}

/// The scenario that is meant: of this name, or without a name the only one that connected agents of this
/// infrastructure have. None if they have none (of this name).
///
/// # Errors
/// A message, when no name is given and there are several: which of them runs against somebody's host must not be
/// left to chance.
pub(crate) fn meant<'a>(
    infrastructures: &'a [InfrastructureView],
    infrastructure: &str,
    scenario: Option<&str>,
) -> Result<Option<&'a ScenarioInfo>, String> {
    /// Scenarios that are named.
    const MAX_NAMED: usize = 20;
    let mut connected = infrastructures
        .iter()
        .filter(|known| known.name == infrastructure)
        .flat_map(connected);
    if let Some(name) = scenario {
        return Ok(connected.find(|known| known.name == name));
    }
    let by_name: BTreeMap<&str, &ScenarioInfo> = connected
        .map(|scenario| (scenario.name.as_str(), scenario))
        .collect();
    if by_name.len() > 1 {
        let mut names: Vec<&str> = by_name.keys().copied().take(MAX_NAMED).collect();
        if by_name.len() > MAX_NAMED {
            names.push("…");
        }
        return Err(format!(
            "scenario is missing; available on infrastructure `{infrastructure}`: {}",
            names.join(", ")
        ));
    }
    Ok(by_name.into_values().next())
}

/// Whether a scenario has a load shape of its own, as far as any agent has said.
pub(crate) fn has_shape(
    infrastructures: &[InfrastructureView],
    infrastructure: &str,
    scenario: &str,
) -> bool {
    every(infrastructures, infrastructure, scenario).any(|known| known.has_shape)
}

/// Whether an option's value may be shown: some agent of the infrastructure declares it, and none says that it
/// is secret. What nobody here knows any more (after a restart of the coordinator, say) is not shown.
pub(crate) fn is_public(
    infrastructures: &[InfrastructureView],
    infrastructure: &str,
    scenario: &str,
    option: &str,
) -> bool {
    let mut declared = every(infrastructures, infrastructure, scenario)
        .flat_map(|known| &known.options)
        .filter(|known| known.name == option)
        .peekable();
    declared.peek().is_some() && declared.all(|known| !known.secret)
}

/// What every agent of this infrastructure, connected or not, says about a scenario.
fn every<'a>(
    infrastructures: &'a [InfrastructureView],
    infrastructure: &str,
    scenario: &str,
) -> impl Iterator<Item = &'a ScenarioInfo> {
    infrastructures
        .iter()
        .filter(move |known| known.name == infrastructure)
        .flat_map(|known| &known.agents)
        .flat_map(|agent| &agent.scenarios)
        .filter(move |known| known.name == scenario)
}

/// What agents that are there have, heard just now or not.
fn connected(infrastructure: &InfrastructureView) -> impl Iterator<Item = &ScenarioInfo> {
    infrastructure
        .agents
        .iter()
        .filter(|agent| agent.status != ConnectionStatus::Disconnected)
        .flat_map(|agent| &agent.scenarios)
}

/// Whether every user type brings a host, so that the test need not name one.
fn has_hosts(scenario: &ScenarioInfo) -> bool {
    !scenario.user_types.is_empty()
        && scenario
            .user_types
            .iter()
            .all(|user_type| user_type.host.is_some())
}

fn option_row(option: &OptionInfo) -> OptionRow {
    OptionRow {
        name: option.name.clone(),
        kind: option.kind.into(),
        // The default of a secret is a secret.
        default: if option.secret {
            String::new()
        } else {
            option.default.clone()
        },
        help: option.help.clone(),
        secret: option.secret,
        choices: if option.secret {
            Vec::new()
        } else {
            option.choices.clone()
        },
    }
}
