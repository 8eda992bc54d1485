//! The coordinator: who is there, what runs, what is saved.
//!
//! One task owns registry and run life cycles (`owner/`); each agent's connection is a task of its own
//! (`agent_socket/`) that saves snapshots and acknowledges them; everyone else talks to the owner through the
//! cloneable [`Coordinator`] handle.

mod admission;
mod agent_news;
mod agent_socket;
mod annotations;
mod connection_faults;
mod count_check;
mod dispatch;
mod late_windows;
mod machines;
mod otlp;
mod owner;
mod ramp_news;
mod readiness;
mod receive_budget;
mod retention;
mod saving;
mod shipping;
mod thresholds;
mod waiting_hellos;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::RunId;
use greylag_infra::{
    ChangeRefused, InfrastructureError, InfrastructureView, LoadTest, Registry, RunRecord,
    StartTerms, StopRefused, WallTime,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::builds::BuildStore;
use crate::store::{BundleError, BundleUpload, Store, StoreError};
use crate::tokens::TokenStore;
use owner::{Command, Owner};

pub use agent_socket::agent_routes;
pub use connection_faults::{ConnectionFault, ConnectionFaults};
pub use dispatch::StartRefused;
pub use machines::{InfrastructureMachines, ProvisionedInfrastructure, Provisioning, ShownMachine};
pub use otlp::{Collector, PushAnswer, PushError};
pub(crate) use readiness::NotReady;
pub use receive_budget::MAX_RECEIVED_BYTES;
pub(crate) use receive_budget::{Meter, MeteredStream};
pub use retention::{Keep, KeepError};
pub use saving::SavingFails;
pub use shipping::AnnounceError;
pub use webhook::{Webhook, WebhookAnswer, WebhookRequest};

/// How long an agent and the coordinator may not hear of each other, unless configured.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);
/// Commands and events waiting for the owner task.
const OWNER_QUEUE: usize = 1_024;

/// How to start a coordinator.
#[derive(Debug, Clone)]
pub struct CoordinatorConfig {
    /// Directory of the store; created if it does not exist.
    pub data_dir: PathBuf,
    /// An agent not heard for this long is lost, and an agent that hears nothing for this long stops.
    pub lease: Duration,
    /// The infrastructures of the configuration, and how machines are had there.
    pub provisioning: Provisioning,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedRun {
    /// The run.
    pub run: RunRecord,
    /// What whoever started it should know; it is in the run's log, too.
    pub warnings: Vec<String>,
}

/// Handle on a running coordinator.
#[derive(Debug, Clone)]
pub struct Coordinator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    builds: BuildStore,
    tokens: TokenStore,
    commands: mpsc::Sender<Command>,
    changes: watch::Sender<u64>,
    infrastructures: watch::Receiver<Arc<Vec<InfrastructureView>>>,
    faults: ConnectionFaults,
    receive_budget: Arc<receive_budget::ReceiveBudget>,
    waiting_hellos: waiting_hellos::WaitingHellos,
    saving: saving::Saving,
    readiness: readiness::Readiness,
    pushing: otlp::Pushing,
    news: agent_news::AgentNews,
    lease: Duration,
    provisioning: Provisioning,
    machines: machines::MachineBoard,
}

/// Why a run cannot be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopRunError {
    /// Unknown, or over.
    #[error(transparent)]
    Refused(#[from] StopRefused),
    /// The coordinator is ending.
    #[error("the coordinator is shutting down")]
    ShuttingDown,
}

/// Why a run's users cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUsersError {
    /// Unknown, not running, or out of bounds.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// The coordinator is ending.
    #[error("the coordinator is shutting down")]
    ShuttingDown,
}

/// Why an infrastructure cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateInfrastructureError {
    /// Its name is bad or taken.
    #[error(transparent)]
    Refused(#[from] InfrastructureError),
    /// It cannot be kept.
    #[error("the infrastructure cannot be saved; the coordinator's log says why")]
    Store(#[source] StoreError),
    /// The coordinator is ending.
    #[error("the coordinator is shutting down")]
    ShuttingDown,
}

impl Coordinator {
    /// Opens the store, takes up unfinished runs and starts the owner task. Needs a tokio runtime.
    ///
    /// # Errors
    /// The store cannot be opened or read; the message is for the user.
    pub async fn start(config: CoordinatorConfig) -> Result<Self, StoreError> {
        let store = Store::open(&config.data_dir)?;
        let provisioning = config.provisioning;
        let configured = provisioning.infrastructures.keys().cloned();
        let known = store.infrastructures().await?;
        let registry = Registry::with_infrastructures(known.into_iter().chain(configured))
            .with_secret_options(store.secret_options().await?);
        let unfinished = store.unfinished_runs().await?;
        let tokens = TokenStore::open(store.clone()).await?;
        let (commands, inbox) = mpsc::channel(OWNER_QUEUE);
        let (views, infrastructure_views) = watch::channel(Arc::new(Vec::new()));
        let coordinator = Self {
            shared: Arc::new(Shared {
                store,
                builds: BuildStore::of(&config.data_dir),
                tokens,
                commands,
                changes: watch::Sender::new(0),
                infrastructures: infrastructure_views,
                faults: ConnectionFaults::default(),
                receive_budget: Arc::default(),
                waiting_hellos: waiting_hellos::WaitingHellos::default(),
                saving: saving::Saving::default(),
                readiness: readiness::Readiness::default(),
                pushing: otlp::Pushing::default(),
                news: agent_news::AgentNews::default(),
                lease: config.lease,
                machines: machines::MachineBoard::of(&provisioning.infrastructures),
                provisioning,
            }),
        };
        let mut owner = Owner::new(&coordinator, registry, views);
        owner.recover(unfinished).await?;
        late_windows::renew(&coordinator).await?;
        thresholds::take_up(&coordinator).await?;
        tokio::spawn(owner.run(inbox));
        Ok(coordinator)
    }

    /// Starts a run on the connected agents of its infrastructure.
    ///
    /// # Errors
    /// The test is not valid or no agent can run it; the message is for the user.
    pub async fn start_run(&self, test: LoadTest) -> Result<RunRecord, StartRefused> {
        let started = self.start_run_on(test, StartTerms::default()).await?;
        Ok(started.run)
    }

    /// The same on other than the usual terms, with what there is to say about it.
    ///
    /// # Errors
    /// As [`Self::start_run`].
    pub async fn start_run_on(
        &self,
        test: LoadTest,
        terms: StartTerms,
    ) -> Result<StartedRun, StartRefused> {
        let known = self.shared.store.has_baseline(&test).await;
        if !known.map_err(StartRefused::Store)? {
            return Err(StartRefused::UnknownBaseline(test.baseline));
        }
        let (reply, answer) = oneshot::channel();
        self.command(Command::StartRun {
            test: Box::new(test),
            terms,
            reply,
        })
        .await;
        answer.await.unwrap_or(Err(StartRefused::ShuttingDown))
    }

    /// Asks a run to stop; its last results still come in, then it is Failed.
    ///
    /// # Errors
    /// The run was not found, or it is over.
    pub async fn stop_run(&self, id: &RunId) -> Result<(), StopRunError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::StopRun {
            run_id: id.to_owned(),
            reply,
        })
        .await;
        answer.await.unwrap_or(Err(StopRunError::ShuttingDown))
    }

    /// Changes the number of users of a running run: from a moment ahead it goes linearly to `users`, within
    /// `over`. Stages that were to begin later are dropped; when the run ends stays.
    ///
    /// # Errors
    /// The run was not found, it is not running, or there are too many users.
    pub async fn change_users(
        &self,
        id: &RunId,
        users: u64,
        over: Duration,
    ) -> Result<(), ChangeUsersError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::ChangeUsers {
            run_id: id.to_owned(),
            users,
            over,
            reply,
        })
        .await;
        answer.await.unwrap_or(Err(ChangeUsersError::ShuttingDown))
    }

    /// Deletes a run that is over, with all its results.
    ///
    /// # Errors
    /// The run was not found, it has not ended, or the store failed.
    pub async fn delete_run(&self, id: &RunId) -> Result<(), StoreError> {
        self.shared.store.delete_run(id).await?;
        tracing::info!(run = %id, "deleted");
        self.changed();
        Ok(())
    }

    /// Checks a bundle and keeps its run.
    ///
    /// # Errors
    /// The bundle is not valid, its run already exists, or the store failed. Nothing has changed then.
    pub(crate) async fn import_bundle(
        &self,
        upload: BundleUpload,
    ) -> Result<RunRecord, BundleError> {
        let run = self.shared.store.import_bundle(upload).await?;
        tracing::info!(run = %run.id, test = %run.test.name, "imported");
        // Results may have come where it ran since it was judged there.
        thresholds::follow(self, &run);
        self.changed();
        Ok(run)
    }

    /// Creates an infrastructure before its first agent comes.
    ///
    /// # Errors
    /// Its name is bad or taken, or it cannot be saved.
    pub async fn create_infrastructure(&self, name: &str) -> Result<(), CreateInfrastructureError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::CreateInfrastructure {
            name: name.to_owned(),
            reply,
        })
        .await;
        answer
            .await
            .unwrap_or(Err(CreateInfrastructureError::ShuttingDown))
    }

    /// All infrastructures and their agents, at most a second old.
    pub fn infrastructures(&self) -> Arc<Vec<InfrastructureView>> {
        self.shared.infrastructures.borrow().clone()
    }

    /// How the infrastructures of the configuration get their machines, and how these are, by name.
    pub fn machines(&self) -> BTreeMap<String, InfrastructureMachines> {
        self.shared.machines.view()
    }

    /// A generation number that grows whenever something a page shows has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// The store of this coordinator.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The tokens with roles.
    pub fn tokens(&self) -> &TokenStore {
        &self.shared.tokens
    }

    /// The coordinator's clock, which never goes back while the process runs.
    pub fn now(&self) -> WallTime {
        self.shared.store.clock().now()
    }

    /// When this coordinator started, on its clock.
    pub(crate) fn started_at(&self) -> WallTime {
        self.shared.store.clock().started_at()
    }

    /// How long an agent may not be heard before it counts as lost.
    pub(crate) fn lease(&self) -> Duration {
        self.shared.lease
    }

    /// Set while the store cannot save.
    pub(crate) fn saving_fails(&self) -> Option<SavingFails> {
        self.shared.saving.fails()
    }

    /// Since when the oldest snapshot waits that is being saved.
    pub(crate) fn saving_since(&self) -> Option<WallTime> {
        self.shared.saving.oldest()
    }

    /// Bytes of agents' messages that are being received or wait to be saved.
    pub(crate) fn received_bytes(&self) -> usize {
        self.shared.receive_budget.taken_bytes()
    }

    /// How many agent connections were refused or closed, by reason.
    pub fn connection_faults(&self) -> &ConnectionFaults {
        &self.shared.faults
    }

    /// Ends the owner task and the store after everything queued is saved. Runs stay as they are: agents keep
    /// their load until the lease is over, and a coordinator started again on the same data takes over.
    pub async fn shutdown(&self) {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Shutdown { reply }).await;
        // An owner that is gone already needs no shutdown.
        let _ = answer.await;
        self.shared.pushing.end().await;
        self.shared.store.close().await;
    }

    /// Counts what a new connection receives, once it is an agent's.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Meter::new(Arc::clone(&self.shared.receive_budget))
    }

    fn changed(&self) {
        self.shared
            .changes
            .send_modify(|generation| *generation += 1);
    }

    /// A command that cannot be delivered drops its reply, which the caller sees as shutting down.
    async fn command(&self, command: Command) {
        let _ = self.shared.commands.send(command).await;
    }
}
