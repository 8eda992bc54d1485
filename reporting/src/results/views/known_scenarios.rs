//! What the agents that have been here say about their scenarios.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use greylag_infra::protocol::{OptionInfo, ScenarioInfo};
use greylag_infra::{ConnectionStatus, InfrastructureView, LoadTest};

use crate::results::views::front_view::{OptionRow, ScenarioRow};

/// About how many bytes of scenarios the pages offer: they are in every front page. Others are started by their name.
const MAX_OFFERED_BYTES: usize = 2 * 1024 * 1024;
/// Most scenarios named in a message.
const MAX_NAMED: usize = 20;

/// Scenarios of all connected agents, in the order of their builds: the first of an infrastructure is the one that
/// `run` takes there without a name. Agents that say the same of one share a row. Of an infrastructure without agents, which
/// may be made for a run, those by name that `latest` tests were started with there.
pub(crate) fn offered<'a>(
    infrastructures: &[InfrastructureView],
    latest: impl IntoIterator<Item = &'a LoadTest>,
) -> Vec<ScenarioRow> {
    let mut rows = declared(infrastructures);
    let has_agents = |name: &str| {
        let known = infrastructures.iter().find(|known| known.name == name);
        known.is_none_or(|known| connected(known).next().is_some())
    };
    let mut earlier: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for test in latest {
        let infrastructure = test.infrastructure.as_str();
        if test.declared.is_none() && !test.scenario.is_empty() && !has_agents(infrastructure) {
            earlier
                .entry(&test.scenario)
                .or_default()
                .insert(infrastructure);
        }
    }
    rows.extend(earlier.into_iter().map(|(name, infrastructures)| {
        let name = name.to_owned();
        let infrastructures = infrastructures.into_iter().map(str::to_owned).collect();
        ScenarioRow {
            name,
            infrastructures,
            ..ScenarioRow::default()
        }
    }));
    rows
}

fn declared(infrastructures: &[InfrastructureView]) -> Vec<ScenarioRow> {
    let mut known: Vec<(&ScenarioInfo, Vec<&str>)> = Vec::new();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut bytes = 0;
    for (infrastructure, scenario) in everywhere(infrastructures) {
        let of_name = by_name.entry(&scenario.name).or_default();
        let same = of_name.iter().find(|index| known[**index].0 == scenario);
        let index = same.copied().unwrap_or_else(|| {
            of_name.push(known.len());
            known.push((scenario, Vec::new()));
            bytes += scenario.memory_bytes();
            known.len() - 1
        });
        let names = &mut known[index].1;
        if names.last() != Some(&infrastructure.name.as_str()) {
            names.push(&infrastructure.name);
            bytes += infrastructure.name.len();
        }
        if bytes > MAX_OFFERED_BYTES {
            break;
        }
    }
    known
        .into_iter()
        .map(|(scenario, names)| scenario_row(scenario, names))
        .collect()
}

/// What is connected, with the infrastructure it is in.
fn everywhere(
    infrastructures: &[InfrastructureView],
) -> impl Iterator<Item = (&InfrastructureView, &ScenarioInfo)> {
    infrastructures.iter().flat_map(|infrastructure| {
        connected(infrastructure).map(move |scenario| (infrastructure, scenario))
    })
}

fn scenario_row(scenario: &ScenarioInfo, infrastructures: Vec<&str>) -> ScenarioRow {
    let user_types = scenario.user_types.iter();
    ScenarioRow {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        infrastructures: infrastructures.into_iter().map(str::to_owned).collect(),
        user_types: user_types.map(|user_type| user_type.name.clone()).collect(),
        tags: scenario.tags.clone(),
        has_shape: scenario.has_shape,
        has_hosts: scenario.has_hosts(),
        options: scenario.options.iter().map(option_row).collect(),
    }
}

/// No scenario is named where there are several: which of them runs against a host must not be left to chance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario is missing; available on infrastructure `{infrastructure}`: {available}")]
pub(crate) struct ScenarioMissing {
    infrastructure: String,
    available: String,
}

/// The scenario that is meant: of this name, or without a name the only one that connected agents of this
/// infrastructure have. None if they have none (of this name).
///
/// # Errors
/// No name is given and there are several.
pub(crate) fn meant<'a>(
    infrastructures: &'a [InfrastructureView],
    infrastructure: &str,
    scenario: Option<&str>,
) -> Result<Option<&'a ScenarioInfo>, ScenarioMissing> {
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
        let mut available: Vec<&str> = by_name.keys().copied().take(MAX_NAMED).collect();
        if by_name.len() > MAX_NAMED {
            available.push("…");
        }
        return Err(ScenarioMissing {
            infrastructure: infrastructure.to_owned(),
            available: available.join(", "),
        });
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
/// is secret. What no agent here declares any more (after a restart of the coordinator, say) is not shown.
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
