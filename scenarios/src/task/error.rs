//! What tasks return, and what they can ask for.

use std::any::Any;
use std::fmt;
use std::panic::Location;

use super::recorded::{Recorded, RequestError, ResponseError};
use crate::place::with_place;

/// What every task returns: `Ok(())`, or an error that `?` passed on.
pub type TaskResult = Result<(), TaskError>;

/// Why a task ended early.
///
/// Made by `?` from any error, and from text: `return Err("no token".into())`, `Err(format!("no {thing}"))?`,
/// `token.ok_or("no token")?`. A [`RequestError`] in it, and what a measured block returned
/// ([`Recorded`]), was recorded as a failed request already and is not counted again; any other error is
/// reported as an error of the task.
pub struct TaskError {
    error: Box<dyn std::error::Error + Send + Sync + 'static>,
    at: &'static Location<'static>,
    recorded: bool,
}

/// What a task can ask for instead of continuing: made by [`stop_user`], [`stop_test`], [`finish_test`], [`reschedule`],
/// [`reschedule_immediately`], [`interrupt`] and [`interrupt_and_wait`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flow {
    /// Locust's `StopUser`.
    #[error("the user stops")]
    StopUser,
    /// The whole test ends, also for the other users.
    #[error("{}", .0.reason())]
    EndTest(TestEnd),
    /// Locust's `RescheduleTask`.
    #[error("the user picks another task after its wait time")]
    Reschedule,
    /// Locust's `RescheduleTaskImmediately`.
    #[error("the user picks another task immediately")]
    RescheduleImmediately,
    /// Locust's `InterruptTaskSet`.
    #[error("the task set is left")]
    Interrupt {
        /// Whether the outer task set picks its next task immediately.
        immediately: bool,
    },
}

/// How the scenario ends the whole test, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestEnd {
    /// The run fails: Locust's `StopTest`.
    Stop(String),
    /// The run finishes, only earlier than planned.
    Finish(String),
}

impl TestEnd {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Stop(reason) | Self::Finish(reason) => reason,
        }
    }
}

/// Ends this user: `on_stop` runs, and it is not replaced. Locust's `StopUser`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn stop_user<T>() -> Result<T, TaskError> {
    Err(Flow::StopUser.into())
}

/// Stops the whole test on every worker, for this reason: the run is then Failed. Locust's `StopTest`. A test that has reached its
/// aim ends with [`finish_test`].
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn stop_test<T>(reason: impl Into<String>) -> Result<T, TaskError> {
    Err(Flow::EndTest(TestEnd::Stop(reason.into())).into())
}

/// Finishes the whole test on every worker before its time, for this reason: the run is then Finished, as if it had been planned
/// to end now. This user ends immediately, the others within about two seconds and the stop timeout. Like Locust's
/// `environment.runner.quit()`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn finish_test<T>(reason: impl Into<String>) -> Result<T, TaskError> {
    Err(Flow::EndTest(TestEnd::Finish(reason.into())).into())
}

/// Ends this task; the user waits and picks the next one. Locust's `RescheduleTask`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn reschedule<T>() -> Result<T, TaskError> {
    Err(Flow::Reschedule.into())
}

/// Ends this task; the user picks the next one without waiting. Locust's `RescheduleTaskImmediately`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn reschedule_immediately<T>() -> Result<T, TaskError> {
    Err(Flow::RescheduleImmediately.into())
}

/// Leaves the task set the task is in; the one around it picks its next task immediately. Locust's
/// `self.interrupt()`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn interrupt<T>() -> Result<T, TaskError> {
    Err(Flow::Interrupt { immediately: true }.into())
}

/// Leaves the task set the task is in; the one around it waits before its next task. Locust's
/// `self.interrupt(reschedule=False)`.
///
/// # Errors
/// Always: return it from the task, or pass it on with `?`.
pub fn interrupt_and_wait<T>() -> Result<T, TaskError> {
    Err(Flow::Interrupt { immediately: false }.into())
}

impl TaskError {
    /// An error with a text of your own; `"no token in the page".into()` is the same.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            error: message.into().into(),
            at: Location::caller(),
            recorded: false,
        }
    }

    /// What the task asks for, if this is not an error.
    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.error.downcast_ref()
    }

    /// The error as the type it was made from.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }

    /// The line of the `?` (or of [`TaskError::new`]) that made it.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }

    /// Its text and its place, as they are reported: `no token in the page (src/main.rs:42)`.
    pub(crate) fn with_place(&self) -> String {
        with_place(&self.to_string(), self.at)
    }

    /// Whether this is a request's failure that its sample carries already.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
            || self
                .downcast_ref::<RequestError>()
                .is_some_and(RequestError::is_recorded)
            || self
                .downcast_ref::<ResponseError>()
                .is_some_and(ResponseError::is_recorded)
    }
}

/// From any error, boxed ones too, and from text.
impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for TaskError {
    #[track_caller]
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            at: Location::caller(),
            recorded: false,
        }
    }
}

/// What a measured block returned is counted already. What it asks for (`stop_user()` and the like) is
/// still asked for.
impl<E: Into<TaskError>> From<Recorded<E>> for TaskError {
    #[track_caller]
    fn from(Recorded(error): Recorded<E>) -> Self {
        let mut error = error.into();
        error.recorded = error.flow().is_none();
        error
    }
}

/// What an error asks for, whatever its type, if it is a task's error that asks for something.
pub(crate) fn asks(error: &dyn Any) -> bool {
    error
        .downcast_ref::<TaskError>()
        .is_some_and(|error| error.flow().is_some())
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = TaskError::from(Outer(std::io::Error::other("inner")));
        assert_eq!(error.to_string(), "outer: inner");
        assert_eq!(TaskError::new("mine").to_string(), "mine");
    }

    #[test]
    fn text_is_an_error_and_knows_its_line() {
        fn early() -> TaskResult {
            Err("no stock".into())
        }
        fn formatted() -> TaskResult {
            Err(format!("no {}", "token"))?;
            Ok(())
        }
        fn missing() -> TaskResult {
            let token: Option<u64> = None;
            token.ok_or("no token")?;
            Ok(())
        }
        fn boxed() -> TaskResult {
            let error: Box<dyn std::error::Error + Send + Sync> = "boxed".into();
            Err(error)?;
            Ok(())
        }
        let here = line!();
        let mut before = 0;
        for (task, text) in [
            (early as fn() -> TaskResult, "no stock"),
            (formatted, "no token"),
            (missing, "no token"),
            (boxed, "boxed"),
        ] {
            let error = task().unwrap_err();
            assert_eq!(error.to_string(), text);
            let at = error.location();
            assert_eq!(at.file(), file!(), "{text}");
            assert!(before < at.line() && at.line() < here, "{at}");
            before = at.line();
        }
    }
}
