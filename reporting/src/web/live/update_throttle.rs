//! When something is computed anew: immediately, then after a change, but never sooner than [`UPDATE_INTERVAL`] after
//! the last time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Least time between two updates of the same thing.
pub(super) const UPDATE_INTERVAL: Duration = Duration::from_secs(1);

/// When the next update of one thing is due.
#[derive(Debug)]
pub(super) struct UpdateThrottle {
    changes: watch::Receiver<u64>,
    last: Option<Instant>,
}

impl UpdateThrottle {
    /// `changes`: the coordinator's state by number.
    pub(super) fn new(changes: watch::Receiver<u64>) -> Self {
        Self {
            changes,
            last: None,
        }
    }

    /// Whether the last update is old enough for another.
    pub(super) fn may_update(&self) -> bool {
        self.last
            .is_none_or(|last| last.elapsed() >= UPDATE_INTERVAL)
    }

    /// Notes that an update is made now. To be called before anything is read, so that a change in between leads to another
    /// update. Gives the number of a state that the update includes.
    pub(super) fn begin(&mut self) -> u64 {
        self.last = Some(Instant::now());
        *self.changes.borrow_and_update()
    }

    /// Waits until the next update is due; none when the coordinator is gone. Nothing is lost when the wait is given
    /// up.
    pub(super) async fn due(&mut self) -> Option<()> {
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + UPDATE_INTERVAL).await;
            self.changes.changed().await.ok()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn updates_come_immediately_then_after_changes_at_most_once_a_second() {
        let changes = watch::Sender::new(0_u64);
        let mut throttle = UpdateThrottle::new(changes.subscribe());
        let begun = Instant::now();
        assert!(throttle.may_update());
        throttle.due().await.expect("immediately");
        assert_eq!(throttle.begin(), 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..5 {
            changes.send_modify(|generation| *generation += 1);
        }
        let given_up = tokio::time::timeout(UPDATE_INTERVAL / 2, throttle.due()).await;
        assert!(given_up.is_err(), "not before a second has passed");
        assert!(!throttle.may_update());
        throttle.due().await.expect("five changes are one update");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL);
        assert_eq!(throttle.begin(), 5);
        let quiet = tokio::time::timeout(UPDATE_INTERVAL * 10, throttle.due()).await;
        assert!(quiet.is_err(), "nothing changed");
        changes.send_modify(|generation| *generation += 1);
        throttle
            .due()
            .await
            .expect("a change after a long time is sent immediately");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL * 11);
        throttle.begin();
        drop(changes);
        assert_eq!(throttle.due().await, None);
    }
}
