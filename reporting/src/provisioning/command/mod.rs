//! Kind `command`: one command starts the agents of a run, another ends them. What they do is theirs: ssh, Terraform, a
//! scheduler, a cloud's scaling group.
//!
//! `up` is run once for a run, `down` until it succeeds. Both have the run in their environment ([`variables`]), and
//! what they print is in the run's log. What was begun is written to a file first (`state.rs`): if the coordinator ends
//! while `up` is running, the next one ends what is left of it and runs `down` before it begins anew.

mod config;
mod error;
mod output;
mod process;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use greylag_infra::RunId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{MachineNews, MachineState, Order, Provider, ProviderKind, ProvisionError};
use error::CommandError;
use output::Output;
use process::Invocation;
use state::{Begun, StateDir};

pub use config::CommandConfig;

/// The name of the command that starts agents, in the run's log.
const UP: &str = "up";
/// That of the one that ends them.
const DOWN: &str = "down";

/// Runs the commands of one infrastructure.
#[derive(Debug)]
pub struct Commands {
    infrastructure: String,
    config: CommandConfig,
    /// Where they are run.
    directory: PathBuf,
    state: StateDir,
    runs: Mutex<BTreeMap<RunId, Run>>,
}

/// What this process does for a run.
#[derive(Debug, Default, Clone)]
struct Run {
    output: Arc<Output>,
    up: Option<Up>,
}

/// `up`, which goes on when nothing waits for it.
#[derive(Debug, Clone)]
struct Up {
    stop: CancellationToken,
    ended: Shared<BoxFuture<'static, Result<(), Arc<CommandError>>>>,
}

impl Commands {
    /// The commands of this infrastructure are run in `directory`; what is under way is kept in `state_dir`.
    pub fn new(
        infrastructure: &str,
        config: CommandConfig,
        directory: &Path,
        state_dir: &Path,
    ) -> Self {
        Self {
            infrastructure: infrastructure.to_owned(),
            config,
            directory: directory.to_owned(),
            state: StateDir::of(state_dir),
            runs: Mutex::default(),
        }
    }

    async fn up(&self, order: &Order) -> Result<(), ProvisionError> {
        let run = self.run(&order.run);
        if let Some(up) = run.up {
            return up.ended.await.map_err(ProvisionError::from);
        }
        match self.state.read(&order.run).await? {
            Some(begun) if begun.is_up => return Ok(()),
            // An earlier process began, and it is not known how far it came.
            Some(begun) => self.down(&order.run, &begun).await?,
            None => {}
        }
        let begun = Begun {
            infrastructure: self.infrastructure.clone(),
            agents: order.agents,
            coordinator_url: order.coordinator_url.clone(),
            process: None,
            is_up: false,
        };
        self.state.write(&order.run, &begun).await?;
        let up = self.start_up(order, begun);
        self.change(&order.run, |run| run.up = Some(up.clone()));
        up.ended.await.map_err(ProvisionError::from)
    }

    fn start_up(&self, order: &Order, begun: Begun) -> Up {
        let output = self.run(&order.run).output;
        let token = order.token.as_ref().map(|token| token.expose().to_owned());
        let mut variables = variables(&order.run, &begun);
        variables.extend(token.map(|token| ("GREYLAG_TOKEN", token)));
        if order.accept_uploads {
            variables.push(("GREYLAG_ACCEPT_UPLOADS", "true".to_owned()));
        }
        let invocation = Invocation {
            name: UP,
            command: self.config.up.clone(),
            timeout: self.config.up_timeout,
            directory: self.directory.clone(),
            variables,
        };
        let stop = CancellationToken::new();
        let (state, run_id) = (self.state.clone(), order.run.clone());
        let stopping = stop.clone();
        let running = tokio::spawn(async move {
            let mut begun = begun;
            let note = async |process| {
                begun.process = process;
                state.write(&run_id, &begun).await
            };
            invocation.run(&output, &stopping, note).await?;
            begun.is_up = true;
            state.write(&run_id, &begun).await
        });
        let ended = async {
            let ended = running.await.unwrap_or(Err(CommandError::Panicked));
            ended.map_err(Arc::new)
        };
        Up {
            stop,
            ended: ended.boxed().shared(),
        }
    }

    /// Ends what is left of `up`, and runs `down`.
    async fn give_back(&self, run_id: &RunId) -> Result<(), ProvisionError> {
        if let Some(up) = self.run(run_id).up {
            up.stop.cancel();
            // How it ended does not matter any more.
            let _ = up.ended.await;
        }
        if let Some(begun) = self.state.read(run_id).await? {
            self.down(run_id, &begun).await?;
            self.state.remove(run_id).await?;
        }
        self.runs().remove(run_id);
        Ok(())
    }

    async fn down(&self, run_id: &RunId, begun: &Begun) -> Result<(), CommandError> {
        if let Some(process) = &begun.process {
            process.end_group().await;
        }
        let invocation = Invocation {
            name: DOWN,
            command: self.config.down.clone(),
            timeout: self.config.down_timeout,
            directory: self.directory.clone(),
            variables: variables(run_id, begun),
        };
        let output = self.run(run_id).output;
        let never = CancellationToken::new();
        invocation.run(&output, &never, async |_| Ok(())).await
    }

    fn run(&self, run_id: &RunId) -> Run {
        self.runs().entry(run_id.clone()).or_default().clone()
    }

    fn change(&self, run_id: &RunId, change: impl FnOnce(&mut Run)) {
        change(self.runs().entry(run_id.clone()).or_default());
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<RunId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What both commands know of the run. `up` has `GREYLAG_TOKEN`, too.
fn variables(run_id: &RunId, begun: &Begun) -> Vec<(&'static str, String)> {
    vec![
        ("GREYLAG_RUN", run_id.to_string()),
        ("GREYLAG_AGENTS", begun.agents.to_string()),
        ("GREYLAG_COORDINATOR", begun.coordinator_url.clone()),
        ("GREYLAG_INFRASTRUCTURE", begun.infrastructure.clone()),
    ]
}

impl Provider for Commands {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Command
    }

    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        self.up(order).boxed()
    }

    fn follow<'a>(&'a self, run: &'a RunId, news: mpsc::Sender<MachineNews>) -> BoxFuture<'a, ()> {
        let output = self.run(run).output;
        async move {
            loop {
                for said in output.take().await {
                    if news.send(said).await.is_err() {
                        return;
                    }
                }
            }
        }
        .boxed()
    }

    fn release<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>> {
        self.give_back(run).boxed()
    }

    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        async {
            let begun = self.state.list().await?;
            let own = begun
                .into_iter()
                .filter(|(_, begun)| begun.infrastructure == self.infrastructure);
            Ok(own.map(|(run_id, _)| run_id).collect())
        }
        .boxed()
    }
}

/// What a command says, as news of a machine of its name.
fn said(name: &str, state: MachineState, text: impl Into<String>) -> MachineNews {
    MachineNews {
        machine: name.to_owned(),
        state,
        reason: Some(text.into()),
    }
}

#[cfg(test)]
mod tests;
