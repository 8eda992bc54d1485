//! Which agents run a test, and why none can.

use greylag_infra::protocol::ScenarioInfo;
use greylag_infra::{
    AgentView, BuildInfo, InfrastructureError, LoadTest, LoadTestErrors, MisfitError, Registry,
    RunAgent, StartTerms, UserTypeWeight, builds_of, describe_builds, distribute_workers,
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
    #[error("there is no infrastructure named `{name}`; {known}")]
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
/// where it asks for one per core. Agents beyond the number of workers take no part.
pub(super) fn choose_agents(
    test: &LoadTest,
    registry: &Registry,
    terms: &StartTerms,
) -> Result<Chosen, StartRefused> {
    let connected = registry.free_agents(&test.infrastructure);
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
    let chosen: Vec<(&AgentView, Vec<u32>)> = connected
        .into_iter()
        .zip(distributed)
        .filter(|(_, workers)| !workers.is_empty())
        .collect();
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

/// How many workers these agents have.
pub(super) fn worker_count(agents: &[RunAgent]) -> u32 {
    let workers: usize = agents.iter().map(|agent| agent.workers.len()).sum();
    u32::try_from(workers).unwrap_or(u32::MAX)
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
        format!("there are no {what} yet")
    } else {
        format!("available {what}: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greylag_infra::protocol::{Hello, PROTOCOL_VERSION};
    use greylag_infra::{AgentSecret, DeclaredRequest, DeclaredScenario, WallTime, WorkerCount};

    fn registry(agents: &[&str]) -> Registry {
        let shop = ScenarioInfo {
            name: "shop".into(),
            ..ScenarioInfo::default()
        };
        let with_shop: Vec<_> = agents.iter().map(|name| (*name, shop.clone())).collect();
        registry_of(&with_shop)
    }

    fn registry_of(agents: &[(&str, ScenarioInfo)]) -> Registry {
        let mut registry = Registry::default();
        registry.create("empty").unwrap();
        for (name, scenario) in agents {
            let hello = hello_of(name, scenario.clone());
            registry.join(&hello, WallTime::default()).unwrap();
        }
        registry
    }

    fn hello_of(name: &str, scenario: ScenarioInfo) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            secret: AgentSecret::new(name),
            name: name.into(),
            infrastructure: "lab".into(),
            version: "0".into(),
            build: BuildInfo::default(),
            worker_protocol: None,
            cores: 2,
            once: false,
            scenarios: vec![scenario],
            runs: vec![],
        }
    }

    fn choose(test: &LoadTest, registry: &Registry) -> Result<Chosen, StartRefused> {
        choose_agents(test, registry, &StartTerms::default())
    }

    fn test(infrastructure: &str, scenario: &str, workers: u32) -> LoadTest {
        LoadTest {
            name: "t".into(),
            host: "http://127.0.0.1".into(),
            users: 10,
            ramp_up_s: 0,
            duration_s: 10,
            workers,
            infrastructure: infrastructure.into(),
            scenario: scenario.into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        }
    }

    #[test]
    fn workers_are_distributed_over_the_agents() {
        let chosen = choose(&test("lab", "shop", 3), &registry(&["b", "a"])).unwrap();
        let distributed: Vec<_> = chosen
            .agents
            .iter()
            .map(|a| (a.name.as_str(), a.workers.clone()))
            .collect();
        assert_eq!(distributed, [("a", vec![0, 2]), ("b", vec![1])]);
        let chosen = choose(&test("lab", "shop", 1), &registry(&["b", "a"])).unwrap();
        assert_eq!(
            chosen.agents.len(),
            1,
            "an agent without a worker takes no part"
        );
    }

    #[test]
    fn one_worker_per_core_is_distributed_by_the_agents_cores() {
        let shop = ScenarioInfo {
            name: "shop".into(),
            ..ScenarioInfo::default()
        };
        let mut registry = Registry::default();
        for (name, cores) in [("a", 1), ("b", 4), ("c", 2)] {
            let hello = Hello {
                cores,
                ..hello_of(name, shop.clone())
            };
            registry.join(&hello, WallTime::default()).unwrap();
        }
        let auto = |users| LoadTest {
            users,
            ..test("lab", "shop", 1).with_workers(WorkerCount::Auto)
        };
        let counts = |test: &LoadTest| -> Vec<usize> {
            let agents = choose(test, &registry).unwrap().agents;
            agents.iter().map(|agent| agent.workers.len()).collect()
        };
        assert_eq!(counts(&auto(100)), [1, 4, 2]);
        assert_eq!(counts(&auto(5)), [1, 2, 2], "at most one for each user");
        assert_eq!(counts(&auto(2)), [1, 1]);
        assert_eq!(counts(&test("lab", "shop", 6)), [2, 2, 2], "in turn");
        assert_eq!(
            worker_count(&choose(&auto(100), &registry).unwrap().agents),
            7
        );
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let registry = registry(&["a"]);
        for (test, words) in [
            (
                test("nowhere", "shop", 1),
                "available infrastructures: empty, lab",
            ),
            (
                test("empty", "shop", 1),
                "greylag agent --coordinator URL --infrastructure empty",
            ),
            (test("lab", "nothing", 1), "available scenarios: shop"),
            (
                test("lab", "shop", 0),
                "workers must be between 1 and 20000, got 0",
            ),
        ] {
            let message = choose(&test, &registry).unwrap_err().to_string();
            assert!(
                message.contains(words),
                "{message:?} should contain {words:?}"
            );
        }
    }

    #[test]
    fn a_scenario_with_a_load_shape_needs_neither_users_nor_duration() {
        let shaped = ScenarioInfo {
            name: "shop".into(),
            has_shape: true,
            ..ScenarioInfo::default()
        };
        let without = LoadTest {
            users: 0,
            duration_s: 0,
            ..test("lab", "shop", 2)
        };
        assert!(choose(&without, &registry(&["a"])).is_err());
        let registry = registry_of(&[("a", shaped)]);
        assert!(choose(&without, &registry).is_ok());
    }

    #[test]
    fn a_load_shape_that_is_not_followed_leaves_the_warnings() {
        let shaped = ScenarioInfo {
            name: "shop".into(),
            has_shape: true,
            ..ScenarioInfo::default()
        };
        let registry = registry_of(&[("a", shaped)]);
        let follows = LoadTest {
            ramp_up_s: 20,
            ..test("lab", "shop", 1)
        };
        assert!(choose(&follows, &registry).unwrap().warnings.is_empty());
        let rate = LoadTest {
            arrival_rate: Some(40.0),
            ..follows
        };
        let warnings = choose(&rate, &registry).unwrap().warnings;
        assert!(warnings[0].contains("20.0 iterations"), "{warnings:?}");
    }

    #[test]
    fn what_does_not_fit_the_scenario_is_refused_and_different_ones_are_named() {
        let tagged = |tags: &[&str]| ScenarioInfo {
            name: "shop".into(),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            ..ScenarioInfo::default()
        };
        let registry = registry_of(&[("a", tagged(&["api", "old"])), ("b", tagged(&["api"]))]);
        let mut test = test("lab", "shop", 2);
        let warnings = choose(&test, &registry).unwrap().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].contains("agents a and b have different versions"),
            "{warnings:?}"
        );
        test.selection.tags = vec!["api".into()];
        assert!(choose(&test, &registry).is_ok());
        test.selection.tags = vec!["old".into()];
        let message = choose(&test, &registry).unwrap_err().to_string();
        assert!(message.contains("no task with tag `old`"), "{message}");
    }

    /// A registry of agents that have scenario `shop`, with these builds: name, digit of the hash, version.
    fn built(agents: &[(&str, &str, &str)]) -> Registry {
        let mut registry = Registry::default();
        for (name, digit, version) in agents {
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                secret: AgentSecret::new(*name),
                name: (*name).into(),
                infrastructure: "lab".into(),
                version: (*version).into(),
                build: build(digit, version),
                worker_protocol: None,
                cores: 2,
                once: false,
                scenarios: vec![ScenarioInfo {
                    name: "shop".into(),
                    ..ScenarioInfo::default()
                }],
                runs: vec![],
            };
            registry.join(&hello, WallTime::default()).unwrap();
        }
        registry
    }

    fn build(digit: &str, version: &str) -> BuildInfo {
        BuildInfo {
            sha256: digit.repeat(64),
            version: version.into(),
            platform: "p".into(),
        }
    }

    fn allowed() -> StartTerms {
        StartTerms {
            allow_mixed_builds: true,
            client_build: None,
        }
    }

    #[test]
    fn different_builds_are_refused_unless_allowed() {
        let registry = built(&[("a", "1", "0"), ("b", "2", "0"), ("c", "1", "0")]);
        let of_three = test("lab", "shop", 3);
        let message = choose(&of_three, &registry).unwrap_err().to_string();
        for words in [
            "agents a and c run build 111111111111 (Greylag 0), agent b runs build 222222222222",
            "--allow-mixed-builds",
        ] {
            assert!(message.contains(words), "{message}");
        }
        let mixed = choose_agents(&of_three, &registry, &allowed()).unwrap();
        assert_eq!(mixed.warnings.len(), 1, "{:?}", mixed.warnings);
        assert_eq!(mixed.agents[1].build, build("2", "0"));
        // An agent without a worker may be what it likes.
        assert!(choose(&test("lab", "shop", 1), &registry).is_ok());
        // One that does not say its build is not known to be the same.
        let unsaid = built(&[("a", "1", "0"), ("b", "", "0")]);
        let message = choose(&test("lab", "shop", 2), &unsaid)
            .unwrap_err()
            .to_string();
        assert!(message.contains("agent b runs build unknown"), "{message}");
    }

    #[test]
    fn declared_requests_need_one_version_and_not_one_build() {
        let declared = LoadTest {
            declared: Some(DeclaredScenario {
                requests: vec![DeclaredRequest {
                    method: "GET".into(),
                    path: "/".into(),
                    weight: 1,
                    name: None,
                    headers: Vec::new(),
                    body: None,
                    expect_status: None,
                    expect_body: None,
                }],
                wait_time: None,
            }),
            ..test("lab", "declared", 2)
        };
        let same = built(&[("a", "1", "0.1.0"), ("b", "2", "0.1.0")]);
        assert!(choose(&declared, &same).unwrap().warnings.is_empty());
        let other = built(&[("a", "1", "0.1.0"), ("b", "2", "0.2.0")]);
        let message = choose(&declared, &other).unwrap_err().to_string();
        assert!(
            message.contains("different versions of Greylag"),
            "{message}"
        );
        assert!(choose_agents(&declared, &other, &allowed()).is_ok());
    }

    #[test]
    fn agents_run_the_build_that_asks_for_it() {
        let registry = built(&[("a", "1", "0")]);
        let asked = |build: BuildInfo, allow_mixed_builds| {
            let terms = StartTerms {
                allow_mixed_builds,
                client_build: Some(build),
            };
            choose_agents(&test("lab", "shop", 1), &registry, &terms)
        };
        assert!(asked(build("1", "0"), false).unwrap().warnings.is_empty());
        let message = asked(build("2", "0"), false).unwrap_err().to_string();
        for words in [
            "this command line is build 222222222222 (Greylag 0), but agent a runs build 111111111111",
            "scenario `shop`",
            "--allow-mixed-builds",
        ] {
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(asked(build("2", "0"), true).unwrap().warnings.len(), 1);
        // A laptop of another kind cannot have the same file.
        let elsewhere = BuildInfo {
            platform: "other".into(),
            ..build("2", "0")
        };
        let warnings = asked(elsewhere, false).unwrap().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].contains("the agents' version of scenario `shop`"),
            "{warnings:?}"
        );
    }
}
