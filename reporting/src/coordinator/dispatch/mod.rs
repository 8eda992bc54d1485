//! Which agents run a test, and why none can.

#[cfg(test)]
mod tests;

use greylag_infra::protocol::ScenarioInfo;
use greylag_infra::{
    AgentView, BuildInfo, InfrastructureError, LoadTest, LoadTestErrors, MisfitError, Registry,
    RunAgent, RunId, StartTerms, UserTypeWeight, builds_of, describe_builds, distribute_workers,
    workers_by_cores,
};

use super::shipping::check_can_run;
use crate::builds::BuildError;
use crate::store::StoreError;

/// Most runs at once on one coordinator.
pub(super) const MAX_RUNS_AT_ONCE: usize = 100;

/// Why a run cannot start. Each is a message for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StartRefused {
    #[error(transparent)]
    Invalid(#[from] LoadTestErrors),
    #[error(transparent)]
    Misfit(#[from] MisfitError),
    #[error(
        "the baseline `{0}` was not found; give the id of a run, TEST#NUMBER, TEST#pinned or TEST, or leave it out for the newest pinned run of the test"
    )]
    UnknownBaseline(String),
    #[error("infrastructure `{name}` was not found; {known}")]
    UnknownInfrastructure { name: String, known: String },
    #[error(
        "no agent is connected to infrastructure `{0}`; start one with `greylag agent --coordinator URL --infrastructure {0}`"
    )]
    NoAgentConnected(String),
    #[error("scenario `{scenario}` is unknown on agent `{agent}`; {known}")]
    UnknownScenario {
        scenario: String,
        agent: String,
        known: String,
    },
    #[error(
        "the agents run different builds, so their users may not do the same: {0}; start all agents from one build, or allow it with --allow-mixed-builds (in the API: allow_mixed_builds)"
    )]
    MixedBuilds(String),
    #[error(
        "the agents run different versions of Greylag: {0}; install one version, or allow it with --allow-mixed-builds (in the API: allow_mixed_builds)"
    )]
    MixedVersions(String),
    #[error(
        "this command line is build {ours}, but {theirs}: they would run their own version of scenario `{scenario}`; start the agents from this build, or allow it with --allow-mixed-builds (in the API: allow_mixed_builds)"
    )]
    OtherBuild {
        ours: String,
        theirs: String,
        scenario: String,
    },
    #[error(
        "this coordinator does not accept uploaded builds; start it with --accept-uploads, or start the agents from the program that is to run"
    )]
    UploadsOff,
    #[error(
        "agent {agents} does not run uploaded builds; start it with --accept-uploads, or from build {build}"
    )]
    UploadsRefused { agents: String, build: String },
    #[error(
        "agent {agents} is of a version of Greylag that gives build {build} no data files; update it"
    )]
    DataRefused { agents: String, build: String },
    #[error(
        "agent {agent} runs on {theirs}, but build {build} is for {ours}; build it for the agents with `cargo build --release --target {target}` and start the run from that program"
    )]
    OtherPlatform {
        agent: String,
        theirs: String,
        ours: String,
        build: String,
        target: String,
    },
    #[error(
        "agent {agent} is of Greylag {theirs} and cannot run workers of build {build}, which is of Greylag {ours}: their protocols differ; build the program with the agents' version, or update the agents"
    )]
    OtherWorkerProtocol {
        agent: String,
        theirs: String,
        ours: String,
        build: String,
    },
    #[error("build {build} has no scenario `{scenario}`; its program lists them with `scenarios`")]
    NotInBuild { scenario: String, build: String },
    #[error(transparent)]
    Build(BuildError),
    #[error(transparent)]
    Infrastructure(#[from] InfrastructureError),
    #[error("{MAX_RUNS_AT_ONCE} runs are already in progress or waiting, the maximum")]
    TooManyRuns,
    #[error("the run cannot be saved; the coordinator's log says why")]
    Store(#[source] StoreError),
    #[error("the coordinator is shutting down")]
    ShuttingDown,
}

/// Who runs a test, and what to tell about it in the run's log.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) agents: Vec<RunAgent>,
    pub(super) warnings: Vec<String>,
}

/// Distributes the workers of a test over the connected agents of its infrastructure, by name in turn, and by cores
/// where it asks for one per core. Agents beyond the number of workers take no part, and those of machines that were
/// asked for another run neither.
pub(super) fn choose_agents(
    run: &RunId,
    test: &LoadTest,
    registry: &Registry,
    terms: &StartTerms,
) -> Result<Chosen, StartRefused> {
    let connected = registry.free_agents(&test.infrastructure, run);
    let has_shape = connected
        .iter()
        .flatten()
        .filter_map(|agent| scenario_of(test, agent))
        .any(|scenario| scenario.has_shape);
    test.check_for_scenario(has_shape)?;
    let most_workers = test.most_workers(has_shape);
    let mut warnings = if test.follows_shape(has_shape) {
        Vec::new()
    } else {
        test.warnings()
    };
    let connected = connected.ok_or_else(|| StartRefused::UnknownInfrastructure {
        name: test.infrastructure.clone(),
        known: known_names(registry.names(), "infrastructures"),
    })?;
    let most_agents = usize::try_from(test.fleet.agents.most()).unwrap_or(usize::MAX);
    let connected: Vec<&AgentView> = connected.into_iter().take(most_agents).collect();
    if connected.is_empty() {
        return Err(StartRefused::NoAgentConnected(test.infrastructure.clone()));
    }
    let distributed = if test.auto_workers {
        let cores: Vec<u32> = connected.iter().map(|agent| agent.cores).collect();
        workers_by_cores(&cores, most_workers)
    } else {
        distribute_workers(test.workers, connected.len())
    };
    let free = connected.len();
    let chosen: Vec<(&AgentView, Vec<u32>)> = connected
        .into_iter()
        .zip(distributed)
        .filter(|(_, workers)| !workers.is_empty())
        .collect();
    warnings.extend(too_few_workers(test, chosen.len(), free));
    if test.declared.is_some() {
        test.check_fits_declared()?;
    } else {
        let agents = chosen.iter().map(|(agent, _)| *agent);
        warnings.extend(check_scenarios(test, agents)?);
    }
    let views: Vec<&AgentView> = chosen.iter().map(|(agent, _)| *agent).collect();
    match test.build.as_deref() {
        Some(shipped) => check_can_run(&views, shipped.into())?,
        None => warnings.extend(check_builds(test, &views, terms)?),
    }
    // What runs is what counts, whatever the agent itself is.
    let shipped = test.build.as_ref().map(|shipped| shipped.build());
    let agents = chosen
        .into_iter()
        .map(|(agent, workers)| RunAgent {
            id: agent.id.clone(),
            name: agent.name.clone(),
            build: shipped.clone().unwrap_or_else(|| agent.build.clone()),
            workers,
            last_seq: 0,
            saved_until: 0,
            end: None,
        })
        .collect();
    Ok(Chosen { agents, warnings })
}

/// The warning where free agents take no part, because the workers are fewer than the agents.
fn too_few_workers(test: &LoadTest, chosen: usize, free: usize) -> Option<String> {
    if chosen >= free {
        return None;
    }
    let why = match test.auto_workers {
        true => "there is at most one worker per user".to_owned(),
        false => format!(
            "workers is {}; `auto`, or at least {free}, uses all of them",
            test.workers
        ),
    };
    Some(format!("only {chosen} of {free} agents take part: {why}"))
}

/// The scenario of a test as an agent will run it.
fn scenario_of<'a>(test: &'a LoadTest, agent: &'a AgentView) -> Option<&'a ScenarioInfo> {
    if let Some(shipped) = &test.build {
        return Some(&shipped.scenario.info);
    }
    let mut scenarios = agent.scenarios.iter();
    scenarios.find(|scenario| scenario.name == test.scenario)
}

/// The user types that users are taken from, if the agents' scenario alone says it.
pub(super) fn user_type_weights(
    test: &LoadTest,
    agents: &[RunAgent],
    registry: &Registry,
) -> Option<Vec<UserTypeWeight>> {
    let agent = registry.agent(&agents.first()?.id)?;
    test.user_type_weights(scenario_of(test, agent)?)
}

/// Checks that each agent has the scenario and that the test fits it there.
fn check_scenarios<'a>(
    test: &'a LoadTest,
    agents: impl Iterator<Item = &'a AgentView>,
) -> Result<Vec<String>, StartRefused> {
    let mut first: Option<(&AgentView, &ScenarioInfo)> = None;
    let mut warnings = Vec::new();
    for agent in agents {
        let Some(scenario) = scenario_of(test, agent) else {
            return Err(StartRefused::UnknownScenario {
                scenario: test.scenario.chars().take(60).collect(),
                agent: agent.name.clone(),
                known: known_names(
                    agent
                        .scenarios
                        .iter()
                        .map(|scenario| scenario.name.as_str()),
                    "scenarios",
                ),
            });
        };
        test.check_fits(scenario)?;
        match first {
            None => {
                first = Some((agent, scenario));
                warnings.extend(test.fixed_counts_warning(scenario));
            }
            Some((other, known)) if known != scenario => warnings.push(format!(
                "agents {} and {} have different versions of scenario `{}`: their users may not do the same; start all agents from one build",
                other.name, agent.name, scenario.name
            )),
            Some(_) => {}
        }
    }
    Ok(warnings)
}

/// Checks that all agents run the same code, and the code that whoever asks means. The users of a compiled-in
/// scenario are those of a build; declared requests are the same for all builds of one version of Greylag.
/// Returns what is different and allowed.
fn check_builds(
    test: &LoadTest,
    agents: &[&AgentView],
    terms: &StartTerms,
) -> Result<Vec<String>, StartRefused> {
    let builds = builds_of(
        agents
            .iter()
            .map(|agent| (agent.name.as_str(), &agent.build)),
    );
    let mut warnings = Vec::new();
    let is_declared = test.declared.is_some();
    let first = agents.first().map(|agent| &agent.build);
    let mixed = agents.iter().any(|agent| {
        let same = |first: &BuildInfo| match is_declared {
            true => first.version == agent.build.version,
            false => first.sha256 == agent.build.sha256,
        };
        !first.is_none_or(same)
    });
    if mixed {
        let named = describe_builds(&builds);
        if !terms.allow_mixed_builds {
            return Err(match is_declared {
                true => StartRefused::MixedVersions(named),
                false => StartRefused::MixedBuilds(named),
            });
        }
        warnings.push(format!(
            "different builds are allowed in this run, so users may not all do the same: {named}"
        ));
    }
    let Some(ours) = terms.client_build.as_ref().filter(|_| !is_declared) else {
        return Ok(warnings);
    };
    let others: Vec<_> = builds
        .into_iter()
        .filter(|(theirs, _)| theirs.sha256 != ours.sha256)
        .collect();
    let Some((theirs, _)) = others.first() else {
        return Ok(warnings);
    };
    // A program for another platform is another file although it is made of the same source: that can only
    // be a warning.
    let is_comparable = theirs.platform == ours.platform || theirs.is_unknown();
    let (ours, theirs) = (ours.to_string(), describe_builds(&others));
    if is_comparable && !terms.allow_mixed_builds {
        return Err(StartRefused::OtherBuild {
            ours,
            theirs,
            scenario: test.scenario.clone(),
        });
    }
    warnings.push(format!(
        "the run was started by build {ours}, but {theirs}; what runs is the agents' version of scenario `{}`",
        test.scenario
    ));
    Ok(warnings)
}

fn known_names<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> String {
    let names: Vec<_> = names.take(20).collect();
    if names.is_empty() {
        format!("no {what} yet")
    } else {
        format!("available {what}: {}", names.join(", "))
    }
}
