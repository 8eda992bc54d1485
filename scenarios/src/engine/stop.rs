//! The stop of a run as its users see it: one flag, one wake-up, two deadlines.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::grace_periods::ON_STOP_GRACE;

/// Raised once, when the run is to stop.
///
/// A cancellation token would do the same with a lock at each look; users look at each poll of a
/// running task, so this is an atomic.
pub(crate) struct StopSignal {
    stop_timeout: Duration,
    raised: AtomicBool,
    cutting_off: AtomicBool,
    deadline: OnceLock<Instant>,
    notify: Notify,
}

impl StopSignal {
    pub(crate) fn new(stop_timeout: Duration) -> Self {
        Self {
            stop_timeout,
            raised: AtomicBool::new(false),
            cutting_off: AtomicBool::new(false),
            deadline: OnceLock::new(),
            notify: Notify::new(),
        }
    }

    /// Asks every user to stop. Tasks under way have the stop timeout from now.
    pub(crate) fn raise(&self) {
        let now = Instant::now();
        let deadline = now.checked_add(self.stop_timeout).unwrap_or(now);
        if self.deadline.set(deadline).is_ok() {
            self.raised.store(true, Ordering::Release);
            self.notify.notify_waiters();
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Resolves at the next `raise` after this call; look at `is_raised` after it.
    pub(crate) fn raised(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Resolves once it is raised.
    pub(crate) async fn wait(&self) {
        let raised = self.raised();
        if !self.is_raised() {
            raised.await;
        }
    }

    /// When tasks under way are dropped; `None` while the run continues.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied()
    }

    /// When an `on_stop` under way is dropped.
    pub(crate) fn on_stop_deadline(&self) -> Instant {
        self.deadline().unwrap_or_else(Instant::now) + ON_STOP_GRACE
    }

    /// Notes that from now on requests are dropped because the stop timeout is over.
    pub(crate) fn cut_off(&self) {
        self.cutting_off.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cutting_off(&self) -> bool {
        self.cutting_off.load(Ordering::Relaxed)
    }
}
