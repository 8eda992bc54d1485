//! The events of a run: what a worker process awaits before, while and after it drives users.
//!
//! A handler is the scenario's code, so its errors and panics stay here. As in Locust they are logged
//! ("Uncaught exception in event handler") and the test continues; only `on_init` is fatal. They are counted as
//! errors of tasks, too, so that they are seen on the page and not only in one worker's log.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::listeners::Events;
use crate::place::panic_message;
use crate::run::Run;
use crate::task::{Flow, TaskError, TaskResult};

/// Longest time for all `on_init` handlers together, and likewise for `on_test_start` and `on_worker_start`:
/// a test's data may have to be made before it starts.
pub const START_EVENT_TIME: Duration = Duration::from_secs(60);
/// Longest time for all `on_test_stop` handlers together, and likewise for `on_worker_stop` and `on_quitting`:
/// a handler that hangs must not keep a run from ending.
pub const STOP_EVENT_TIME: Duration = Duration::from_secs(5);

/// Why an `on_init` handler ended a run before it began.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// It returned an error.
    #[error("init failed: {}", .0.with_place())]
    Failed(TaskError),
    /// It panicked, with this message.
    #[error("init failed: panicked: {0}")]
    Panicked(String),
    /// It took too long.
    #[error("init failed: it took longer than {} s", START_EVENT_TIME.as_secs())]
    TooLong,
}

pub(crate) type Handler = Arc<dyn Fn(Arc<Run>) -> BoxFuture<'static, TaskResult> + Send + Sync>;
pub(crate) type SpawnedHandler =
    Arc<dyn Fn(Arc<Run>, u64) -> BoxFuture<'static, TaskResult> + Send + Sync>;

pub(crate) fn handler<F, R>(function: F) -> Handler
where
    F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
    R: Future<Output = TaskResult> + Send + 'static,
{
    Arc::new(move |run| Box::pin(function(run)))
}

pub(crate) fn spawned_handler<F, R>(function: F) -> SpawnedHandler
where
    F: Fn(Arc<Run>, u64) -> R + Send + Sync + 'static,
    R: Future<Output = TaskResult> + Send + 'static,
{
    Arc::new(move |run, users| Box::pin(function(run, users)))
}

impl Events {
    /// Calls the `on_init` handlers, once in each worker process, before any user.
    ///
    /// # Errors
    /// The first handler's error, panic or overtime; later handlers are not called. The run cannot continue then.
    pub async fn init(&self, run: &Arc<Run>) -> Result<(), InitError> {
        let all = async {
            for handler in &self.init {
                match guarded(|| handler(Arc::clone(run))).await {
                    Ok(()) => {}
                    Err(HandlerFailure::Error(error)) => {
                        return Err(InitError::Failed(error));
                    }
                    Err(HandlerFailure::Panicked(message)) => {
                        return Err(InitError::Panicked(message));
                    }
                }
            }
            Ok(())
        };
        match tokio::time::timeout(START_EVENT_TIME, all).await {
            Ok(ended) => ended,
            Err(_) => Err(InitError::TooLong),
        }
    }

    /// Calls the `on_test_start` handlers, once per test: the worker with number 0 does, before any worker starts
    /// users. Nothing on other workers.
    pub async fn test_started(&self, run: &Arc<Run>) {
        if run.worker() == 0 {
            self.fire("on_test_start", &self.test_start, run, START_EVENT_TIME)
                .await;
        }
    }

    /// Calls the `on_worker_start` handlers, once in each worker process, before it starts users.
    pub async fn worker_started(&self, run: &Arc<Run>) {
        self.fire("on_worker_start", &self.worker_start, run, START_EVENT_TIME)
            .await;
    }

    /// Calls the `on_spawning_complete` handlers once the users planned so far have started: `users` over the whole
    /// run. Called on each worker.
    pub async fn spawning_completed(&self, run: &Arc<Run>, users: u64) {
        let handlers: Vec<Handler> = self
            .spawning_complete
            .iter()
            .map(|spawned| {
                let spawned = Arc::clone(spawned);
                let handler: Handler = Arc::new(move |run| spawned(run, users));
                handler
            })
            .collect();
        self.fire("on_spawning_complete", &handlers, run, START_EVENT_TIME)
            .await;
    }

    /// Calls the `on_worker_stop` handlers, once in each worker process, when its last user has ended.
    pub async fn worker_stopped(&self, run: &Arc<Run>) {
        self.fire("on_worker_stop", &self.worker_stop, run, STOP_EVENT_TIME)
            .await;
    }

    /// Calls the `on_test_stop` handlers, once per test: the worker with number 0 does, when its last user has
    /// ended. Nothing on other workers.
    pub async fn test_stopped(&self, run: &Arc<Run>) {
        if run.worker() == 0 {
            self.fire("on_test_stop", &self.test_stop, run, STOP_EVENT_TIME)
                .await;
        }
    }

    /// Calls the `on_quitting` handlers when the worker process ends, the last registered first (as Locust does).
    pub async fn quitting(&self, run: &Arc<Run>) {
        let handlers: Vec<Handler> = self.quitting.iter().rev().cloned().collect();
        self.fire("on_quitting", &handlers, run, STOP_EVENT_TIME)
            .await;
    }

    /// How much longer than without handlers a worker process may take until it is ready to start users.
    pub fn longest_start(&self, worker: u32) -> Duration {
        let kinds = [
            !self.init.is_empty(),
            !self.worker_start.is_empty(),
            !self.test_start.is_empty() && worker == 0,
        ];
        START_EVENT_TIME * count(kinds)
    }

    /// How much longer than without handlers a worker process may take to end after its last user.
    pub fn longest_stop(&self, worker: u32) -> Duration {
        let kinds = [
            !self.worker_stop.is_empty(),
            !self.quitting.is_empty(),
            !self.test_stop.is_empty() && worker == 0,
        ];
        STOP_EVENT_TIME * count(kinds)
    }

    async fn fire(&self, event: &str, handlers: &[Handler], run: &Arc<Run>, limit: Duration) {
        let all = async {
            for handler in handlers {
                match guarded(|| handler(Arc::clone(run))).await {
                    Ok(()) => {}
                    Err(HandlerFailure::Error(error)) => match error.flow() {
                        Some(Flow::EndTest(end)) => run.end_test(end),
                        _ => self.report(event, &error.with_place(), run),
                    },
                    Err(HandlerFailure::Panicked(message)) => {
                        self.report(event, &format!("panicked: {message}"), run);
                    }
                }
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            let text = format!("took longer than {} s and was dropped", limit.as_secs());
            self.report(event, &text, run);
        }
    }

    fn report(&self, event: &str, error: &str, run: &Run) {
        self.complain(event, error);
        run.recorder().task_error(event, error);
    }

    /// Logs what Locust logs.
    fn complain(&self, event: &str, error: &str) {
        tracing::error!(event, "Uncaught exception in event handler: {error}");
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("request", &self.request.len())
            .field("user_error", &self.user_error.len())
            .field("init", &self.init.len())
            .field("test_start", &self.test_start.len())
            .field("test_stop", &self.test_stop.len())
            .field("worker_start", &self.worker_start.len())
            .field("worker_stop", &self.worker_stop.len())
            .field("spawning_complete", &self.spawning_complete.len())
            .field("quitting", &self.quitting.len())
            .finish()
    }
}

fn count(kinds: [bool; 3]) -> u32 {
    kinds.into_iter().map(u32::from).sum()
}

enum HandlerFailure {
    Error(TaskError),
    Panicked(String),
}

/// Calls and awaits the scenario's code; a panic of either ends here.
async fn guarded(
    call: impl FnOnce() -> BoxFuture<'static, TaskResult>,
) -> Result<(), HandlerFailure> {
    let panicked = |panic: Box<dyn Any + Send>| HandlerFailure::Panicked(panic_message(&*panic));
    let handling = catch_unwind(AssertUnwindSafe(call)).map_err(panicked)?;
    AssertUnwindSafe(handling)
        .catch_unwind()
        .await
        .map_err(panicked)?
        .map_err(HandlerFailure::Error)
}

#[cfg(test)]
mod tests;
