//! Which user's code the thread of the load is in, for a watchdog beside it.
//!
//! All users of a worker share one thread. Code that blocks it holds up all of them, and every response time measured
//! meanwhile includes it. A watchdog on another thread looks every few milliseconds whether the poll of a user that it
//! saw last is still under way. All that this costs a user is a few stores and a load at each poll, and no look at a clock.
//! While no user is polled, who watches may sleep, and the next poll wakes them.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What the thread of a load does: of one thread, so only for a runtime that has no other.
#[derive(Debug, Default)]
pub struct LoopWatch {
    /// Polls of users, counted at their begin and at their end: odd while one is under way. Written by one thread.
    polls: AtomicU64,
    /// The user type that is polled and its task: two [`NameId`]s.
    at: AtomicU64,
    /// Whether the next poll is to wake `sleepers`.
    wakes: AtomicBool,
    /// A few: each of those who watch is in it once.
    sleepers: Mutex<Vec<Waker>>,
}

/// A poll that was under way when the watch looked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObservedPoll {
    poll: u64,
    at: u64,
}

impl LoopWatch {
    /// The poll that is under way now, if one is.
    pub fn look(&self) -> Option<ObservedPoll> {
        let poll = self.polls.load(Ordering::Acquire);
        let at = self.at.load(Ordering::Acquire);
        let same = self.polls.load(Ordering::Acquire) == poll;
        (same && poll % 2 == 1).then_some(ObservedPoll { poll, at })
    }

    /// How many polls have begun and ended, together: while this is the same and none is under way, no user's code has run.
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    /// Has the next poll wake this once, as it begins and on its thread. From another thread: a poll that begins in the same
    /// moment may not yet do so, so see after a while that there was none before sleeping.
    pub fn wake_at_next_poll(&self, sleeper: &Waker) {
        let mut sleepers = self.sleepers();
        if !sleepers.iter().any(|known| known.will_wake(sleeper)) {
            sleepers.push(sleeper.clone());
        }
        self.wakes.store(true, Ordering::SeqCst);
    }

    /// Whether the next poll wakes anything.
    pub fn wakes_at_next_poll(&self) -> bool {
        self.wakes.load(Ordering::SeqCst)
    }

    #[cold]
    fn wake(&self) {
        let mut sleepers = self.sleepers();
        self.wakes.store(false, Ordering::SeqCst);
        let woken = std::mem::take(&mut *sleepers);
        drop(sleepers);
        woken.into_iter().for_each(Waker::wake);
    }

    /// A panic while it is held leaves wakers that are still good.
    fn sleepers(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls this future as what is called `name`.
    pub async fn polled<F: Future>(&self, name: &str, future: F) -> F::Output {
        let name = NameId::of(name);
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _poll = self.begin(name);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// A poll of a user of this type begins; it ends when what is returned is dropped.
    pub(super) fn begin(&self, user_type: NameId) -> PollUnderWay<'_> {
        self.at
            .store(u64::from(user_type.0) << 32, Ordering::Relaxed);
        self.count();
        if self.wakes.load(Ordering::Relaxed) {
            self.wake();
        }
        PollUnderWay(self)
    }

    /// The user that is polled is in this task from now on; in none for none.
    pub(super) fn in_task(&self, task: Option<NameId>) {
        let user_type = self.at.load(Ordering::Relaxed) & !u64::from(u32::MAX);
        let task = task.map_or(0, |NameId(id)| u64::from(id));
        self.at.store(user_type | task, Ordering::Relaxed);
    }

    fn count(&self) {
        // One thread writes, so this need not be one step.
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls.wrapping_add(1), Ordering::Release);
    }
}

pub(super) struct PollUnderWay<'a>(&'a LoopWatch);

impl Drop for PollUnderWay<'_> {
    fn drop(&mut self) {
        self.0.count();
    }
}

impl ObservedPoll {
    /// Whether this is the same poll.
    pub fn is_same_poll(self, other: Self) -> bool {
        self.poll == other.poll
    }

    /// Whose code it is: the task, with its user type unless its name says that.
    pub fn name(self) -> String {
        let names = NameId::all();
        let name = |id: u64| names.names.get((id as usize).checked_sub(1)?).cloned();
        let (user_type, task) = (name(self.at >> 32), name(self.at & u64::from(u32::MAX)));
        match (user_type, task) {
            (Some(user_type), None) => user_type.to_string(),
            (Some(user_type), Some(task)) if !says(&task, &user_type) => {
                format!("{task} of {user_type}")
            }
            (_, Some(task)) => task.to_string(),
            (None, None) => String::new(),
        }
    }
}

fn says(task: &str, user_type: &str) -> bool {
    let rest = task.strip_prefix(user_type);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl fmt::Debug for ObservedPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in poll {}", self.name(), self.poll)
    }
}

/// The name of a user type or a task as a number that fits into an atomic. There are as many as scenarios have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameId(u32);

#[derive(Default)]
struct Names {
    /// The name with number n is the one before position n.
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl NameId {
    pub(crate) fn of(name: &str) -> Self {
        let mut all = Self::all();
        if let Some(number) = all.numbers.get(name) {
            return Self(*number);
        }
        let name: Arc<str> = name.into();
        all.names.push(Arc::clone(&name));
        // A program does not have 2^32 names.
        let number = all.names.len() as u32;
        all.numbers.insert(name, number);
        Self(number)
    }

    /// A panic while it is held leaves names that are still good.
    fn all() -> MutexGuard<'static, Names> {
        static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);
        NAMES.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[test]
    fn a_poll_under_way_is_seen_by_its_names() {
        let watch = LoopWatch::default();
        assert_eq!(watch.look(), None);
        let poll = watch.begin(NameId::of("Shopper"));
        let first = watch.look().unwrap();
        assert_eq!(first.name(), "Shopper");
        watch.in_task(Some(NameId::of("Shopper::buy")));
        let second = watch.look().unwrap();
        assert_eq!(second.name(), "Shopper::buy");
        assert!(first.is_same_poll(second));
        watch.in_task(Some(NameId::of("Browse")));
        assert_eq!(watch.look().unwrap().name(), "Browse of Shopper");
        watch.in_task(None);
        assert_eq!(watch.look().unwrap().name(), "Shopper");
        drop(poll);
        assert_eq!(watch.look(), None);
        let _poll = watch.begin(NameId::of("Shopper"));
        assert!(!watch.look().unwrap().is_same_poll(second));
    }

    #[test]
    fn the_next_poll_wakes_each_sleeper_once() {
        /// Counts how often it is woken.
        #[derive(Default)]
        struct Sleeper(AtomicU64);
        impl Wake for Sleeper {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let watch = LoopWatch::default();
        drop(watch.begin(NameId::of("Shopper")));
        assert_eq!(watch.polls(), 2);
        let sleepers = [(); 2].map(|()| Arc::<Sleeper>::default());
        for sleeper in &sleepers {
            let waker = Waker::from(Arc::clone(sleeper));
            watch.wake_at_next_poll(&waker);
            watch.wake_at_next_poll(&waker);
        }
        let woken = || {
            sleepers
                .each_ref()
                .map(|sleeper| sleeper.0.load(Ordering::Relaxed))
        };
        assert_eq!(woken(), [0, 0]);
        let poll = watch.begin(NameId::of("Shopper"));
        assert_eq!(woken(), [1, 1], "as it begins");
        drop(poll);
        drop(watch.begin(NameId::of("Shopper")));
        assert_eq!(woken(), [1, 1]);
    }

    #[tokio::test]
    async fn a_future_is_seen_while_it_is_polled_only() {
        let watch = LoopWatch::default();
        let seen = watch.polled("on_spawning_complete", async {
            let before = watch.look();
            tokio::task::yield_now().await;
            (before, watch.look())
        });
        let (before, after) = seen.await;
        let (before, after) = (before.unwrap(), after.unwrap());
        assert_eq!(before.name(), "on_spawning_complete");
        assert!(!before.is_same_poll(after));
        assert_eq!(watch.look(), None);
    }
}
