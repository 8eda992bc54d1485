//! Registry of infrastructures and the agents in them.
//!
//! An infrastructure is Pending until its first agent comes, then Connected while at least one agent is
//! connected, else Disconnected. Agents are processes: one that is restarted is another agent.

mod admission;
mod names;
mod room;
mod scenario_list;
mod secret_options;
mod shares;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::base::{AgentId, BuildInfo, RunId, WallTime, cut};
use crate::protocol::{Hello, PING_INTERVAL_S};
pub use admission::Admission;
use names::MAX_NAME_BYTES;
pub use names::{InfrastructureError, check_infrastructure_name};
use room::Newcomer;
pub use scenario_list::ScenarioList;
pub use secret_options::SecretOption;
use secret_options::SecretOptions;
pub use shares::SharedBudget;

/// Most infrastructures of one coordinator.
pub const MAX_INFRASTRUCTURES: usize = 1_000;
/// Most agents kept. Those that are gone and take part in no active run are forgotten first, the longest unheard of them before others.
pub const MAX_AGENTS: usize = 10_000;
/// Most bytes of memory for the scenarios of all agents; those of agents that are gone make room first.
const MAX_SCENARIO_BYTES: usize = 64 * 1024 * 1024;
/// How long an infrastructure is kept that was only named by agents and in which nothing ran, after its last agent
/// was heard.
const STRANGER_KEPT: Duration = Duration::from_secs(600);
/// After so long without a ping a connected agent is shown as silent: its machine, its link or itself hangs.
pub const SILENT_AFTER: Duration = Duration::from_secs(3 * PING_INTERVAL_S);

/// Whether agents are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ConnectionStatus {
    /// Created; no agent has connected yet.
    Pending,
    /// At least one agent is connected.
    Connected,
    /// Agents are connected, and nothing is heard from any of them.
    Silent,
    /// Agents were there and are gone.
    Disconnected,
}

impl ConnectionStatus {
    /// The word the page shows.
    pub fn word(self) -> &'static str {
        match self {
            ConnectionStatus::Pending => "Pending",
            ConnectionStatus::Connected => "Connected",
            ConnectionStatus::Silent => "Silent",
            ConnectionStatus::Disconnected => "Disconnected",
        }
    }
}

/// An infrastructure as others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct InfrastructureView {
    /// Its name.
    pub name: String,
    /// Whether agents are connected.
    pub status: ConnectionStatus,
    /// Its agents, by name.
    pub agents: Vec<AgentView>,
}

impl InfrastructureView {
    /// Whether nothing changed but when agents were heard, and what they said then.
    pub fn is_same_but_for_heartbeats(&self, other: &Self) -> bool {
        self.name == other.name
            && self.status == other.status
            && self.agents.len() == other.agents.len()
            && self.agents.iter().zip(&other.agents).all(|(one, other)| {
                one.status == other.status
                    && (Arc::ptr_eq(&one.identity, &other.identity)
                        || one.identity == other.identity)
            })
    }
}

/// An agent as others see it. Copies share what does not change while it is connected.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    identity: Arc<AgentIdentity>,
    /// Connected, Silent or Disconnected.
    pub status: ConnectionStatus,
    /// When it connected, on the coordinator's clock.
    connected_at: WallTime,
    /// Last heartbeat, on the coordinator's clock.
    pub last_heard: WallTime,
    /// Whether it ends with the run that it takes part in, or has taken part in.
    pub is_spent: bool,
    /// Age of the oldest results that the agent has sent and that are not saved, in µs, at its last heartbeat.
    pub unsaved_us: u64,
}

/// Who an agent is, as it said when it connected.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentIdentity {
    /// Identity of the process; not shown.
    pub id: AgentId,
    /// Its name, unique among the connected ones of its infrastructure.
    pub name: String,
    /// Processors of its machine.
    pub cores: u32,
    /// Whether it takes part in one run only.
    pub once: bool,
    /// Greylag's version there.
    pub version: String,
    /// Which build it and its workers are.
    pub build: BuildInfo,
    /// Version of its protocol with workers, if it runs builds that are shipped to it.
    pub worker_protocol: Option<u32>,
    /// With what it was let in.
    pub admission: Admission,
    /// Whether it gives shipped builds their data files.
    pub takes_data: bool,
    /// Scenarios compiled into its binary; too many to be listed with every agent.
    pub scenarios: ScenarioList,
}

impl Deref for AgentView {
    type Target = AgentIdentity;

    fn deref(&self) -> &AgentIdentity {
        &self.identity
    }
}

impl AgentView {
    fn is_free_for(&self, run: &RunId) -> bool {
        let only = self.admission.run.as_ref();
        !self.is_spent && only.is_none_or(|only| only == run)
    }

    fn is_silent(&self, now: WallTime) -> bool {
        now - self.last_heard >= SILENT_AFTER
    }
}

/// How an agent joined its infrastructure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its name there.
    pub name: String,
    /// Identity of a process that had this name and is gone or silent: the agent is that one, started again.
    pub replaced: Option<AgentId>,
}

/// The agents that are connected and free for a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeAgents {
    /// How many they are.
    pub count: usize,
    /// How many of them were not made for this run.
    pub others: usize,
    /// When the last of them connected.
    pub last_came: WallTime,
}

/// All infrastructures and agents of a coordinator.
#[derive(Debug, Default)]
pub struct Registry {
    infrastructures: BTreeMap<String, BTreeMap<AgentId, AgentView>>,
    secret_options: SecretOptions,
    /// Those that were created on purpose or in which something ran. Others are forgotten some time after their
    /// last agent has gone.
    lasting: BTreeSet<String>,
}

impl Registry {
    /// A registry that knows these infrastructures, with no agents yet.
    pub fn with_infrastructures(names: impl IntoIterator<Item = String>) -> Self {
        let lasting: BTreeSet<String> = names.into_iter().collect();
        Self {
            infrastructures: lasting
                .iter()
                .map(|name| (name.clone(), BTreeMap::new()))
                .collect(),
            secret_options: SecretOptions::default(),
            lasting,
        }
    }

    /// The same, knowing that these options are secret.
    #[must_use]
    pub fn with_secret_options(mut self, known: impl IntoIterator<Item = SecretOption>) -> Self {
        self.secret_options = SecretOptions::of(known);
        self
    }

    /// Options that an agent declared as secret since this was last asked; they are to be saved.
    pub fn take_new_secret_options(&mut self) -> Vec<SecretOption> {
        self.secret_options.take_new()
    }

    /// These could not be saved; they are returned again when next asked.
    pub fn give_back_secret_options(&mut self, unsaved: Vec<SecretOption>) {
        self.secret_options.give_back(unsaved);
    }

    /// Creates an infrastructure before its first agent comes.
    ///
    /// # Errors
    /// The name is bad or taken, or there are too many.
    pub fn create(&mut self, name: &str) -> Result<(), InfrastructureError> {
        self.add(name)?;
        self.keep(name);
        Ok(())
    }

    /// Keeps an infrastructure for ever, because something ran there. Unknown ones are ignored.
    pub fn keep(&mut self, name: &str) {
        if self.infrastructures.contains_key(name) {
            self.lasting.insert(name.to_owned());
        }
    }

    /// Forgets the infrastructures that agents only named and left some time ago.
    pub fn forget_strangers(&mut self, now: WallTime) {
        let lasting = &self.lasting;
        self.infrastructures.retain(|name, agents| {
            lasting.contains(name)
                || agents.values().any(|agent| {
                    agent.status == ConnectionStatus::Connected
                        || now - agent.last_heard < STRANGER_KEPT
                })
        });
    }

    /// Forgets agents that are gone and were let in for one run only, if it is one of these.
    pub fn forget_gone_of_runs(&mut self, is_over: impl Fn(&RunId) -> bool) {
        for agents in self.infrastructures.values_mut() {
            agents.retain(|_, agent| {
                agent.status == ConnectionStatus::Connected
                    || !agent.admission.run.as_ref().is_some_and(&is_over)
            });
        }
    }

    fn add(&mut self, name: &str) -> Result<(), InfrastructureError> {
        check_infrastructure_name(name)?;
        if self.infrastructures.contains_key(name) {
            return Err(InfrastructureError::Exists(name.to_owned()));
        }
        if self.infrastructures.len() >= MAX_INFRASTRUCTURES {
            let oldest = self.oldest_deserted();
            self.infrastructures
                .remove(&oldest.ok_or(InfrastructureError::TooMany)?);
        }
        self.infrastructures
            .insert(name.to_owned(), BTreeMap::new());
        Ok(())
    }

    /// The infrastructure that makes room: of those that agents only named and left, the longest unheard.
    fn oldest_deserted(&self) -> Option<String> {
        let deserted = self.infrastructures.iter().filter(|(name, agents)| {
            !self.lasting.contains(*name)
                && agents
                    .values()
                    .all(|agent| agent.status != ConnectionStatus::Connected)
        });
        deserted
            .min_by_key(|(_, agents)| agents.values().map(|agent| agent.last_heard).max())
            .map(|(name, _)| name.clone())
    }

    /// An agent connected (again). Its name here is as asked, or numbered when another agent that is heard has that
    /// name.
    ///
    /// # Errors
    /// The infrastructure's or agent's name is bad, or there are too many infrastructures or agents.
    pub fn join(&mut self, hello: &Hello, now: WallTime) -> Result<Joined, InfrastructureError> {
        self.join_as(hello, Admission::default(), |_| false, now)
    }

    /// The same with what it was let in with. Agents that are in an active run are not forgotten, and those of another token keep their
    /// names, heard or not: whoever takes the name of an agent that takes part in a run ends its part.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub fn join_as(
        &mut self,
        hello: &Hello,
        admission: Admission,
        is_in_run: impl Fn(&AgentId) -> bool,
        now: WallTime,
    ) -> Result<Joined, InfrastructureError> {
        check_infrastructure_name(&hello.name)?;
        let agent_id = hello.secret.agent_id();
        let scenarios = ScenarioList::of(&hello.scenarios);
        let scenarios = scenarios.edited(|list| self.secret_options.hide_in(list));
        let newcomer = Newcomer {
            id: &agent_id,
            token: admission.token.as_deref(),
            is_in_run: &is_in_run,
        };
        self.check_shares(&newcomer, &hello.infrastructure, &scenarios)?;
        let scenarios = self.shared_list(&newcomer, scenarios)?;
        self.make_room_for(&newcomer)?;
        match self.add(&hello.infrastructure) {
            Ok(()) | Err(InfrastructureError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        // The identity is one process's: it is in one infrastructure, the one it named last.
        for (name, agents) in &mut self.infrastructures {
            if *name != hello.infrastructure {
                agents.remove(&agent_id);
            }
        }
        let agents = self
            .infrastructures
            .get_mut(&hello.infrastructure)
            .expect("the infrastructure was created above or already existed");
        let others = || agents.values().filter(|agent| agent.id != agent_id);
        let is_connected = |agent: &&AgentView| agent.status == ConnectionStatus::Connected;
        // A connection whose other end has died seems to be there until the lease is over.
        let taken = || {
            let stays = |agent: &&AgentView| {
                let is_heard = is_connected(agent) && !agent.is_silent(now);
                let is_of_token = agent.admission.token == admission.token;
                is_heard || (!is_of_token && is_in_run(&agent.id))
            };
            let staying = others().filter(stays);
            staying.map(|agent| agent.name.as_str())
        };
        let known = agents.get(&agent_id).map(|agent| agent.name.clone());
        let asked_for = known.into_iter().chain([hello.name.clone()]);
        let name = asked_for
            .into_iter()
            .find(|name| taken().all(|taken| taken != name))
            .unwrap_or_else(|| {
                let taken: HashSet<&str> = taken().collect();
                (2..)
                    .map(|number| format!("{}-{number}", hello.name))
                    .find(|name| !taken.contains(name.as_str()))
                    .expect("one of endlessly many numbered names is free")
            });
        // Whoever came back under the same name as a new process replaces the old entry.
        let replaced = agents
            .iter()
            .find(|(id, agent)| **id != agent_id && agent.name == name)
            .map(|(id, _)| id.clone());
        if let Some(id) = &replaced {
            agents.remove(id);
        }
        let token = admission.token.clone();
        let version = cut(&hello.version, MAX_NAME_BYTES).into_owned();
        agents.insert(
            agent_id.clone(),
            AgentView {
                identity: Arc::new(AgentIdentity {
                    id: agent_id,
                    name: name.clone(),
                    cores: hello.cores,
                    once: hello.once,
                    build: BuildInfo {
                        version: version.clone(),
                        ..hello.build.checked()
                    },
                    version,
                    worker_protocol: hello.worker_protocol,
                    admission,
                    takes_data: hello.takes_data,
                    scenarios: scenarios.clone(),
                }),
                status: ConnectionStatus::Connected,
                connected_at: now,
                last_heard: now,
                is_spent: hello.once && !hello.runs.is_empty(),
                unsaved_us: 0,
            },
        );
        // Only now: a hello that is refused makes nothing secret.
        if self.secret_options.learn(&scenarios, token.as_deref()) {
            self.hide_secrets();
        }
        Ok(Joined { name, replaced })
    }

    /// Hides in every list what has become secret.
    fn hide_secrets(&mut self) {
        let mut edited: Vec<(ScenarioList, ScenarioList)> = Vec::new();
        let all = self.infrastructures.values_mut();
        for agent in all.flat_map(BTreeMap::values_mut) {
            let known = edited
                .iter()
                .find(|(old, _)| old.is_shared_with(&agent.scenarios));
            let hidden = match known {
                Some((_, new)) => new.clone(),
                None => {
                    let hide = |list: &mut [_]| self.secret_options.hide_in(list);
                    let new = agent.scenarios.edited(hide);
                    edited.push((agent.scenarios.clone(), new.clone()));
                    new
                }
            };
            Arc::make_mut(&mut agent.identity).scenarios = hidden;
        }
    }

    fn all(&self) -> impl Iterator<Item = &AgentView> {
        self.infrastructures.values().flat_map(BTreeMap::values)
    }

    /// An agent was heard. Unknown agents are ignored.
    pub fn heard(&mut self, agent_id: &AgentId, now: WallTime) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.last_heard = agent.last_heard.max(now);
        }
    }

    /// An agent said how old the oldest results are that it has sent and that are not saved.
    pub fn unsaved(&mut self, agent_id: &AgentId, unsaved_us: u64) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.unsaved_us = unsaved_us;
        }
    }

    /// An agent's connection ended. Unknown agents are ignored.
    pub fn left(&mut self, agent_id: &AgentId) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.status = ConnectionStatus::Disconnected;
            agent.unsaved_us = 0;
        }
    }

    /// The agent with this identity.
    pub fn agent(&self, agent_id: &AgentId) -> Option<&AgentView> {
        self.infrastructures
            .values()
            .find_map(|agents| agents.get(agent_id))
    }

    /// An agent takes part in a run from now on. One that ends with its run takes part in no other.
    pub fn takes_part(&mut self, agent_id: &AgentId) {
        if let Some(agent) = self.agent_mut(agent_id) {
            agent.is_spent |= agent.once;
        }
    }

    /// Those of [`Registry::connected_agents`] that can take part in this run.
    pub fn free_agents(&self, infrastructure: &str, run: &RunId) -> Option<Vec<&AgentView>> {
        let mut agents = self.connected_agents(infrastructure)?;
        agents.retain(|agent| agent.is_free_for(run));
        Some(agents)
    }

    /// How many there are of [`Registry::free_agents`], and since when.
    pub fn count_free(&self, infrastructure: &str, run: &RunId) -> FreeAgents {
        let agents = self.infrastructures.get(infrastructure).into_iter();
        let free = agents
            .flat_map(BTreeMap::values)
            .filter(|agent| agent.status == ConnectionStatus::Connected && agent.is_free_for(run));
        let mut counted = FreeAgents::default();
        for agent in free {
            counted.count += 1;
            counted.others += usize::from(agent.admission.run.is_none());
            counted.last_came = counted.last_came.max(agent.connected_at);
        }
        counted
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

    /// The names of the infrastructures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.infrastructures.keys().map(String::as_str)
    }

    /// Everything as it is now, by name.
    pub fn view(&self, now: WallTime) -> Vec<InfrastructureView> {
        self.infrastructures
            .iter()
            .map(|(name, agents)| {
                let mut agents: Vec<_> = agents.values().cloned().collect();
                agents.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
                for agent in &mut agents {
                    if agent.status == ConnectionStatus::Connected && agent.is_silent(now) {
                        agent.status = ConnectionStatus::Silent;
                    }
                }
                let some_are = |status| agents.iter().any(|agent| agent.status == status);
                let status = if agents.is_empty() {
                    ConnectionStatus::Pending
                } else if some_are(ConnectionStatus::Connected) {
                    ConnectionStatus::Connected
                } else if some_are(ConnectionStatus::Silent) {
                    ConnectionStatus::Silent
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

    fn agent_mut(&mut self, agent_id: &AgentId) -> Option<&mut AgentView> {
        self.infrastructures
            .values_mut()
            .find_map(|agents| agents.get_mut(agent_id))
    }
}

#[cfg(test)]
mod tests;
