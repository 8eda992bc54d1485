//! Users to be, and the goose users that wait to be them.
//!
//! A goose user is a slot: it takes a user from the queue, runs it to its end, and takes the next one. So
//! users can come and go at any time, while goose launches and joins those it was started with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::attack::PlannedUser;
use super::stop::StopSignal;

/// What goose users take users from, and who is active.
pub(super) struct Slots {
    stop_timeout: Duration,
    state: Mutex<State>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Assignment>>,
}

struct State {
    /// Gone once the run is being stopped. As many wait in it at most as users were asked for.
    queue: Option<mpsc::UnboundedSender<Assignment>>,
    /// Users that wait for a slot or run, by their index.
    present: HashMap<u64, Arc<StopSignal>>,
    /// Users that begin when the one of their index, which has been asked to stop, has ended.
    successors: HashMap<u64, PlannedUser>,
}

/// A user that is to run now.
pub(super) struct Assignment {
    pub(super) planned: PlannedUser,
    pub(super) stop: Arc<StopSignal>,
}

impl Slots {
    pub(super) fn new(stop_timeout: Duration) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            stop_timeout,
            state: Mutex::new(State {
                queue: Some(sender),
                present: HashMap::new(),
                successors: HashMap::new(),
            }),
            queue: tokio::sync::Mutex::new(receiver),
        }
    }

    /// Puts a user into the queue, when its index is free: what belongs to an index (a row of test data, say) is
    /// never two users'. Once the run is being stopped this does nothing.
    pub(super) fn start(&self, planned: PlannedUser) {
        let mut state = self.lock();
        if state.present.contains_key(&planned.index) {
            state.successors.insert(planned.index, planned);
        } else {
            state.enqueue(planned, self.stop_timeout);
        }
    }

    /// Asks the user with this index to stop, if it is there.
    pub(super) fn stop(&self, index: u64) {
        let mut state = self.lock();
        if state.successors.remove(&index).is_some() {
            // The one before it was asked already.
            return;
        }
        let stop = state.present.get(&index).map(Arc::clone);
        drop(state);
        if let Some(stop) = stop {
            stop.raise();
        }
    }

    /// Asks all users to stop and takes no more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.queue = None;
        let present: Vec<_> = state.present.values().map(Arc::clone).collect();
        drop(state);
        for stop in present {
            stop.raise();
        }
    }

    /// Users that wait for a slot or run.
    pub(super) fn present(&self) -> usize {
        self.lock().present.len()
    }

    /// The next user for a slot; `None` when the run is being stopped.
    pub(super) async fn next(&self) -> Option<Assignment> {
        self.queue.lock().await.recv().await
    }

    /// Forgets a user that has ended; the next one of its index may begin.
    pub(super) fn ended(&self, assignment: &Assignment) {
        let mut state = self.lock();
        let index = assignment.planned.index;
        state.present.remove(&index);
        if let Some(successor) = state.successors.remove(&index) {
            state.enqueue(successor, self.stop_timeout);
        }
    }

    /// A panic while it is held leaves maps that are still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, planned: PlannedUser, stop_timeout: Duration) {
        let Some(queue) = &self.queue else {
            return;
        };
        let stop = Arc::new(StopSignal::new(stop_timeout));
        // The receiver stays as long as we do.
        let _ = queue.send(Assignment {
            planned,
            stop: Arc::clone(&stop),
        });
        self.present.insert(planned.index, stop);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    fn user(index: u64) -> PlannedUser {
        PlannedUser {
            index,
            user_type: 0,
        }
    }

    #[tokio::test]
    async fn a_stop_reaches_the_one_user_of_that_index() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start(user(7));
        slots.start(user(8));
        let seven = slots.next().await.unwrap();
        slots.stop(7);
        slots.stop(9);
        let eight = slots.next().await.unwrap();
        assert!(seven.stop.is_raised() && !eight.stop.is_raised());
        // The next user of the same index is another one, and waits until the first has ended.
        slots.start(user(7));
        assert!(poll!(pin!(slots.next())).is_pending());
        slots.ended(&seven);
        let again = slots.next().await.unwrap();
        assert!(!again.stop.is_raised());
        slots.stop(7);
        assert!(again.stop.is_raised());
        assert_eq!(slots.present(), 2);
    }

    #[tokio::test]
    async fn a_successor_that_is_stopped_before_it_could_begin_never_does() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start(user(7));
        let first = slots.next().await.unwrap();
        slots.stop(7);
        slots.start(user(7));
        slots.stop(7);
        slots.ended(&first);
        assert!(poll!(pin!(slots.next())).is_pending());
        assert_eq!(slots.present(), 0);
        slots.start(user(7));
        let last = slots.next().await.unwrap();
        slots.stop(7);
        slots.start(user(7));
        // No user begins once the run is being stopped.
        slots.close();
        slots.ended(&last);
        assert!(slots.next().await.is_none());
        assert_eq!(slots.present(), 0);
    }

    #[tokio::test]
    async fn closed_slots_stop_everybody_and_take_nobody() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start(user(1));
        slots.start(user(2));
        let first = slots.next().await.unwrap();
        slots.close();
        slots.start(user(3));
        assert!(first.stop.is_raised());
        let waiting = slots.next().await.unwrap();
        assert!(waiting.stop.is_raised());
        assert!(slots.next().await.is_none());
        slots.ended(&first);
        slots.ended(&waiting);
        assert_eq!(slots.present(), 0);
    }
}
