//! The life of one user.
//!
//! ```text
//! on_start ──> pick ──> task ──────────> wait ──> pick …  ──> on_stop
//!               │                          ^
//!               └──> task set: on_start ──> pick … ──> interrupt ──> its on_stop
//! ```
//!
//! The task sets a user is in are levels, one upon the other; each has its place in its own order and
//! maybe its own wait time. Nothing is recursive, and a user outside of task sets has one level.
//!
//! A stop ends a waiting user immediately. A task under way may continue for the stop timeout and is then
//! dropped, with its request; the `on_stop` of every level that was entered runs in every case, the
//! innermost first, for what is left of the stop timeout and a second more.

mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::loop_watch::NameId;
use super::pace::{Pace, lateness};
use super::task_run::{Limit, Outcome, bounded, end_test, report, report_panic};
use crate::client::Client;
use crate::run::UserContext;
use crate::task::{Cursor, Flow, TagSet, TaskEntry, TaskTable, UserRun, Wait};
use crate::user::UserType;
use waiting::Woken;

pub(crate) use waiting::next_arrival;

/// What is said to a task that interrupts what it is not in.
const NOT_IN_A_TASK_SET: &str = "interrupt() was called outside of a task set: only the tasks of a task \
     set can leave it; return stop_user() to end the user, or reschedule() to end the task";

/// Runs a user from `on_start` to `on_stop`.
pub(super) async fn run_user(
    context: &UserContext,
    user_type: &UserType,
    client: Client,
    arrivals: Option<&Arrivals>,
) {
    let born = Instant::now();
    // Making a user's state is the scenario's code as much as its tasks are.
    let user = match catch_unwind(AssertUnwindSafe(|| user_type.new_user())) {
        Ok(user) => user,
        Err(panic) => {
            return report_panic(context, user_type.name(), &*panic);
        }
    };
    let mut life = Life {
        context,
        user,
        client,
        random: SmallRng::from_rng(&mut rand::rng()),
        arrivals,
        levels: vec![Level::new(user_type.task_table(), TagSet::NONE, born)],
    };
    if life.begin().await {
        life.work().await;
        life.end().await;
    }
}

/// The user's own tasks, or those of a task set it is in.
struct Level<'a> {
    table: &'a TaskTable,
    cursor: Cursor,
    /// What its `on_start` and `on_stop` count for: the tags of a task set and of those around it.
    tags: TagSet,
    /// The schedule of its own wait time, where that is paced.
    pace: Option<Pace>,
}

impl<'a> Level<'a> {
    fn new(table: &'a TaskTable, tags: TagSet, born: Instant) -> Self {
        let pace = match table.wait() {
            Wait::Time(wait_time) => wait_time.pace().map(|period| Pace::new(period, born)),
            Wait::OfTheUser | Wait::Function => None,
        };
        Self {
            table,
            cursor: Cursor::new(table),
            tags,
            pace,
        }
    }
}

/// What a user does after a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Waits and picks.
    Wait,
    /// Picks immediately.
    Pick,
    /// Leaves the task set, and picks immediately or waits.
    Leave { immediately: bool },
    /// Ends.
    End,
}

struct Life<'a> {
    context: &'a UserContext,
    user: Box<dyn UserRun>,
    client: Client,
    random: SmallRng,
    /// The iterations it works on, in place of its own pace.
    arrivals: Option<&'a Arrivals>,
    /// Never empty; the first is the user's own.
    levels: Vec<Level<'a>>,
}

impl<'a> Life<'a> {
    /// Runs the user's `on_start`. Says whether the user continues at all, if only to its `on_stop`.
    async fn begin(&mut self) -> bool {
        let Some((name, run)) = self.user.on_start(&mut self.client) else {
            self.enter_pace();
            return true;
        };
        let id = NameId::of(&name);
        let ended = bounded(self.context, Limit::StopTimeout, id, run).await;
        self.enter_pace();
        match ended.outcome {
            Outcome::Done | Outcome::RequestFailed | Outcome::CutOff => true,
            Outcome::Error(text) | Outcome::Panicked(text) => {
                report(self.context, &name, &text);
                false
            }
            Outcome::Asked(Flow::StopUser) => {
                self.end().await;
                false
            }
            Outcome::Asked(Flow::EndTest(end)) => {
                end_test(self.context, &name, &end);
                self.end().await;
                false
            }
            Outcome::Asked(flow) => {
                report(self.context, &name, &misplaced(&flow));
                false
            }
        }
    }

    /// Picks and runs tasks until the user is to end.
    async fn work(&mut self) {
        while !self.context.stop.is_raised() {
            if let (Some(arrivals), [level]) = (self.arrivals, self.levels.as_mut_slice()) {
                let Some(intended) = next_arrival(&self.context.stop, arrivals).await else {
                    return;
                };
                let now = Instant::now();
                if let Some(pace) = &mut level.pace {
                    pace.restart(now);
                }
                self.client.set_delay(Some(lateness(intended, true)));
            }
            let Some(level) = self.levels.last_mut() else {
                return;
            };
            let table: &'a TaskTable = level.table;
            let index = level.cursor.next(table, &mut self.random);
            let entry = table.entry(index);
            self.client.set_tags(entry.counted());
            let (next, paused) = match entry.set() {
                None => {
                    let (user, client) = (&mut self.user, &mut self.client);
                    // Inside the future, so that a panic before the task's own future exists is caught too.
                    let task = async { user.task(index, client).await };
                    let ended = bounded(self.context, Limit::StopTimeout, entry.id(), task).await;
                    (self.after(entry.name(), ended.outcome), ended.paused)
                }
                Some(set) => self.enter(index, entry, set).await,
            };
            if !paused {
                // A task that never waited for anything (an empty task) would keep a single-threaded
                // runtime to itself, also with a wait that is over before it is looked at.
                tokio::task::yield_now().await;
            }
            let next = match next {
                Next::Leave { immediately } => self.leave(entry.name(), immediately).await,
                next => next,
            };
            match next {
                Next::Pick | Next::Leave { .. } => {}
                Next::Wait => {
                    if self.wait().await == Woken::Stopped {
                        return;
                    }
                }
                Next::End => return,
            }
        }
    }

    /// What a task's end means.
    fn after(&self, task: &str, outcome: Outcome) -> Next {
        match outcome {
            Outcome::Done | Outcome::RequestFailed | Outcome::Asked(Flow::Reschedule) => Next::Wait,
            Outcome::Error(text) | Outcome::Panicked(text) => {
                report(self.context, task, &text);
                Next::Wait
            }
            Outcome::Asked(Flow::RescheduleImmediately) => Next::Pick,
            Outcome::Asked(Flow::Interrupt { immediately }) => Next::Leave { immediately },
            Outcome::Asked(Flow::StopUser) | Outcome::CutOff => Next::End,
            Outcome::Asked(Flow::EndTest(end)) => {
                end_test(self.context, task, &end);
                Next::End
            }
        }
    }
}

/// Task sets.
impl<'a> Life<'a> {
    /// Enters a task set and runs its `on_start`; says too whether that ever had to wait.
    async fn enter(&mut self, index: usize, task: &TaskEntry, set: &'a TaskTable) -> (Next, bool) {
        let born = Instant::now();
        let entered = catch_unwind(AssertUnwindSafe(|| self.user.enter(index)));
        if let Err(panic) = entered {
            return (self.after(task.name(), Outcome::of_panic(&*panic)), false);
        }
        let owner = self.wait_owner();
        self.levels.push(Level::new(set, task.counted(), born));
        let mut paused = true;
        let began = match self.user.on_start(&mut self.client) {
            Some((name, run)) => {
                let id = NameId::of(&name);
                let ended = bounded(self.context, Limit::StopTimeout, id, run).await;
                Some((name, ended))
            }
            None => None,
        };
        if let Some((name, ended)) = began {
            paused = ended.paused;
            if !matches!(ended.outcome, Outcome::Done | Outcome::RequestFailed) {
                // As in Locust: who never began there does not run its on_stop, and is outside again.
                self.user.leave();
                self.levels.pop();
                let next = match self.after(&name, ended.outcome) {
                    Next::Leave { immediately: true } => Next::Pick,
                    Next::Leave { immediately: false } => Next::Wait,
                    next => next,
                };
                return (next, paused);
            }
        }
        if self.wait_owner() != owner {
            self.enter_pace();
        }
        (Next::Pick, paused)
    }

    /// Leaves the innermost task set for a task that interrupted it.
    async fn leave(&mut self, task: &str, immediately: bool) -> Next {
        if self.levels.len() == 1 {
            report(self.context, task, NOT_IN_A_TASK_SET);
            return Next::Wait;
        }
        let owner = self.wait_owner();
        let next = self.stop_level().await;
        if self.wait_owner() != owner {
            self.enter_pace();
        }
        match (next, immediately) {
            (Next::End, _) => Next::End,
            (_, true) => Next::Pick,
            (_, false) => Next::Wait,
        }
    }

    /// Runs the `on_stop` of the innermost level and leaves it, if it is a task set.
    async fn stop_level(&mut self) -> Next {
        let mut next = Next::Pick;
        if let Some(level) = self.levels.last() {
            self.client.set_tags(level.tags);
        }
        if let Some((name, run)) = self.user.on_stop(&mut self.client) {
            let ended = bounded(self.context, Limit::OnStop, NameId::of(&name), run).await;
            match ended.outcome {
                Outcome::Done | Outcome::RequestFailed | Outcome::CutOff => {}
                Outcome::Error(text) | Outcome::Panicked(text) => {
                    report(self.context, &name, &text);
                }
                Outcome::Asked(Flow::StopUser) => next = Next::End,
                Outcome::Asked(Flow::EndTest(end)) => {
                    end_test(self.context, &name, &end);
                    next = Next::End;
                }
                Outcome::Asked(flow) => report(self.context, &name, &misplaced(&flow)),
            }
        }
        if self.levels.len() > 1 {
            self.user.leave();
            self.levels.pop();
        }
        next
    }

    /// Runs what is left of `on_stop`s, the innermost first.
    async fn end(&mut self) {
        // The start of these is not scheduled.
        self.client.set_delay(None);
        while self.levels.len() > 1 {
            self.stop_level().await;
        }
        self.stop_level().await;
    }
}

/// The message for what a function cannot ask for.
fn misplaced(flow: &Flow) -> String {
    match flow {
        Flow::Interrupt { .. } => NOT_IN_A_TASK_SET.to_owned(),
        _ => "reschedule() has no meaning here: only a task can be rescheduled".to_owned(),
    }
}

#[cfg(test)]
mod tests;
