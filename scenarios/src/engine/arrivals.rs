//! Iterations that an arrival rate asks for, and the users that are free to run them.
//!
//! An iteration is due whatever the target does. A user that is free takes it immediately; when all are busy it
//! waits a little, and is skipped in the end: the open model neither waits for the target nor forgets that
//! it did not keep up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::recorder::{Arrival, Recorder};

/// An iteration that begins this much later than intended is late.
const LATE_AFTER: Duration = Duration::from_millis(50);
/// An iteration that no user has begun for this long is skipped.
const SKIPPED_AFTER: Duration = Duration::from_secs(1);
/// How often iterations are looked through for ones to skip.
pub(super) const SKIP_EVERY: Duration = Duration::from_millis(100);

/// The iterations that are due.
pub(crate) struct Arrivals {
    recorder: Arc<dyn Recorder>,
    due: Mutex<VecDeque<Instant>>,
    /// One permit per iteration that is due.
    permits: Semaphore,
}

impl Arrivals {
    pub(super) fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self {
            recorder,
            due: Mutex::default(),
            permits: Semaphore::new(0),
        }
    }

    /// An iteration is due; it was intended to begin at this instant.
    pub(super) fn push(&self, intended: Instant) {
        self.lock().push_back(intended);
        self.permits.add_permits(1);
    }

    /// Gives up the iterations that have waited for too long.
    pub(super) fn skip_old(&self) {
        // A user that holds the permit looks at the iteration itself.
        while let Ok(permit) = self.permits.try_acquire() {
            let mut due = self.lock();
            if !due.front().is_some_and(Self::is_old) {
                return;
            }
            due.pop_front();
            drop(due);
            permit.forget();
            self.recorder.arrival(Arrival::Skipped);
        }
    }

    /// The intended start of the next iteration, for a user that is free now. May be dropped while it waits.
    pub(crate) async fn next(&self) -> Option<Instant> {
        loop {
            self.permits.acquire().await.ok()?.forget();
            let intended = self.lock().pop_front()?;
            if Self::is_old(&intended) {
                self.recorder.arrival(Arrival::Skipped);
                continue;
            }
            self.recorder.arrival(if intended.elapsed() > LATE_AFTER {
                Arrival::Late
            } else {
                Arrival::InTime
            });
            return Some(intended);
        }
    }

    fn is_old(intended: &Instant) -> bool {
        intended.elapsed() > SKIPPED_AFTER
    }

    /// A panic while it is held leaves a queue that is still good.
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    #[tokio::test(start_paused = true)]
    async fn iterations_are_in_time_late_or_skipped() {
        let memory = Arc::new(Memory::default());
        let arrivals = Arrivals::new(memory.clone());
        let start = Instant::now();
        arrivals.push(start);
        assert_eq!(arrivals.next().await, Some(start));
        arrivals.push(start);
        tokio::time::advance(Duration::from_millis(500)).await;
        let later = Instant::now();
        arrivals.push(later);
        assert_eq!(arrivals.next().await, Some(start));
        tokio::time::advance(Duration::from_millis(1_001)).await;
        // No user came for `later`: skipped by whoever looks first.
        arrivals.push(Instant::now());
        arrivals.skip_old();
        assert_eq!(arrivals.next().await, Some(Instant::now()));
        assert_eq!(
            memory.arrivals(),
            [
                Arrival::InTime,
                Arrival::Late,
                Arrival::Skipped,
                Arrival::InTime
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_that_stops_waiting_takes_nothing_with_it() {
        let memory = Arc::new(Memory::default());
        let arrivals = Arrivals::new(memory.clone());
        {
            let mut waiting = std::pin::pin!(arrivals.next());
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        arrivals.push(Instant::now());
        assert!(arrivals.next().await.is_some());
        assert_eq!(memory.arrivals().len(), 1);
    }
}
