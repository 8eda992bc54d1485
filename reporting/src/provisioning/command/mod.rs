//! Kind `command`: one command starts the agents of a run, another ends them. What they do is theirs: ssh, Terraform, a
//! scheduler, a cloud's scaling group.
//!
//! `up` is run once for a run, `down` until it succeeds. Both have the run in their environment ([`variables`]), and
//! what they print is in the run's log. What was begun is written to a file first (`state.rs`): if the coordinator ends
//! while `up` is running, the next one ends what is left of it and runs `down` before it begins anew; if it ends while
//! `down` is running, the next one ends what is left of that and runs it again.
//!
//! Each command is run by a task of its own, together with what is written about it: who stops waiting for it stops nothing,
//! and whoever comes next waits for the same.

mod config;
mod error;
mod groups;
mod output;
mod process;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use greylag_infra::RunId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    MachineNews, MachineState, Order, Provider, ProviderKind, ProviderNews, ProvisionError,
};
use error::CommandError;
use groups::{Group, Which};
use output::Output;
use process::Invocation;
use state::{Begun, StateDir};

pub use config::CommandConfig;

/// The name of the command that starts agents, in the run's log.
const UP: &str = "up";
/// That of the one that ends them.
const DOWN: &str = "down";

/// Runs the commands of one infrastructure. Clones are the same.
#[derive(Debug, Clone)]
pub struct Commands {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
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
    up: Option<Task>,
    down: Option<Task>,
    /// Whether the run has begun: what `up` has started is the run's from then on.
    has_begun: CancellationToken,
    /// Of an `up` that has succeeded, which is to be written.
    succeeded: Arc<OnceLock<Begun>>,
}

/// A command, which goes on when nothing waits for it.
#[derive(Debug, Clone)]
struct Task {
    stop: CancellationToken,
    ended: Shared<BoxFuture<'static, Result<(), Arc<CommandError>>>>,
}

impl Task {
    fn spawn<F>(name: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<(), CommandError>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let running = tokio::spawn(work(stop.clone()));
        let ended = async move {
            let ended = running.await;
            let ended = ended.unwrap_or(Err(CommandError::Panicked { name }));
            ended.map_err(Arc::new)
        };
        Self {
            stop,
            ended: ended.boxed().shared(),
        }
    }
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
            inner: Arc::new(Inner {
                infrastructure: infrastructure.to_owned(),
                config,
                directory: directory.to_owned(),
                state: StateDir::of(state_dir),
                runs: Mutex::default(),
            }),
        }
    }

    /// Gives back what an earlier process, or an `up` that could not be written down, has left half done.
    async fn clear_up(&self, run_id: &RunId) -> Result<bool, ProvisionError> {
        let run = self.run(run_id);
        if run.up.is_some() || run.succeeded.get().is_some() {
            return Ok(false);
        }
        match self.inner.state.read(run_id).await? {
            Some(begun) if !begun.is_up => {
                self.run_down(run_id).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn run_up(&self, order: &Order) -> Result<(), ProvisionError> {
        let up = self.change(&order.run, |run| {
            let up = run.up.get_or_insert_with(|| {
                Task::spawn(UP, |stop| {
                    let (commands, order) = (self.clone(), order.clone());
                    async move { commands.up(&order, &stop).await }
                })
            });
            up.clone()
        });
        let ended = up.ended.await.map_err(ProvisionError::from);
        if ended.as_ref().is_err_and(|error| !error.is_final()) {
            self.change(&order.run, |run| run.up = None);
        }
        ended
    }

    async fn up(&self, order: &Order, stop: &CancellationToken) -> Result<(), CommandError> {
        let Inner { state, config, .. } = &*self.inner;
        let Run {
            output,
            has_begun,
            succeeded,
            ..
        } = self.run(&order.run);
        if let Some(begun) = succeeded.get() {
            return state.write(&order.run, begun).await;
        }
        if let Some(Begun { is_up: true, .. }) = state.read(&order.run).await? {
            return Ok(());
        }
        let mut begun = Begun {
            infrastructure: self.inner.infrastructure.clone(),
            agents: order.agents,
            coordinator_url: order.coordinator_url.clone(),
            process: None,
            is_up: false,
            ends: None,
        };
        if stop.is_cancelled() {
            return Err(CommandError::Stopped { name: UP });
        }
        state.write(&order.run, &begun).await?;
        let token = order.token.as_ref().map(|token| token.expose().to_owned());
        let mut variables = variables(&order.run, &begun);
        variables.extend(token.map(|token| ("GREYLAG_TOKEN", token)));
        if order.accept_uploads {
            variables.push(("GREYLAG_ACCEPT_UPLOADS", "true".to_owned()));
        }
        let invocation = Invocation {
            name: UP,
            command: config.up.clone(),
            timeout: config.up_timeout,
            directory: self.inner.directory.clone(),
            variables,
            has_begun,
        };
        let note = async |process| {
            begun.process = process;
            state.write(&order.run, &begun).await
        };
        invocation.run(&output, stop, note).await?;
        begun.is_up = true;
        state
            .write(&order.run, succeeded.get_or_init(|| begun))
            .await
    }

    /// Ends what is left of `up`, and runs `down`.
    async fn give_back(&self, run_id: &RunId) -> Result<(), ProvisionError> {
        if let Some(up) = self.run(run_id).up {
            up.stop.cancel();
            // How it ended does not matter any more.
            let _ = up.ended.await;
        }
        self.run_down(run_id).await?;
        self.runs().remove(run_id);
        Ok(())
    }

    async fn run_down(&self, run_id: &RunId) -> Result<(), ProvisionError> {
        let down = self.change(run_id, |run| {
            let down = run.down.get_or_insert_with(|| {
                Task::spawn(DOWN, |stop| {
                    let (commands, run_id) = (self.clone(), run_id.clone());
                    async move { commands.down(&run_id, &stop).await }
                })
            });
            down.clone()
        });
        let ended = down.ended.await;
        self.change(run_id, |run| run.down = None);
        Ok(ended?)
    }

    async fn down(&self, run_id: &RunId, stop: &CancellationToken) -> Result<(), CommandError> {
        let Inner { state, config, .. } = &*self.inner;
        let Run { output, up, .. } = self.run(run_id);
        let Some(mut begun) = state.read(run_id).await? else {
            return Ok(());
        };
        if up.is_none() {
            end_earlier(run_id, &begun, &output).await;
        }
        let invocation = Invocation {
            name: DOWN,
            command: config.down.clone(),
            timeout: config.down_timeout,
            directory: self.inner.directory.clone(),
            variables: variables(run_id, &begun),
            // It ends what the run has, and leaves nothing to it.
            has_begun: CancellationToken::new(),
        };
        let note = async |process| {
            begun.ends = process;
            // A disk that is full keeps nothing from being given back.
            if let Err(error) = state.write(run_id, &begun).await {
                tracing::warn!(%error, run = %run_id, "cannot save which process gives machines back");
            }
            Ok(())
        };
        invocation.run(&output, stop, note).await?;
        state.remove(run_id).await
    }

    fn run(&self, run_id: &RunId) -> Run {
        self.runs().entry(run_id.clone()).or_default().clone()
    }

    fn change<T>(&self, run_id: &RunId, change: impl FnOnce(&mut Run) -> T) -> T {
        change(self.runs().entry(run_id.clone()).or_default())
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<RunId, Run>> {
        let runs = &self.inner.runs;
        runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what an earlier process of the coordinator has left of the commands of a run, by what was written down, and where it was
/// killed before that or they have left their group, by the environment of the processes that are there.
async fn end_earlier(run_id: &RunId, begun: &Begun, output: &Output) {
    let (which, of_up) = match begun.is_up {
        // What it has started is the run's.
        true => (Which::OfDown, None),
        false => (Which::All, begun.process.clone()),
    };
    let marks = of_up.into_iter().chain(begun.ends.clone()).collect();
    let groups = Group::left_of_run(run_id, which, marks).await;
    let ended = join_all(groups.into_iter().map(Group::end)).await;
    if ended.contains(&false) {
        output.push(said(
            DOWN,
            MachineState::Starting,
            "what an earlier process of the coordinator had started is still running, and this user may not end it",
        ));
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

    fn clear<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<bool, ProvisionError>> {
        self.clear_up(run).boxed()
    }

    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        async {
            self.clear_up(&order.run).await?;
            self.run_up(order).await
        }
        .boxed()
    }

    fn begins(&self, run: &RunId) {
        self.run(run).has_begun.cancel();
    }

    fn follow<'a>(&'a self, run: &'a RunId, news: mpsc::Sender<ProviderNews>) -> BoxFuture<'a, ()> {
        let output = self.run(run).output;
        async move {
            loop {
                for said in output.take().await {
                    if news.send(said.into()).await.is_err() {
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
            let begun = self.inner.state.list().await?;
            let own = begun
                .into_iter()
                .filter(|(_, begun)| begun.infrastructure == self.inner.infrastructure);
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
