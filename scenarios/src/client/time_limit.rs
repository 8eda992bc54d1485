//! The time limit of a user's requests: one timer, which is set anew only when it goes off or is set too late.
//!
//! A timer for each request would be put into the runtime's timer wheel and taken out again, with a lock each time,
//! while hardly one ever goes off.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

/// Stands for a limit that is too long to be added to a time.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// A user's timer. There is none before the first request that has to wait.
#[derive(Default)]
pub(super) struct TimeLimit(Option<Pin<Box<Sleep>>>);

impl TimeLimit {
    /// What a future gives, or `None` if it takes longer than `limit` from `since` on.
    pub(super) async fn bound<F: Future>(
        &mut self,
        since: Instant,
        limit: Duration,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        let ends = since.checked_add(limit);
        let ends = tokio::time::Instant::from_std(ends.unwrap_or_else(|| since + NEVER));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_over(cx, ends).map(|()| None),
        })
        .await
    }

    fn poll_over(&mut self, cx: &mut Context<'_>, ends: tokio::time::Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(ends)));
        if timer.deadline() > ends {
            timer.as_mut().reset(ends);
        }
        loop {
            // Also where the future has used up the task's budget: it may do nothing else until its limit.
            let look = poll_fn(|cx| timer.as_mut().poll(cx));
            ready!(pin!(tokio::task::unconstrained(look)).poll(cx));
            if timer.deadline() >= ends {
                return Poll::Ready(());
            }
            // It was set for a request before.
            timer.as_mut().reset(ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_over(limit: &mut TimeLimit, ms: u64, takes_ms: u64) -> bool {
        let takes = pin!(tokio::time::sleep(Duration::from_millis(takes_ms)));
        let since = tokio::time::Instant::now().into_std();
        let ended = limit.bound(since, Duration::from_millis(ms), takes).await;
        ended.is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_has_its_own_limit() {
        let mut limit = TimeLimit::default();
        let begun = tokio::time::Instant::now();
        assert!(!is_over(&mut limit, 1_000, 10).await);
        // Shorter than what the timer is set to.
        assert!(is_over(&mut limit, 20, 500).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(30));
        // The timer has gone off.
        assert!(!is_over(&mut limit, 1_000, 900).await);
        assert!(!is_over(&mut limit, 1_000, 900).await);
        // It goes off in the middle, for a request before.
        assert!(is_over(&mut limit, 1_000, 2_000).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(2_830));
        assert!(!is_over(&mut limit, u64::MAX, 50_000).await);
    }
}
