//! Requests that their token does not allow: counted, and logged now and then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use greylag_infra::protocol::cut;
use tokio::time::Instant;

use crate::tokens::TokenRecord;

/// How often they are logged at most.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// Most bytes of a path that are logged.
const MAX_LOGGED_BYTES: usize = 200;

/// How many there were since the coordinator started.
#[derive(Debug, Default)]
pub(in crate::web) struct Forbidden(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    logged: u64,
    logged_at: Option<Instant>,
}

impl Forbidden {
    /// Counts and logs one.
    pub(in crate::web) fn count(&self, token: &TokenRecord, method: &Method, path: &str) {
        let Some((new, total)) = self.add() else {
            return;
        };
        tracing::warn!(
            token = %token.id,
            role = %token.grant.role,
            label = token.grant.label,
            "{new} requests that their tokens do not allow since the last message ({total} in total), most recently {method} {}",
            cut(path, MAX_LOGGED_BYTES)
        );
    }

    /// How many there were.
    pub(in crate::web) fn total(&self) -> u64 {
        self.lock().total
    }

    /// How many are to be logged and how many there were, if it is time for that.
    fn add(&self) -> Option<(u64, u64)> {
        let now = Instant::now();
        let mut counts = self.lock();
        counts.total += 1;
        if counts.logged_at.is_some_and(|at| now - at < LOG_PAUSE) {
            return None;
        }
        let new = counts.total - counts.logged;
        (counts.logged, counts.logged_at) = (counts.total, Some(now));
        Some((new, counts.total))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_log_has_a_line_now_and_then() {
        let forbidden = Forbidden::default();
        assert_eq!(forbidden.add(), Some((1, 1)));
        for _ in 0..100 {
            assert_eq!(forbidden.add(), None);
        }
        tokio::time::advance(LOG_PAUSE).await;
        assert_eq!(forbidden.add(), Some((101, 102)));
        assert_eq!(forbidden.total(), 102);
    }
}
