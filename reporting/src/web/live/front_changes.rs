//! When open front pages are informed that something has changed: all with the same number and at the same moment, so that
//! what they ask for then can be made once for all of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::update_throttle::UPDATE_INTERVAL;

/// What the front pages were informed of last.
#[derive(Debug, Default)]
pub(in crate::web) struct FrontChanges {
    last: Mutex<Option<Announcement>>,
}

#[derive(Debug, Clone, Copy)]
struct Announcement {
    generation: u64,
    at: Instant,
}

impl FrontChanges {
    /// The numbers for one page: the coordinator's state now, and then after changes, at most once in
    /// [`UPDATE_INTERVAL`]. Ends with the coordinator.
    pub(super) fn follow(
        self: std::sync::Arc<Self>,
        changes: watch::Receiver<u64>,
    ) -> impl Stream<Item = u64> + Send {
        stream::unfold(
            (self, changes, None),
            |(all, mut changes, seen)| async move {
                let generation = all.next(&mut changes, seen).await?;
                Some((generation, (all, changes, Some(generation))))
            },
        )
    }

    async fn next(&self, changes: &mut watch::Receiver<u64>, seen: Option<u64>) -> Option<u64> {
        let Some(seen) = seen else {
            return Some(*changes.borrow());
        };
        loop {
            let generation = *changes.wait_for(|now| *now > seen).await.ok()?;
            match self.announce(generation, seen) {
                Ok(announced) => return Some(announced),
                Err(not_before) => tokio::time::sleep_until(not_before).await,
            }
        }
    }

    /// The number for a page that has `seen` an earlier one, or when it is to ask again.
    fn announce(&self, generation: u64, seen: u64) -> Result<u64, Instant> {
        let mut last = self.last();
        let now = Instant::now();
        match *last {
            Some(last) if last.generation > seen => Ok(last.generation),
            Some(last) if now < last.at + UPDATE_INTERVAL => Err(last.at + UPDATE_INTERVAL),
            _ => {
                *last = Some(Announcement {
                    generation,
                    at: now,
                });
                Ok(generation)
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Announcement>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pages_that_came_at_different_times_are_informed_together() {
        let changes = watch::Sender::new(7_u64);
        let change = || changes.send_modify(|generation| *generation += 1);
        let all = Arc::new(FrontChanges::default());
        let follow = || Box::pin(Arc::clone(&all).follow(changes.subscribe()));
        let begun = Instant::now();

        let mut first = follow();
        assert_eq!(first.next().await, Some(7));
        change();
        assert_eq!(first.next().await, Some(8), "immediately after a long time");
        tokio::time::advance(UPDATE_INTERVAL / 2).await;
        let mut second = follow();
        assert_eq!(second.next().await, Some(8));
        change();
        change();
        let (of_first, of_second) = tokio::join!(first.next(), second.next());
        assert_eq!((of_first, of_second), (Some(10), Some(10)));
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL);

        // One that does not ask for a while is not informed of what it has missed.
        for expected in [11, 12] {
            change();
            assert_eq!(first.next().await, Some(expected));
        }
        assert_eq!(begun.elapsed(), 3 * UPDATE_INTERVAL);
        assert_eq!(second.next().await, Some(12));
        let quiet = tokio::time::timeout(10 * UPDATE_INTERVAL, second.next()).await;
        assert!(quiet.is_err(), "nothing changed");
        drop(changes);
        assert_eq!(second.next().await, None);
    }
}
