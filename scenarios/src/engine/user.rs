//! The life of one user.
//!
//! ```text
//! planned ── starts_after ──> on_start ──> task ──> wait ──> task … ──> on_stop
//!    └───────── stop ─────────────┴──────── stop ─────┴── (nothing) or on_stop
//! ```
//!
//! A stop ends a waiting user at once. A task under way may go on for the stop time-out and is then
//! dropped, with its request; `on_stop` runs in every case once the user had started, for what is
//! left of the stop time-out and a second more.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt as _;
use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::attack::PlannedUser;
use crate::client::{Client, ClientShared};
use crate::engine::stop::StopSignal;
use crate::recorder::{RunContext, UserContext};
use crate::run::UserInfo;
use crate::scenario::Scenario;
use crate::task::TaskResult;
use crate::user_type::UserType;

/// Everybody this process runs.
pub(super) struct Crew {
    context: Arc<RunContext>,
    /// The iterations of an arrival rate, where there is one.
    arrivals: Option<Arc<Arrivals>>,
    /// The scenario's user types, each with what its users' clients share.
    user_types: Vec<(UserType, Arc<ClientShared>)>,
}

impl Crew {
    pub(super) fn new(
        scenario: &Scenario,
        context: Arc<RunContext>,
        arrivals: Option<Arc<Arrivals>>,
    ) -> Result<Self, String> {
        let host = context.run.host().ok_or("no host is given")?;
        let user_types = scenario
            .user_types
            .iter()
            .map(|user_type| {
                let shared = ClientShared::new(host, Arc::clone(user_type.client_options()))?;
                Ok((user_type.clone(), Arc::new(shared)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            context,
            arrivals,
            user_types,
        })
    }

    /// The whole life of a user, until it ends by itself or `stop` is raised.
    pub(super) async fn live(&self, planned: PlannedUser, stop: Arc<StopSignal>) {
        if stop.is_raised() {
            return;
        }
        let (user_type, shared) = &self.user_types[planned.user_type];
        let _present = Present::new(&self.context);
        let context = Arc::new(UserContext {
            run: Arc::clone(&self.context),
            stop,
            info: UserInfo {
                index: planned.index,
                user_type: user_type.name().into(),
            },
        });
        let mut user = Life {
            context: &context,
            user_type,
            client: Client::new(Arc::clone(shared), Arc::clone(&context)),
            random: SmallRng::from_rng(&mut rand::rng()),
        };
        user.run().await;
    }
}

#[derive(PartialEq)]
enum Woken {
    InTime,
    Stopped,
}

/// Sleeps until `instant` (for ever if it is beyond the clock) or until the run is stopped.
async fn wait_until(stop: &StopSignal, instant: Option<Instant>) -> Woken {
    let mut stopped = pin!(stop.raised());
    stopped.as_mut().enable();
    if stop.is_raised() {
        return Woken::Stopped;
    }
    let Some(instant) = instant else {
        stopped.await;
        return Woken::Stopped;
    };
    if instant <= Instant::now() {
        return Woken::InTime;
    }
    tokio::select! {
        biased;
        () = stopped => Woken::Stopped,
        () = tokio::time::sleep_until(instant) => Woken::InTime,
    }
}

/// Counts a user as active for as long as it lives, also when it is dropped.
struct Present<'a>(&'a RunContext);

impl<'a> Present<'a> {
    fn new(context: &'a RunContext) -> Self {
        context.recorder.user_started();
        Self(context)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.recorder.user_stopped();
    }
}

struct Life<'a> {
    context: &'a UserContext,
    user_type: &'a UserType,
    client: Client,
    random: SmallRng,
}

impl Life<'_> {
    async fn run(&mut self) {
        // Making a user's state is the scenario's code as much as its tasks are.
        let made = catch_unwind(AssertUnwindSafe(|| self.user_type.new_user()));
        let mut user = match made {
            Ok(user) => user,
            Err(panic) => {
                let outcome = Outcome::of_panic(&*panic);
                return report(self.context, self.user_type.name(), &outcome);
            }
        };
        if let Some((name, run)) = user.on_start(&mut self.client) {
            let ended = bounded(self.context, run).await;
            let failed = matches!(&ended.outcome, Outcome::Error(_) | Outcome::Panicked(_));
            report(self.context, &name, &ended.outcome);
            if failed {
                return;
            }
        }
        while !self.context.stop.is_raised() {
            let tasks = self.user_type.task_table();
            let index = tasks.draw(&mut self.random);
            // Inside the future, so that a panic before the task's own future exists is caught too.
            let task = async { user.task(index, &mut self.client).await };
            let ended = bounded(self.context, task).await;
            report(self.context, tasks.name(index), &ended.outcome);
            let wait = self.user_type.wait_time().draw(&mut self.random);
            if !ended.paused {
                // A task that never waited for anything (an empty task) would keep a single-threaded
                // runtime to itself, also with a wait that is over before it is looked at.
                tokio::task::yield_now().await;
            }
            if !wait.is_zero()
                && wait_until(&self.context.stop, Instant::now().checked_add(wait)).await
                    == Woken::Stopped
            {
                break;
            }
        }
        if let Some((name, run)) = user.on_stop(&mut self.client) {
            let mut run = pin!(caught(run));
            let deadline = self.context.stop.on_stop_deadline();
            match tokio::time::timeout_at(deadline, &mut run).await {
                Ok(outcome) => report(self.context, &name, &outcome),
                // Before the run is dropped, so that its request is recorded as cut off.
                Err(_) => self.context.stop.cut_off(),
            }
        }
    }
}

/// How a task ended.
enum Outcome {
    Done,
    /// A request failed, and its sample says so.
    RequestFailed,
    Error(String),
    Panicked(String),
    /// The stop time-out was over; the task was dropped.
    CutOff,
}

impl Outcome {
    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked(format!("panicked: {}", message(panic)))
    }
}

struct Ended {
    outcome: Outcome,
    /// Whether the task ever had to wait.
    paused: bool,
}

/// Runs a task to its end, but not beyond the stop time-out once the run is stopped.
async fn bounded(context: &UserContext, task: impl Future<Output = TaskResult>) -> Ended {
    let mut stopped = pin!(context.stop.raised());
    let mut deadline = pin!(None);
    let mut paused = false;
    let outcome = {
        let mut task = pin!(caught(task));
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = task.as_mut().poll(cx) {
                return Poll::Ready(outcome);
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
                let at = context.stop.deadline().unwrap_or_else(Instant::now);
                deadline.set(Some(tokio::time::sleep_until(at)));
            }
            match deadline.as_mut().as_pin_mut().map(|sleep| sleep.poll(cx)) {
                Some(Poll::Ready(())) => {
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

/// Runs a task, its panics caught.
async fn caught(task: impl Future<Output = TaskResult>) -> Outcome {
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) if error.is_recorded() => Outcome::RequestFailed,
        Ok(Err(error)) => Outcome::Error(error.to_string()),
        Err(panic) => Outcome::of_panic(&*panic),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "(no message)"
    }
}

fn report(context: &UserContext, task: &str, outcome: &Outcome) {
    let context = &context.run;
    match outcome {
        Outcome::Done | Outcome::RequestFailed | Outcome::CutOff => {}
        Outcome::Error(text) | Outcome::Panicked(text) => {
            context.log.error(task, text);
            context.recorder.task_error(task, text);
        }
    }
}
