//! All listeners of a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::LogLimit;
use crate::place::panic_message;
use crate::run::UserInfo;

use super::of_the_run::{Handler, SpawnedHandler};
use super::request::RequestListener;

/// Hears every error of a task.
pub(crate) type UserErrorListener = Arc<dyn Fn(&UserErrorEvent<'_>) + Send + Sync>;

/// What a scenario listens to: [`Scenario::events`](crate::Scenario::events), for the process that runs it.
#[derive(Default, Clone)]
pub struct Events {
    pub(crate) request: Vec<RequestListener>,
    pub(crate) user_error: Vec<UserErrorListener>,
    pub(crate) init: Vec<Handler>,
    pub(crate) test_start: Vec<Handler>,
    pub(crate) test_stop: Vec<Handler>,
    pub(crate) worker_start: Vec<Handler>,
    pub(crate) worker_stop: Vec<Handler>,
    pub(crate) spawning_complete: Vec<SpawnedHandler>,
    pub(crate) quitting: Vec<Handler>,
}

/// An error of a task that is not a failed request, or a panic. Locust's `user_error`.
#[derive(Debug)]
#[non_exhaustive]
pub struct UserErrorEvent<'a> {
    /// The task's name.
    pub task: &'a str,
    /// What went wrong and where, `no token in the page (src/main.rs:42)`; `panicked: …` for a panic.
    pub error: &'a str,
    /// Whose task it was.
    pub user: &'a UserInfo,
}

impl Events {
    /// Tells the listeners of a task's error.
    pub(crate) fn heard_user_error(
        &self,
        log: &LogLimit,
        task: &str,
        error: &str,
        user: &UserInfo,
    ) {
        let event = UserErrorEvent { task, error, user };
        for listener in &self.user_error {
            let heard = catch_unwind(AssertUnwindSafe(|| listener(&event)));
            if let Err(panic) = heard {
                // Limited: a listener that panics may do so with every error.
                log.error("on_user_error", &panic_message(&*panic));
            }
        }
    }
}
