//! Which agents run a test, and why none can.

use greylag_infra::{AgentView, LoadTest, LoadTestError, Registry, RunAgent, deal_workers};

use crate::store::StoreError;

/// Most runs at once on one coordinator.
pub(super) const MAX_RUNS_AT_ONCE: usize = 100;

/// Why a run cannot start. Each is one sentence for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StartRefused {
    #[error(transparent)]
    Invalid(#[from] LoadTestError),
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

/// Deals the workers of a test over the connected agents of its infrastructure, by name in turn. Agents
/// beyond the number of workers take no part.
pub(super) fn choose_agents(
    test: &LoadTest,
    registry: &Registry,
) -> Result<Vec<RunAgent>, StartRefused> {
    test.check()?;
    let connected = registry
        .connected_agents(&test.infrastructure)
        .ok_or_else(|| StartRefused::UnknownInfrastructure {
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
    if test.declared.is_none() {
        for (agent, _) in &chosen {
            if !agent
                .scenarios
                .iter()
                .any(|scenario| scenario.name == test.scenario)
            {
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
            }
        }
    }
    Ok(chosen
        .into_iter()
        .map(|(agent, workers)| RunAgent {
            id: agent.id.clone(),
            name: agent.name.clone(),
            workers,
            last_seq: 0,
            end: None,
        })
        .collect())
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
    use greylag_infra::protocol::{Hello, PROTOCOL_VERSION, ScenarioInfo};

    fn registry(agents: &[&str]) -> Registry {
        let mut registry = Registry::default();
        registry.create("empty").unwrap();
        for name in agents {
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                agent_id: format!("id-{name}"),
                name: (*name).into(),
                infrastructure: "lab".into(),
                version: "0".into(),
                cores: 2,
                scenarios: vec![ScenarioInfo {
                    name: "shop".into(),
                    description: String::new(),
                    ..ScenarioInfo::default()
                }],
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
        let agents = choose_agents(&test("lab", "shop", 3), &registry(&["b", "a"])).unwrap();
        let dealt: Vec<_> = agents
            .iter()
            .map(|a| (a.name.as_str(), a.workers.clone()))
            .collect();
        assert_eq!(dealt, [("a", vec![0, 2]), ("b", vec![1])]);
        let agents = choose_agents(&test("lab", "shop", 1), &registry(&["b", "a"])).unwrap();
        assert_eq!(agents.len(), 1, "an agent without a worker takes no part");
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
}
