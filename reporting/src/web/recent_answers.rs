//! Answers that many pages ask for after the same change, made once for all of them.
//!
//! A page that asks because of an event says in the header [`SEEN`] which state of the coordinator the event was about. Any
//! answer that includes this state will do for it, and those that ask while one is being made wait for it. Who does not
//! say so is answered as of now.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;

use crate::coordinator::Coordinator;

/// Names the state of the coordinator that an answer must include: the number of an event.
const SEEN: &str = "x-greylag-seen";
/// Most answers that are kept. When there are more, all are forgotten: there are rarely more than a few at a time.
const MAX_KEPT: usize = 32;

/// Answers by what was asked.
#[derive(Debug)]
pub(in crate::web) struct RecentAnswers<K, A> {
    kept: Mutex<HashMap<K, Arc<Slot<A>>>>,
}

/// The last answer, with the number of the state that it includes. Locked while another one is made.
type Slot<A> = tokio::sync::Mutex<Option<(u64, A)>>;

impl<K, A> Default for RecentAnswers<K, A> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
        }
    }
}

impl<K: Hash + Eq, A: Clone> RecentAnswers<K, A> {
    /// The answer to a request with these headers.
    ///
    /// # Errors
    /// As `make` fails.
    pub(in crate::web) async fn get<E>(
        &self,
        key: K,
        headers: &HeaderMap,
        coordinator: &Coordinator,
        make: impl Future<Output = Result<A, E>>,
    ) -> Result<A, E> {
        let Some(seen) = seen(headers) else {
            return make.await;
        };
        let slot = self.slot(key);
        let mut last = slot.lock().await;
        if let Some((generation, answer)) = &*last
            && *generation >= seen
        {
            return Ok(answer.clone());
        }
        // Before anything is read, so that the answer includes it.
        let generation = *coordinator.changes().borrow();
        let answer = make.await?;
        *last = Some((generation, answer.clone()));
        Ok(answer)
    }

    fn slot(&self, key: K) -> Arc<Slot<A>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(&key) {
            kept.clear();
        }
        Arc::clone(kept.entry(key).or_default())
    }
}

fn seen(headers: &HeaderMap) -> Option<u64> {
    headers.get(SEEN)?.to_str().ok()?.parse().ok()
}
