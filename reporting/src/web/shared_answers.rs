//! Answers that several pages ask for at about the same time, made once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;

/// How long an answer will do for others who ask the same.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// Most answers that are kept. When there are more, all are forgotten.
const MAX_KEPT: usize = 64;

/// Answers by what was asked.
#[derive(Debug, Default)]
pub(in crate::web) struct SharedAnswers {
    kept: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The last answer, and when making it began. Locked while another one is made.
type Slot = tokio::sync::Mutex<Option<(Instant, Bytes)>>;

impl SharedAnswers {
    /// The answer to this question, which says everything that it depends on but the time.
    ///
    /// # Errors
    /// As `make` fails.
    pub(in crate::web) async fn get<E>(
        &self,
        question: String,
        make: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let slot = self.slot(question);
        let mut last = slot.lock().await;
        if let Some((began, answer)) = &*last
            && began.elapsed() < KEPT_FOR
        {
            return Ok(answer.clone());
        }
        let began = Instant::now();
        let answer = make.await?;
        *last = Some((began, answer.clone()));
        Ok(answer)
    }

    fn slot(&self, question: String) -> Arc<Slot> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(&question) {
            kept.clear();
        }
        Arc::clone(kept.entry(question).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_answer_does_for_all_who_ask_together() {
        let answers = SharedAnswers::default();
        let made = AtomicU32::new(0);
        let ask = |question: &str| {
            answers.get(question.to_owned(), async {
                tokio::task::yield_now().await;
                let number = made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(Bytes::from(number.to_string()))
            })
        };
        let (one, two, other) = tokio::join!(ask("a"), ask("a"), ask("b"));
        assert_eq!(one, two);
        assert_ne!(one, other);
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let answers = SharedAnswers::default();
        let failed = answers.get("a".to_owned(), async { Err::<Bytes, _>(()) });
        assert_eq!(failed.await, Err(()));
        let made = answers.get("a".to_owned(), async { Ok::<_, ()>(Bytes::from("1")) });
        assert_eq!(made.await, Ok(Bytes::from("1")));
    }
}
