//! What each kind of infrastructure can do.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use greylag_infra::RunId;
use serde::Serialize;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::ProvisionError;
use crate::Token;

/// Gets agents for a run from one infrastructure, and gives their machines back.
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> ProviderKind;

    /// An earlier process of the coordinator may have asked for machines of this run, and may not have heard the answer.
    /// Called before anything else is done for the run.
    fn inherits(&self, _run: &RunId) {}

    /// Gives back what an earlier process of the coordinator has begun for a run and left half done, so that it is asked for
    /// anew. Whether there was something: agents of it are not to be counted on. Called before each [`Self::request`].
    fn clear<'a>(&'a self, _run: &'a RunId) -> BoxFuture<'a, Result<bool, ProvisionError>> {
        ready(Ok(false)).boxed()
    }

    /// Asks for the agents of a run. Asking again for the same run (after a restart) changes nothing and is `Ok`.
    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>>;

    /// A run has begun with agents that it may have from here: from now on nothing of it is ended until it is given back.
    fn begins(&self, _run: &RunId) {}

    /// Reports what becomes of a run's machines until the future is dropped, first of all how they are now; endures
    /// that the provider is out of reach for a while. Followed from before it is asked until everything is given back.
    fn follow<'a>(&'a self, run: &'a RunId, news: mpsc::Sender<ProviderNews>) -> BoxFuture<'a, ()>;

    /// Gives back everything that was asked for this run; `Ok` if there is nothing. Called again, with growing pauses,
    /// until it is `Ok`.
    fn release<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>>;

    /// Runs of this coordinator for which machines are still there, also those asked for by an earlier process. Those that
    /// it does not know any more are given back.
    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>>;
}

/// The kinds of infrastructure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Agents that people start.
    #[default]
    Machines,
    /// Commands of the configuration start and end agents.
    Command,
    /// Pods of a Kubernetes cluster.
    Kubernetes,
}

impl ProviderKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Machines, Self::Command, Self::Kubernetes];

    /// The word for people, the API and the configuration file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Machines => "machines",
            Self::Command => "command",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// Whether agents are there only while a run has asked for them.
    pub fn makes_machines(self) -> bool {
        match self {
            Self::Machines => false,
            Self::Command | Self::Kubernetes => true,
        }
    }
}

/// What a run asks for.
#[derive(Debug, Clone)]
pub struct Order {
    /// The run.
    pub run: RunId,
    /// Its test.
    pub test: String,
    /// Its number within the test.
    pub number: u64,
    /// The infrastructure that the agents name.
    pub infrastructure: String,
    /// How many agents there are to be.
    pub agents: u32,
    /// Where agents reach the coordinator.
    pub coordinator_url: String,
    /// What agents show to the coordinator: good for this run only.
    pub token: Option<Token>,
    /// Whether agents run programs that are uploaded to the coordinator.
    pub accept_uploads: bool,
    /// How long the run waits until all of its agents are there.
    pub agents_timeout: Duration,
}

/// What is new of a run's machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderNews {
    /// What became of one.
    Machine(MachineNews),
    /// So many at most are there or may still come: of those that were asked for, the others have ended or cannot be had.
    AtMost(usize),
}

impl From<MachineNews> for ProviderNews {
    fn from(news: MachineNews) -> Self {
        Self::Machine(news)
    }
}

/// What became of one machine (or of what gets them).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineNews {
    /// Its name: that of a pod, or of a command.
    pub machine: String,
    /// How it is.
    pub state: MachineState,
    /// Why, or what is said of it.
    pub reason: Option<String>,
}

/// How a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    /// It was asked for, and there is no place for it yet.
    Waiting,
    /// It is being made ready.
    Starting,
    /// It is there.
    Running,
    /// It ended with an error, or cannot start.
    Failed,
    /// It ended, or was given back.
    Gone,
}

impl MachineState {
    /// The word for people and the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}
