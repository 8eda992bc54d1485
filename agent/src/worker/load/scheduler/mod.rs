//! The worker's scheduler: orders the engine to start and stop users and to begin iterations when they are due by the
//! load profile, and follows the profile when it changes.
//!
//! What is due when is decided by the profile (`UserPlan`, `ArrivalTimes`); this module only waits. Both loops end when
//! the engine takes no more orders.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use greylag_infra::{LoadProfile, ProfileStep, RunTime, UserPlan, UserTurn, UserTypeWeight};
use greylag_scenarios::{Arrival, PlannedUser, Recorder, UserOrder};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::slot_user_types::SlotUserTypes;

/// Orders that wait for the engine at most; the scheduler waits when it does not keep up.
pub(super) const ORDER_QUEUE: usize = 1_024;
/// How long the engine is given to take its orders, before it is looked at again.
const ENGINE_TURN: Duration = Duration::from_millis(1);
/// Iterations that wait for the engine at most; what is due beyond them is skipped.
pub(super) const ARRIVAL_QUEUE: usize = 8_192;

/// Which part of a run a scheduler is for.
#[derive(Debug, Clone)]
pub(super) struct Scheduler {
    /// Run time zero; may be in the future.
    pub(super) run_zero: Instant,
    /// This worker among all of the run.
    pub(super) worker: u32,
    /// Workers of the run.
    pub(super) workers: u32,
    /// The profile as it is now.
    pub(super) profile: watch::Receiver<LoadProfile>,
}

impl Scheduler {
    /// Starts and stops this worker's users when they are due. Each time a step of the profile has been
    /// followed to its end here, the users it asks for over the whole run go to `spawned`.
    pub(super) async fn schedule_users(
        mut self,
        weights: &[UserTypeWeight],
        orders: mpsc::Sender<UserOrder>,
        spawned: mpsc::UnboundedSender<u64>,
    ) {
        let (worker, workers) = (self.worker, self.workers);
        let mut slots = SlotUserTypes::new(weights, workers, &[worker]);
        let mut steps = Steps::new(&self.profile.borrow_and_update());
        let mut active = 0_u64;
        loop {
            let now = self.run_time();
            let turn = steps.plan.next_change_of(worker, workers, active, now);
            if let Some(users) = steps.completed(now, turn) {
                while orders.capacity() < orders.max_capacity() && !orders.is_closed() {
                    sleep(ENGINE_TURN).await;
                }
                let _ = spawned.send(users);
            }
            let next = turn.map(|turn| turn.at);
            let wake_at = next.into_iter().chain(steps.next_begin(now)).min();
            match (self.until_changed(wake_at, orders.closed()).await, turn) {
                (Woken::Closed, _) => return,
                (Woken::Changed, _) => steps.change(&self.profile.borrow_and_update()),
                (Woken::Due, Some(turn)) if Some(turn.at) == wake_at => {
                    // Slots of ours are taken and left in order, so it is the next one or the last.
                    let order = if turn.starts {
                        active += 1;
                        let slot = usize::try_from(active - 1).unwrap_or(usize::MAX);
                        // After fixed counts alone the rest of the slots stay empty.
                        slots.user_type_of(slot).map(|user_type| {
                            UserOrder::Start(PlannedUser {
                                index: turn.index,
                                user_type,
                            })
                        })
                    } else {
                        active -= 1;
                        Some(UserOrder::Stop { index: turn.index })
                    };
                    if let Some(order) = order
                        && orders.send(order).await.is_err()
                    {
                        return;
                    }
                }
                // A step begins in which nothing may change here.
                (Woken::Due, _) => {}
            }
        }
    }

    /// Hands over the intended starts of this worker's iterations when they are due. What the engine has no
    /// room for is skipped.
    pub(super) async fn schedule_arrivals(
        mut self,
        arrivals: mpsc::Sender<Instant>,
        recorder: Arc<dyn Recorder>,
    ) {
        let (worker, workers) = (self.worker, self.workers);
        let times =
            |profile: &LoadProfile, from| profile.arrival_times(worker, workers, from).peekable();
        let mut due = times(&self.profile.borrow_and_update(), RunTime::ZERO);
        let mut handed_over = RunTime::ZERO;
        loop {
            let next = due.peek().map(|arrival| arrival.at);
            match (self.until_changed(next, arrivals.closed()).await, next) {
                (Woken::Closed, _) => return,
                (Woken::Changed, _) | (_, None) => {
                    due = times(&self.profile.borrow_and_update(), handed_over);
                }
                (Woken::Due, Some(at)) => {
                    due.next();
                    handed_over = at + Duration::from_micros(1);
                    let intended = self.instant_of(at);
                    if arrivals.capacity() == 0 {
                        // The engine may only have had no turn: we share its thread.
                        tokio::task::yield_now().await;
                    }
                    if let Err(mpsc::error::TrySendError::Full(_)) = arrivals.try_send(intended) {
                        recorder.arrival(Arrival::Skipped);
                    }
                }
            }
        }
    }

    /// Waits until this run time (for ever for none), a change of the profile, or the end of the engine.
    async fn until_changed(
        &mut self,
        at: Option<RunTime>,
        closed: impl Future<Output = ()>,
    ) -> Woken {
        let due = at.map(|at| self.instant_of(at));
        // Without a timer for what is due already: a jump starts many users at one moment.
        if let Some(due) = due
            && due <= Instant::now()
            && !self.profile.has_changed().unwrap_or(false)
        {
            return Woken::Due;
        }
        let profile = &mut self.profile;
        let changed = async {
            if profile.changed().await.is_err() {
                // Its sender is gone, so it does not change any more.
                std::future::pending().await
            }
        };
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closed => Woken::Closed,
            () = changed => Woken::Changed,
            () = is_due => Woken::Due,
        }
    }

    fn run_time(&self) -> RunTime {
        RunTime::from(Instant::now().saturating_duration_since(self.run_zero))
    }

    fn instant_of(&self, at: RunTime) -> Instant {
        let far = Duration::from_secs(u64::from(u32::MAX));
        // Beyond a century it does not matter when.
        self.run_zero
            .checked_add(at.since_zero().min(far))
            .unwrap_or(self.run_zero)
    }
}

/// The steps of a profile, and which of them have been followed to their end here.
struct Steps {
    plan: UserPlan,
    steps: Vec<ProfileStep>,
    /// When the load ends.
    ends_at: RunTime,
    /// The beginning of the last step that is completed here.
    completed: Option<RunTime>,
}

impl Steps {
    fn new(profile: &LoadProfile) -> Self {
        Self {
            plan: profile.user_plan(),
            steps: profile.steps.clone(),
            ends_at: profile.ends_at,
            completed: None,
        }
    }

    fn change(&mut self, profile: &LoadProfile) {
        self.plan = profile.user_plan();
        self.steps.clone_from(&profile.steps);
        self.ends_at = profile.ends_at;
    }

    /// When the first step after now begins.
    fn next_begin(&self, now: RunTime) -> Option<RunTime> {
        let next = self.steps.partition_point(|step| step.at <= now);
        self.steps.get(next).map(|step| step.at)
    }

    /// The users that the step of now asks for, once nothing more is to change here because of it. A step that
    /// another takes over from is never completed.
    fn completed(&mut self, now: RunTime, next: Option<UserTurn>) -> Option<u64> {
        let ruling = self.steps.partition_point(|step| step.at <= now);
        let step = self.steps[..ruling].last()?;
        let ends_at = self.next_begin(now).unwrap_or(RunTime::MAX);
        // A run that ends within a ramp never has its users.
        let ends_at = ends_at.min(self.ends_at);
        let is_reached = step.reached_at() <= ends_at;
        let is_followed = next.is_none_or(|turn| turn.at >= ends_at);
        if !is_reached || !is_followed || self.completed >= Some(step.at) {
            return None;
        }
        self.completed = Some(step.at);
        Some(step.users)
    }
}

/// Why a scheduler woke up.
enum Woken {
    Due,
    Changed,
    Closed,
}
