//! Users to be: from the order to start one until a goose user takes it, and who is active.
//!
//! So users can come and go at any time, while goose launches and joins those it was started with.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::attack::PlannedUser;
use super::stop::StopSignal;

/// Users that have been started and have not begun yet, at most. A start of many users is made of slices of this size,
/// so that those who are there already have their turn in between: to begin takes a few dozen microseconds, most of
/// them for the first connection.
pub(super) const START_SLICE: usize = 64;

/// What goose users take users from, and who is active.
pub(super) struct Slots {
    stop_timeout: Duration,
    state: Mutex<State>,
    /// One permit for each user in the queue; closed once the run is being stopped.
    queued: Semaphore,
    /// One permit for each user that may still be started before another has begun.
    room: Arc<Semaphore>,
}

struct State {
    is_open: bool,
    queue: VecDeque<Assignment>,
    /// Users that wait for their beginning or run, by their index.
    present: HashMap<u64, Arc<StopSignal>>,
    /// Users that begin when the one of their index, which has been asked to stop, has ended.
    successors: HashMap<u64, PlannedUser>,
}

/// A user that is to run now.
pub(super) struct Assignment {
    pub(super) planned: PlannedUser,
    pub(super) stop: Arc<StopSignal>,
    /// Gives its room to the next one; none for a user that had to wait for the one before it.
    room: Option<Room>,
}

/// Room for one more user to begin.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Assignment {
    /// The user begins, so another one may be started.
    pub(super) fn begin(&mut self) {
        self.room = None;
    }
}

impl Slots {
    pub(super) fn new(stop_timeout: Duration) -> Self {
        Self {
            stop_timeout,
            state: Mutex::new(State {
                is_open: true,
                queue: VecDeque::new(),
                present: HashMap::new(),
                successors: HashMap::new(),
            }),
            queued: Semaphore::new(0),
            room: Arc::new(Semaphore::new(START_SLICE)),
        }
    }

    /// Waits until so many of those that were started have begun that one more may be started. May be dropped while it
    /// waits.
    pub(super) async fn room(&self) -> Room {
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(permit) => Room { _permit: permit },
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Puts a user into the queue, when its index is free: what belongs to an index (a row of test data, say) is
    /// never two users'. Once the run is being stopped this does nothing.
    pub(super) fn start(&self, planned: PlannedUser, room: Room) {
        let mut state = self.lock();
        if state.present.contains_key(&planned.index) {
            state.successors.insert(planned.index, planned);
        } else {
            self.enqueue(&mut state, planned, Some(room));
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

    /// Asks all users to stop and takes no more. Who has not been taken never begins.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_open = false;
        for waiting in std::mem::take(&mut state.queue) {
            state.present.remove(&waiting.planned.index);
        }
        let present: Vec<_> = state.present.values().map(Arc::clone).collect();
        drop(state);
        self.queued.close();
        for stop in present {
            stop.raise();
        }
    }

    /// Users that wait for their beginning or run.
    #[cfg(test)]
    fn present(&self) -> usize {
        self.lock().present.len()
    }

    /// The next user to run; `None` when the run is being stopped.
    pub(super) async fn next(&self) -> Option<Assignment> {
        self.queued.acquire().await.ok()?.forget();
        self.lock().queue.pop_front()
    }

    /// Forgets a user that has ended; the next one of its index may begin.
    pub(super) fn ended(&self, index: u64) {
        let mut state = self.lock();
        state.present.remove(&index);
        if let Some(successor) = state.successors.remove(&index) {
            self.enqueue(&mut state, successor, None);
        }
    }

    fn enqueue(&self, state: &mut State, planned: PlannedUser, room: Option<Room>) {
        if !state.is_open {
            return;
        }
        let stop = Arc::new(StopSignal::new(self.stop_timeout));
        state.present.insert(planned.index, Arc::clone(&stop));
        state.queue.push_back(Assignment {
            planned,
            stop,
            room,
        });
        self.queued.add_permits(1);
    }

    /// A panic while it is held leaves maps that are still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt as _, poll};

    use super::*;

    impl Slots {
        async fn start_with_room(&self, index: u64) {
            let room = self.room().await;
            self.start(user(index), room);
        }
    }

    fn user(index: u64) -> PlannedUser {
        PlannedUser {
            index,
            user_type: 0,
        }
    }

    #[test]
    fn a_start_of_many_users_is_made_of_slices() {
        let slots = Slots::new(Duration::from_secs(1));
        let mut begun = 0;
        while begun < 18_000 {
            let mut started = 0;
            while let Some(room) = slots.room().now_or_never() {
                slots.start(user(begun + started), room);
                started += 1;
            }
            assert_eq!(started, START_SLICE as u64, "after {begun} users");
            for _ in 0..started {
                slots.next().now_or_never().unwrap().unwrap().begin();
            }
            begun += started;
        }
        assert_eq!(slots.present() as u64, begun);
    }

    /// Who is stopped or has to wait for the one before it takes no room from others.
    #[test]
    fn room_is_given_back_by_all_who_had_it() {
        let slots = Slots::new(Duration::from_secs(1));
        for index in 0..2 * START_SLICE as u64 {
            let room = slots.room().now_or_never().unwrap();
            slots.start(user(7), room);
            if index == 0 {
                slots.next().now_or_never().unwrap().unwrap().begin();
            }
        }
        for _ in 0..2 * START_SLICE {
            let room = slots.room().now_or_never().unwrap();
            slots.start(user(8), room);
            drop(slots.next().now_or_never().unwrap());
            slots.stop(8);
            slots.ended(8);
        }
    }

    #[tokio::test]
    async fn a_stop_reaches_the_one_user_of_that_index() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start_with_room(7).await;
        slots.start_with_room(8).await;
        let seven = slots.next().await.unwrap();
        slots.stop(7);
        slots.stop(9);
        let eight = slots.next().await.unwrap();
        assert!(seven.stop.is_raised() && !eight.stop.is_raised());
        // The next user of the same index is another one, and waits until the first has ended.
        slots.start_with_room(7).await;
        assert!(poll!(pin!(slots.next())).is_pending());
        slots.ended(7);
        let again = slots.next().await.unwrap();
        assert!(!again.stop.is_raised());
        slots.stop(7);
        assert!(again.stop.is_raised());
        assert_eq!(slots.present(), 2);
    }

    #[tokio::test]
    async fn a_successor_that_is_stopped_before_it_could_begin_never_does() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start_with_room(7).await;
        let _first = slots.next().await.unwrap();
        slots.stop(7);
        slots.start_with_room(7).await;
        slots.stop(7);
        slots.ended(7);
        assert!(poll!(pin!(slots.next())).is_pending());
        assert_eq!(slots.present(), 0);
        slots.start_with_room(7).await;
        let _last = slots.next().await.unwrap();
        slots.stop(7);
        slots.start_with_room(7).await;
        // No user begins once the run is being stopped.
        slots.close();
        slots.ended(7);
        assert!(slots.next().await.is_none());
        assert_eq!(slots.present(), 0);
    }

    #[tokio::test]
    async fn closed_slots_stop_everybody_and_take_nobody() {
        let slots = Slots::new(Duration::from_secs(1));
        slots.start_with_room(1).await;
        slots.start_with_room(2).await;
        let first = slots.next().await.unwrap();
        slots.close();
        slots.start_with_room(3).await;
        assert!(first.stop.is_raised());
        assert!(
            slots.next().await.is_none(),
            "who was not taken never begins"
        );
        slots.ended(1);
        assert_eq!(slots.present(), 0);
    }
}
