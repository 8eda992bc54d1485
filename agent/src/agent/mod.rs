//! The agent: joins an infrastructure, runs workers for the coordinator and reports their results.
//!
//! ```text
//!                       ┌────────────────────────── owner (one task) ───────────────────────────┐
//!  coordinator ◄─link──►│ clock offset, lease, runs: life (`run`) and what is unsent (`outbox`) │
//!                       └───────────────▲───────────────────────────────────────────────────────┘
//!                                       │ events            one supervisor per worker process
//!                              worker_process ◄─────► worker processes
//! ```
//!
//! The owner's task only selects events; `run` and `outbox`, which do no I/O, decide what follows from them.

mod builds;
mod config;
mod error;
mod link;
mod outbox;
mod owner;
mod run;
mod worker_process;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use builds::Builds;
pub use builds::CacheOfOthers;
pub(crate) use builds::default_cache_dir;
pub(crate) use config::has_credentials;
pub use config::{
    AgentConfig, AgentConfigError, Stay, UploadedBuilds, WorkerUser, machine_name, worker_command,
};
pub use error::AgentError;
use greylag_infra::WallClock;
use greylag_infra::protocol::Hello;
pub use link::Refusal;
use link::{HeldRuns, LinkConfig, keep_connected};
use owner::Owner;

use crate::own_build::own_build;

/// Events of the connection that wait for the owner.
const LINK_QUEUE: usize = 256;
/// Events of workers that wait for the owner; workers wait when it is full.
const WORKER_QUEUE: usize = 1_024;
/// How long an agent that ends waits for its connection to send what is left and to close.
const LINK_END: Duration = Duration::from_secs(2);

/// An agent, running in tasks of the present runtime.
pub struct Agent;

/// Handle on a running agent. Dropping it leaves the agent running.
#[derive(Debug)]
pub struct AgentHandle {
    connected: watch::Receiver<bool>,
    shutdown: CancellationToken,
    kill: CancellationToken,
    owner: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    /// Starts an agent, which dials its coordinator until it is connected.
    ///
    /// # Errors
    /// The configuration cannot work: an invalid address, an empty command.
    pub fn start(config: AgentConfig) -> Result<AgentHandle, AgentConfigError> {
        config.check()?;
        let link_config = LinkConfig {
            socket_url: config.socket_url()?,
            token: config.token.clone(),
            tls: config.tls.clone(),
        };
        let clock = WallClock::start();
        let (connected, is_connected) = watch::channel(false);
        let (held, held_runs) = watch::channel(Vec::new());
        let held_runs = HeldRuns(held_runs);
        let (link_sender, link_events) = mpsc::channel(LINK_QUEUE);
        let (worker_sender, worker_events) = mpsc::channel(WORKER_QUEUE);
        let (shutdown, kill) = (CancellationToken::new(), CancellationToken::new());
        let closing = CancellationToken::new();

        let hello = config.hello();
        let link = tokio::spawn({
            let closing = closing.clone();
            async move {
                let build = own_build().await;
                let runs = held_runs.clone();
                let hello = move || Hello {
                    runs: runs.ids(),
                    build: build.clone(),
                    ..hello.clone()
                };
                keep_connected(link_config, clock, hello, held_runs, link_sender, closing).await;
            }
        });
        let builds = Builds::of(&config);
        if let Some(builds) = &builds {
            builds.tidy();
        }
        let owner = Owner::new(
            config,
            builds.clone(),
            clock,
            connected,
            held,
            worker_sender,
        );
        let owner = tokio::spawn({
            let (shutdown, kill) = (shutdown.clone(), kill.clone());
            async move {
                let ended = owner.run(link_events, worker_events, shutdown, kill).await;
                closing.cancel();
                // The link sends the rest and closes the connection, unless the coordinator takes nothing.
                let abort = link.abort_handle();
                if timeout(LINK_END, link).await.is_err() {
                    abort.abort();
                }
                // Whoever waits for this task ends the process then.
                if let Some(builds) = builds {
                    builds.tidied().await;
                }
                ended
            }
        });
        Ok(AgentHandle {
            connected: is_connected,
            shutdown,
            kill,
            owner,
        })
    }
}

impl AgentHandle {
    /// Waits until the coordinator has welcomed the agent.
    ///
    /// # Errors
    /// The agent has ended before.
    pub async fn connected(&mut self) -> Result<(), AgentError> {
        if self
            .connected
            .wait_for(|connected| *connected)
            .await
            .is_ok()
        {
            return Ok(());
        }
        self.ended().await?;
        Err(AgentError::ShutDown)
    }

    /// Waits until the agent ends on its own, or after [`AgentHandle::begin_shutdown`].
    ///
    /// # Errors
    /// The coordinator refused the agent.
    pub async fn ended(&mut self) -> Result<(), AgentError> {
        (&mut self.owner).await.unwrap_or(Err(AgentError::Panicked))
    }

    /// Begins to end the agent: its load stops as when the run is stopped, and the last results are sent.
    pub fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Ends the agent immediately: workers are killed, and results that were not sent are lost.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Ends the agent and waits for it. Takes at most the stop timeout of its runs and a few seconds.
    ///
    /// # Errors
    /// The coordinator refused the agent.
    pub async fn shutdown(mut self) -> Result<(), AgentError> {
        self.begin_shutdown();
        self.ended().await
    }
}
