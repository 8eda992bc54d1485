//! One run of a task, `on_start` or `on_stop`: bounded by a stop, its panics caught, its errors reported.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::loop_watch::{LoopWatch, NameId};
use super::stop::StopSignal;
use crate::place::panic_message;
use crate::run::UserContext;
use crate::task::{Flow, TaskResult, TestEnd};

/// How a task ended.
pub(super) enum Outcome {
    Done,
    /// A request failed, and its sample says so.
    RequestFailed,
    /// The task asks for something other than continuing.
    Asked(Flow),
    Error(String),
    Panicked(String),
    /// The stop timeout was over; the task was dropped.
    CutOff,
}

impl Outcome {
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked(panicked(panic))
    }
}

pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// Whether the task ever had to wait.
    pub(super) paused: bool,
}

/// When a run is dropped once its user is to stop.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// A task: at the stop timeout.
    StopTimeout,
    /// An `on_stop`: a little later.
    OnStop,
}

impl Limit {
    fn deadline(self, stop: &StopSignal) -> Instant {
        match self {
            Self::StopTimeout => stop.deadline().unwrap_or_else(Instant::now),
            Self::OnStop => stop.on_stop_deadline(),
        }
    }
}

/// Runs a task to its end, but not beyond the limit once its user is to stop.
pub(super) async fn bounded(
    context: &UserContext,
    limit: Limit,
    name: NameId,
    task: impl Future<Output = TaskResult>,
) -> Ended {
    let watch = context.run.watch.as_deref();
    let mut stopped = pin!(context.stop.raised());
    let mut deadline = pin!(None);
    let mut paused = false;
    let outcome = {
        let mut task = pin!(caught(task));
        poll_fn(|cx| {
            let polled = in_task(watch, name, || task.as_mut().poll(cx));
            if polled.is_ready() {
                return polled;
            }
            if !paused {
                // From here on a stop wakes this user; before, it could not have missed one.
                paused = true;
                let _ = stopped.as_mut().poll(cx);
            }
            if !context.stop.is_raised() {
                return Poll::Pending;
            }
            if deadline.is_none() {
                let at = limit.deadline(&context.stop);
                deadline.set(Some(tokio::time::sleep_until(at)));
            }
            match deadline.as_mut().as_pin_mut().map(|sleep| sleep.poll(cx)) {
                Some(Poll::Ready(())) => {
                    // Before the task is dropped, so that its request is recorded as cut off.
                    context.stop.cut_off();
                    Poll::Ready(Outcome::CutOff)
                }
                _ => Poll::Pending,
            }
        })
        .await
    };
    Ended { outcome, paused }
}

/// Polls a task that is not bounded here as what it is called.
pub(crate) async fn polled_as<F: Future>(context: &UserContext, name: &str, task: F) -> F::Output {
    let Some(watch) = context.run.watch.as_deref() else {
        return task.await;
    };
    let name = NameId::of(name);
    let mut task = pin!(task);
    poll_fn(|cx| in_task(Some(watch), name, || task.as_mut().poll(cx))).await
}

/// Says that the user is in this task as long as `poll` takes. A panic ends the poll of its whole life.
fn in_task<R>(watch: Option<&LoopWatch>, name: NameId, poll: impl FnOnce() -> R) -> R {
    let Some(watch) = watch else { return poll() };
    watch.in_task(Some(name));
    let polled = poll();
    watch.in_task(None);
    polled
}

/// Runs a task, its panics caught.
async fn caught(task: impl Future<Output = TaskResult>) -> Outcome {
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) if error.is_recorded() => Outcome::RequestFailed,
        Ok(Err(error)) => match error.flow() {
            Some(flow) => Outcome::Asked(flow.clone()),
            None => Outcome::Error(error.with_place()),
        },
        Err(panic) => Outcome::of_panic(&*panic),
    }
}

/// An error of a task, or of what belongs to one: the one way to the listeners, the log and the results.
pub(crate) fn report(context: &UserContext, task: &str, error: &str) {
    let run = &context.run;
    run.events
        .heard_user_error(&run.log, task, error, &context.info);
    run.log.error(task, error);
    run.recorder.task_error(task, error);
}

/// The same for code of the scenario that is not a future.
pub(super) fn report_panic(context: &UserContext, task: &str, panic: &(dyn Any + Send)) {
    report(context, task, &panicked(panic));
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", panic_message(panic))
}

/// A task asks to end the whole test.
pub(super) fn end_test(context: &UserContext, task: &str, end: &TestEnd) {
    let run = &context.run;
    // That it finishes is in the run's log, once.
    if let TestEnd::Stop(reason) = end {
        run.log.error(task, &format!("stops the test: {reason}"));
    }
    run.run.end_test(end);
}
