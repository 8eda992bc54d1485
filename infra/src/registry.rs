//! Registry of infrastructures and the agents in them.
//!
//! An infrastructure is Pending until its first agent comes, then Connected while at least one agent is
//! connected, else Disconnected. Agents are processes: one that is restarted is another agent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::load_test::MAX_OPTIONS;
use crate::protocol::{
    Hello, MAX_NAME_BYTES as MAX_TEXT_BYTES, OptionInfo, ScenarioInfo, UserTypeInfo, cut,
};

/// Most infrastructures of one coordinator.
pub const MAX_INFRASTRUCTURES: usize = 1_000;
/// Most agents kept per infrastructure; the longest disconnected are forgotten first.
pub const MAX_AGENTS: usize = 1_000;
/// Most scenarios kept of one agent.
const MAX_SCENARIOS: usize = 1_000;
/// Most user types, tags, or choices of an option kept of one scenario.
const MAX_SCENARIO_PARTS: usize = 1_000;
/// Longest name of an infrastructure or agent, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ConnectionStatus {
    /// Created; nobody came yet.
    Pending,
    /// At least one agent is connected.
    Connected,
    /// Agents were there and are gone.
    Disconnected,
}

impl ConnectionStatus {
    /// The word the page shows.
    pub fn word(self) -> &'static str {
        match self {
            ConnectionStatus::Pending => "Pending",
            ConnectionStatus::Connected => "Connected",
            ConnectionStatus::Disconnected => "Disconnected",
        }
    }
}

/// An infrastructure as others see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InfrastructureView {
    /// Its name.
    pub name: String,
    /// Whether somebody is there.
    pub status: ConnectionStatus,
    /// Its agents, by name.
    pub agents: Vec<AgentView>,
}

/// An agent as others see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentView {
    /// Identity of the process.
    pub id: String,
    /// Its name, unique among the connected ones of its infrastructure.
    pub name: String,
    /// Connected or Disconnected.
    pub status: ConnectionStatus,
    /// Last heartbeat, µs since 1970 on the coordinator's clock.
    pub last_heard_us: u64,
    /// Processors of its machine.
    pub cores: u32,
    /// Greylag's version there.
    pub version: String,
    /// Scenarios compiled into its binary.
    pub scenarios: Vec<ScenarioInfo>,
}

/// Why an infrastructure cannot be created or joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InfrastructureError {
    #[error(
        "`{0}` is no name for an infrastructure; use 1 to {MAX_NAME_BYTES} letters, digits, dots, dashes, underscores or spaces"
    )]
    Name(String),
    #[error("an infrastructure named `{0}` is there already")]
    Exists(String),
    #[error("there are {MAX_INFRASTRUCTURES} infrastructures already; that is the most")]
    TooMany,
    #[error("{MAX_AGENTS} agents are connected to infrastructure `{0}` already; that is the most")]
    TooManyAgents(String),
}

/// Checks the name of an infrastructure (or an agent).
///
/// # Errors
/// [`InfrastructureError::Name`].
pub fn check_infrastructure_name(name: &str) -> Result<(), InfrastructureError> {
    let valid = !name.trim().is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' '));
    if valid {
        Ok(())
    } else {
        Err(InfrastructureError::Name(name.chars().take(60).collect()))
    }
}

/// All infrastructures and agents of a coordinator.
#[derive(Debug, Default)]
pub struct Registry {
    infrastructures: BTreeMap<String, BTreeMap<String, AgentView>>,
}

impl Registry {
    /// A registry that knows these infrastructures, with nobody there yet.
    pub fn with_infrastructures(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            infrastructures: names
                .into_iter()
                .map(|name| (name, BTreeMap::new()))
                .collect(),
        }
    }

    /// Creates an infrastructure before its first agent comes.
    ///
    /// # Errors
    /// The name is bad or taken, or there are too many.
    pub fn create(&mut self, name: &str) -> Result<(), InfrastructureError> {
        check_infrastructure_name(name)?;
        if self.infrastructures.contains_key(name) {
            return Err(InfrastructureError::Exists(name.to_owned()));
        }
        if self.infrastructures.len() >= MAX_INFRASTRUCTURES {
            return Err(InfrastructureError::TooMany);
        }
        self.infrastructures
            .insert(name.to_owned(), BTreeMap::new());
        Ok(())
    }

    /// An agent connected (again). Returns its name here: as asked, or numbered when another connected agent
    /// has that name.
    ///
    /// # Errors
    /// The infrastructure's or agent's name is bad, or there are too many infrastructures or agents.
    pub fn join(&mut self, hello: &Hello, now_us: u64) -> Result<String, InfrastructureError> {
        check_infrastructure_name(&hello.name)?;
        match self.create(&hello.infrastructure) {
            Ok(()) | Err(InfrastructureError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        // The identity is one process's: it is in one infrastructure, the one it named last.
        for (name, agents) in &mut self.infrastructures {
            if *name != hello.infrastructure {
                agents.remove(&hello.agent_id);
            }
        }
        let agents = self
            .infrastructures
            .get_mut(&hello.infrastructure)
            .expect("the infrastructure was created above or is there already");
        let others: Vec<&AgentView> = agents
            .values()
            .filter(|agent| agent.id != hello.agent_id)
            .filter(|agent| agent.status == ConnectionStatus::Connected)
            .collect();
        if others.len() >= MAX_AGENTS {
            return Err(InfrastructureError::TooManyAgents(
                hello.infrastructure.clone(),
            ));
        }
        let taken: BTreeSet<&str> = others.iter().map(|agent| agent.name.as_str()).collect();
        let known = agents.get(&hello.agent_id).map(|agent| agent.name.clone());
        let name = known
            .into_iter()
            .chain(std::iter::once(hello.name.clone()))
            .chain((2..).map(|number| format!("{}-{number}", hello.name)))
            .find(|name| !taken.contains(name.as_str()))
            .expect("one of endlessly many numbered names is free");
        // Whoever came back under the same name as a new process replaces the old entry.
        agents.retain(|id, agent| *id == hello.agent_id || agent.name != name);
        agents.insert(
            hello.agent_id.clone(),
            AgentView {
                id: hello.agent_id.clone(),
                name: name.clone(),
                status: ConnectionStatus::Connected,
                last_heard_us: now_us,
                cores: hello.cores,
                version: cut(&hello.version, MAX_NAME_BYTES).into_owned(),
                scenarios: kept_scenarios(&hello.scenarios),
            },
        );
        while agents.len() > MAX_AGENTS {
            let oldest = agents
                .values()
                .filter(|agent| agent.status != ConnectionStatus::Connected)
                .min_by_key(|agent| agent.last_heard_us)
                .map(|agent| agent.id.clone());
            match oldest {
                Some(id) => agents.remove(&id),
                None => break,
            };
        }
        Ok(name)
    }

    /// An agent was heard. Unknown agents are ignored.
    pub fn heard(&mut self, agent_id: &str, now_us: u64) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.last_heard_us = now_us;
        }
    }

    /// An agent's connection ended. Unknown agents are ignored.
    pub fn left(&mut self, agent_id: &str) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.status = ConnectionStatus::Disconnected;
        }
    }

    /// The agent with this identity.
    pub fn agent(&self, agent_id: &str) -> Option<&AgentView> {
        self.infrastructures
            .values()
            .find_map(|agents| agents.get(agent_id))
    }

    /// The connected agents of an infrastructure by name, or none if there is no such infrastructure.
    pub fn connected_agents(&self, infrastructure: &str) -> Option<Vec<&AgentView>> {
        let agents = self.infrastructures.get(infrastructure)?;
        let mut connected: Vec<_> = agents
            .values()
            .filter(|agent| agent.status == ConnectionStatus::Connected)
            .collect();
        connected.sort_by(|a, b| a.name.cmp(&b.name));
        Some(connected)
    }

    /// Everything, by name.
    pub fn view(&self) -> Vec<InfrastructureView> {
        self.infrastructures
            .iter()
            .map(|(name, agents)| {
                let mut agents: Vec<_> = agents.values().cloned().collect();
                agents.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
                let status = if agents.is_empty() {
                    ConnectionStatus::Pending
                } else if agents
                    .iter()
                    .any(|agent| agent.status == ConnectionStatus::Connected)
                {
                    ConnectionStatus::Connected
                } else {
                    ConnectionStatus::Disconnected
                };
                InfrastructureView {
                    name: name.clone(),
                    status,
                    agents,
                }
            })
            .collect()
    }

    fn agent_mut(&mut self, agent_id: &str) -> Option<&mut AgentView> {
        self.infrastructures
            .values_mut()
            .find_map(|agents| agents.get_mut(agent_id))
    }
}

/// What is kept of the scenarios an agent names: a hello may be as large as a frame, and every page shows them.
fn kept_scenarios(named: &[ScenarioInfo]) -> Vec<ScenarioInfo> {
    let kept = named.iter().take(MAX_SCENARIOS);
    kept.map(|scenario| ScenarioInfo {
        name: kept_text(&scenario.name),
        description: kept_text(&scenario.description),
        user_types: kept_parts(&scenario.user_types, kept_user_type),
        tags: kept_parts(&scenario.tags, |tag| kept_text(tag)),
        options: scenario
            .options
            .iter()
            .take(MAX_OPTIONS)
            .map(kept_option)
            .collect(),
        has_shape: scenario.has_shape,
    })
    .collect()
}

fn kept_user_type(named: &UserTypeInfo) -> UserTypeInfo {
    UserTypeInfo {
        name: kept_text(&named.name),
        // What is no number is unequal to itself and would look like news for ever.
        weight: if named.weight.is_finite() {
            named.weight
        } else {
            0.0
        },
        fixed_count: named.fixed_count,
        host: named.host.as_deref().map(kept_text),
    }
}

fn kept_option(named: &OptionInfo) -> OptionInfo {
    OptionInfo {
        name: kept_text(&named.name),
        kind: named.kind,
        default: if named.secret {
            String::new()
        } else {
            kept_text(&named.default)
        },
        help: kept_text(&named.help),
        secret: named.secret,
        choices: kept_parts(&named.choices, |choice| kept_text(choice)),
    }
}

fn kept_parts<T, U>(named: &[T], keep: impl Fn(&T) -> U) -> Vec<U> {
    named.iter().take(MAX_SCENARIO_PARTS).map(keep).collect()
}

fn kept_text(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PROTOCOL_VERSION;

    fn hello(id: &str, name: &str, infrastructure: &str) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            agent_id: id.into(),
            name: name.into(),
            infrastructure: infrastructure.into(),
            version: "0".into(),
            cores: 2,
            scenarios: vec![],
            runs: vec![],
        }
    }

    #[test]
    fn an_infrastructure_is_pending_then_connected_then_disconnected() {
        let mut registry = Registry::default();
        registry.create("load").unwrap();
        assert_eq!(registry.view()[0].status, ConnectionStatus::Pending);
        registry.join(&hello("1", "a", "load"), 5).unwrap();
        assert_eq!(registry.view()[0].status, ConnectionStatus::Connected);
        registry.left("1");
        assert_eq!(registry.view()[0].status, ConnectionStatus::Disconnected);
        assert_eq!(registry.view()[0].agents[0].last_heard_us, 5);
        registry.join(&hello("1", "a", "load"), 9).unwrap();
        assert_eq!(registry.view()[0].status, ConnectionStatus::Connected);
    }

    #[test]
    fn two_agents_of_one_name_are_told_apart() {
        let mut registry = Registry::default();
        assert_eq!(registry.join(&hello("1", "a", "load"), 0).unwrap(), "a");
        assert_eq!(registry.join(&hello("2", "a", "load"), 0).unwrap(), "a-2");
        assert_eq!(
            registry.join(&hello("2", "a", "load"), 0).unwrap(),
            "a-2",
            "after a reconnect"
        );
        registry.left("1");
        assert_eq!(
            registry.join(&hello("3", "a", "load"), 0).unwrap(),
            "a",
            "the name is free again"
        );
        assert!(registry.agent("1").is_none(), "replaced by the new process");
        assert_eq!(registry.connected_agents("load").unwrap().len(), 2);
    }

    #[test]
    fn an_agent_that_names_another_infrastructure_is_in_that_one_only() {
        let mut registry = Registry::default();
        registry.join(&hello("1", "a", "load"), 0).unwrap();
        registry.join(&hello("1", "a", "other"), 0).unwrap();
        assert_eq!(registry.connected_agents("load").unwrap().len(), 0);
        registry.left("1");
        assert_eq!(registry.connected_agents("other").unwrap().len(), 0);
    }

    #[test]
    fn what_is_kept_of_a_hello_is_bounded() {
        let long = "x".repeat(2_000);
        let option = OptionInfo {
            name: long.clone(),
            default: long.clone(),
            help: long.clone(),
            choices: vec![long.clone(); 2],
            ..OptionInfo::default()
        };
        let user_type = UserTypeInfo {
            name: long.clone(),
            weight: f64::NAN,
            host: Some(long.clone()),
            ..UserTypeInfo::default()
        };
        let scenario = ScenarioInfo {
            name: long.clone(),
            description: long.clone(),
            options: vec![
                option.clone(),
                OptionInfo {
                    secret: true,
                    ..option
                },
            ],
            user_types: vec![user_type],
            tags: vec![long.clone()],
            has_shape: true,
        };
        let many = ScenarioInfo {
            options: vec![OptionInfo::default(); MAX_OPTIONS + 1],
            user_types: vec![UserTypeInfo::default(); MAX_SCENARIO_PARTS + 1],
            tags: vec![String::new(); MAX_SCENARIO_PARTS + 1],
            ..ScenarioInfo::default()
        };
        let greedy = Hello {
            version: long,
            scenarios: [many]
                .into_iter()
                .chain(vec![scenario; MAX_SCENARIOS])
                .collect(),
            ..hello("1", "a", "load")
        };
        let mut registry = Registry::default();
        registry.join(&greedy, 0).unwrap();
        let agent = registry.agent("1").unwrap();
        assert_eq!(agent.version.len(), MAX_NAME_BYTES);
        assert_eq!(agent.scenarios.len(), MAX_SCENARIOS);
        let many = &agent.scenarios[0];
        assert_eq!(
            (many.options.len(), many.user_types.len(), many.tags.len()),
            (MAX_OPTIONS, MAX_SCENARIO_PARTS, MAX_SCENARIO_PARTS)
        );
        let kept = &agent.scenarios[1];
        let (user_type, option) = (&kept.user_types[0], &kept.options[0]);
        for text in [
            &kept.name,
            &kept.description,
            &kept.tags[0],
            &user_type.name,
            user_type.host.as_ref().unwrap(),
            &option.name,
            &option.default,
            &option.help,
            &option.choices[1],
        ] {
            assert_eq!(text.len(), MAX_TEXT_BYTES);
        }
        assert_eq!(user_type.weight, 0.0, "what is no number is not kept");
        assert_eq!(kept.options[1].default, "", "a secret is not kept");
        assert!(kept.has_shape);
    }

    #[test]
    fn connected_agents_are_bounded_and_those_gone_make_room() {
        let mut registry = Registry::default();
        for number in 0..MAX_AGENTS {
            let id = number.to_string();
            registry
                .join(&hello(&id, &format!("a{id}"), "load"), 0)
                .unwrap();
        }
        let one_more = hello("more", "more", "load");
        assert!(registry.join(&one_more, 0).is_err());
        registry.left("7");
        assert_eq!(registry.join(&one_more, 1), Ok("more".into()));
        assert!(registry.agent("7").is_none());
        assert_eq!(registry.connected_agents("load").unwrap().len(), MAX_AGENTS);
    }

    #[test]
    fn bad_names_are_refused() {
        let mut registry = Registry::default();
        for name in ["", " ", "a/b", "<script>", &"x".repeat(101), "a\nb"] {
            assert!(registry.create(name).is_err(), "{name:?}");
            assert!(registry.join(&hello("1", "a", name), 0).is_err());
            assert!(registry.join(&hello("1", name, "load"), 0).is_err());
        }
        registry.create("load").ok();
        assert_eq!(
            registry.create("load"),
            Err(InfrastructureError::Exists("load".into()))
        );
        assert_eq!(registry.connected_agents("nowhere"), None);
    }
}
