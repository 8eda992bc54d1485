//! Which agents run a test, and why none can.

use greylag_infra::protocol::ScenarioInfo;
use greylag_infra::{
    AgentView, LoadTest, LoadTestErrors, MisfitError, Registry, RunAgent, deal_workers,
};

use crate::store::StoreError;

/// Most runs at once on one coordinator.
pub(super) const MAX_RUNS_AT_ONCE: usize = 100;

/// Why a run cannot start. Each is one sentence for the user.
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
    NobodyThere(String),
    #[error("scenario `{scenario}` is unknown on agent `{agent}`; {known}")]
    UnknownScenario {
        scenario: String,
        agent: String,
        known: String,
    },
    #[error("{MAX_RUNS_AT_ONCE} runs are going on already; that is the most at once")]
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

/// Deals the workers of a test over the connected agents of its infrastructure, by name in turn. Agents
/// beyond the number of workers take no part.
pub(super) fn choose_agents(test: &LoadTest, registry: &Registry) -> Result<Chosen, StartRefused> {
    let connected = registry.connected_agents(&test.infrastructure);
    let has_shape = test.declared.is_none()
        && connected
            .iter()
            .flatten()
            .filter_map(|agent| scenario_of(test, agent))
            .any(|scenario| scenario.has_shape);
    let mut warnings = if has_shape {
        test.check_with_shape()?;
        Vec::new()
    } else {
        test.check()?;
        test.warnings()
    };
    let connected = connected.ok_or_else(|| StartRefused::UnknownInfrastructure {
        name: test.infrastructure.clone(),
        known: known_names(
            registry
                .view()
                .iter()
                .map(|infrastructure| infrastructure.name.as_str()),
            "infrastructures",
        ),
    })?;
    if connected.is_empty() {
        return Err(StartRefused::NobodyThere(test.infrastructure.clone()));
    }
    let dealt = deal_workers(test.workers, connected.len());
    let chosen: Vec<(&AgentView, Vec<u32>)> = connected
        .into_iter()
        .zip(dealt)
        .filter(|(_, workers)| !workers.is_empty())
        .collect();
    if test.declared.is_some() {
        test.check_fits_declared()?;
    } else {
        let agents = chosen.iter().map(|(agent, _)| *agent);
        warnings.extend(check_scenarios(test, agents)?);
    }
    let agents = chosen
        .into_iter()
        .map(|(agent, workers)| RunAgent {
            id: agent.id.clone(),
            name: agent.name.clone(),
            workers,
            last_seq: 0,
            end: None,
        })
        .collect();
    Ok(Chosen { agents, warnings })
}

fn scenario_of<'a>(test: &LoadTest, agent: &'a AgentView) -> Option<&'a ScenarioInfo> {
    let mut scenarios = agent.scenarios.iter();
    scenarios.find(|scenario| scenario.name == test.scenario)
}

/// Checks that each agent has the scenario and that the test fits it there.
fn check_scenarios<'a>(
    test: &LoadTest,
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
                warnings.extend(test.too_few_to_deal(scenario));
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

fn known_names<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> String {
    let names: Vec<_> = names.take(20).collect();
    if names.is_empty() {
        format!("there are no {what} yet")
    } else {
        format!("the {what} there are: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greylag_infra::protocol::{Hello, PROTOCOL_VERSION};

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
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                agent_id: format!("id-{name}"),
                name: (*name).into(),
                infrastructure: "lab".into(),
                version: "0".into(),
                cores: 2,
                scenarios: vec![scenario.clone()],
                runs: vec![],
            };
            registry.join(&hello, 0).unwrap();
        }
        registry
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
    fn workers_are_dealt_over_the_agents() {
        let chosen = choose_agents(&test("lab", "shop", 3), &registry(&["b", "a"])).unwrap();
        let dealt: Vec<_> = chosen
            .agents
            .iter()
            .map(|a| (a.name.as_str(), a.workers.clone()))
            .collect();
        assert_eq!(dealt, [("a", vec![0, 2]), ("b", vec![1])]);
        let chosen = choose_agents(&test("lab", "shop", 1), &registry(&["b", "a"])).unwrap();
        assert_eq!(
            chosen.agents.len(),
            1,
            "an agent without a worker takes no part"
        );
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let registry = registry(&["a"]);
        for (test, words) in [
            (
                test("nowhere", "shop", 1),
                "the infrastructures there are: empty, lab",
            ),
            (
                test("empty", "shop", 1),
                "greylag agent --coordinator URL --infrastructure empty",
            ),
            (test("lab", "nothing", 1), "the scenarios there are: shop"),
            (test("lab", "shop", 0), "workers is 0"),
        ] {
            let message = choose_agents(&test, &registry).unwrap_err().to_string();
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
        assert!(choose_agents(&without, &registry(&["a"])).is_err());
        let registry = registry_of(&[("a", shaped)]);
        assert!(choose_agents(&without, &registry).is_ok());
    }

    #[test]
    fn what_does_not_fit_the_scenario_is_refused_and_different_ones_are_told() {
        let tagged = |tags: &[&str]| ScenarioInfo {
            name: "shop".into(),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            ..ScenarioInfo::default()
        };
        let registry = registry_of(&[("a", tagged(&["api", "old"])), ("b", tagged(&["api"]))]);
        let mut test = test("lab", "shop", 2);
        let warnings = choose_agents(&test, &registry).unwrap().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].contains("agents a and b have different versions"),
            "{warnings:?}"
        );
        test.selection.tags = vec!["api".into()];
        assert!(choose_agents(&test, &registry).is_ok());
        test.selection.tags = vec!["old".into()];
        let message = choose_agents(&test, &registry).unwrap_err().to_string();
        assert!(message.contains("no task with tag `old`"), "{message}");
    }
}
