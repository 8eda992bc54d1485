//! How a user waits between its tasks, and for the iterations of an arrival rate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use super::Life;
use crate::engine::StopSignal;
use crate::engine::arrivals::Arrivals;
use crate::engine::pace::lateness;
use crate::engine::task_run::report_panic;
use crate::task::Wait;

/// Who waits longer than this gives back the memory that only requests need.
const LONG_WAIT: Duration = Duration::from_millis(100);

#[derive(PartialEq)]
pub(super) enum Woken {
    InTime,
    Stopped,
}

impl Life<'_> {
    /// The level whose wait time is used now: the innermost if it has its own, else the user's (not that of
    /// a task set in between), as in Locust.
    pub(super) fn wait_owner(&self) -> usize {
        match self.levels.last().map(|level| level.table.wait()) {
            None | Some(Wait::OfTheUser) => 0,
            Some(Wait::Time(_) | Wait::Function) => self.levels.len() - 1,
        }
    }

    /// Begins to use the wait time of another level. Whatever came before was not paced by it, so the task
    /// that follows now is in time.
    pub(super) fn enter_pace(&mut self) {
        if self.arrivals.is_some() {
            return;
        }
        let owner = self.wait_owner();
        let delay = self.levels[owner].pace.as_mut().map(|pace| {
            pace.enter(Instant::now());
            Duration::ZERO
        });
        self.client.set_delay(delay);
    }

    /// Waits between two tasks.
    pub(super) async fn wait(&mut self) -> Woken {
        if self.arrivals.is_some() && self.levels.len() == 1 {
            return Woken::InTime;
        }
        let owner = self.wait_owner();
        let level = &mut self.levels[owner];
        if let Some(pace) = &mut level.pace {
            let intended = pace.take(Instant::now());
            return self.wait_for(intended).await;
        }
        let wait = match level.table.wait() {
            Wait::Time(wait_time) => wait_time.draw(&mut self.random),
            Wait::OfTheUser | Wait::Function => {
                let asked = catch_unwind(AssertUnwindSafe(|| match owner {
                    0 => self.user.user_wait_time(),
                    _ => self.user.set_wait_time(),
                }));
                match asked {
                    Ok(wait) => wait,
                    Err(panic) => {
                        // Asked again it would panic again: Locust's user dies of it, too.
                        let task = format!("wait_time of {}", level.table.name());
                        report_panic(self.context, &task, &*panic);
                        return Woken::Stopped;
                    }
                }
            }
        };
        if wait.is_zero() {
            return Woken::InTime;
        }
        self.before_wait(wait);
        wait_until(&self.context.stop, Instant::now().checked_add(wait)).await
    }

    fn before_wait(&self, wait: Duration) {
        if wait >= LONG_WAIT {
            self.client.release_memory();
        }
    }

    /// Waits for the intended start of a task and tells the client how late it is.
    async fn wait_for(&mut self, intended: Instant) -> Woken {
        let wait = intended.saturating_duration_since(Instant::now());
        let sleeps = !wait.is_zero();
        self.before_wait(wait);
        let woken = wait_until(&self.context.stop, Some(intended)).await;
        // In an arrival rate's iteration it is the iteration that is late or not.
        if self.arrivals.is_none() {
            self.client.set_delay(Some(lateness(intended, sleeps)));
        }
        woken
    }
}

/// The intended start of the next iteration; `None` once the user is to stop.
pub(crate) async fn next_arrival(stop: &StopSignal, arrivals: &Arrivals) -> Option<Instant> {
    let mut stopped = pin!(stop.raised());
    stopped.as_mut().enable();
    if stop.is_raised() {
        return None;
    }
    tokio::select! {
        biased;
        () = stopped => None,
        intended = arrivals.next() => intended,
    }
}

/// Sleeps until `instant` (for ever if it is beyond the clock) or until the user is to stop.
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
