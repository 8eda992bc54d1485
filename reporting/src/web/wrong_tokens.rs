//! Makes guessing slow: wrong tokens are answered one after the other, whoever sends them and over however
//! many connections.
//!
//! A right token is never kept waiting by wrong ones. Only while [`MAX_WAITING`] wrong ones wait is nothing
//! looked at any more: an answer then would tell right from wrong at full speed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// Time from one answer to a wrong token to the next: at most five guesses a second.
const PAUSE: Duration = Duration::from_millis(200);
/// Most requests with a wrong token that wait for their answer.
const MAX_WAITING: usize = 50;

/// The queue of wrong tokens.
#[derive(Debug)]
pub(super) struct WrongTokens {
    turns: Arc<Semaphore>,
    answering: Arc<Mutex<()>>,
}

/// [`MAX_WAITING`] is reached.
#[derive(Debug)]
pub(super) struct TooManyWaiting;

/// The right to have one token looked at.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
    answering: Arc<Mutex<()>>,
}

impl Default for WrongTokens {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(MAX_WAITING)),
            answering: Arc::default(),
        }
    }
}

impl WrongTokens {
    /// To be taken before a token is looked at.
    ///
    /// # Errors
    /// Too many wrong ones wait.
    pub(super) fn take_turn(&self) -> Result<Turn, TooManyWaiting> {
        match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(permit) => Ok(Turn {
                _permit: permit,
                answering: Arc::clone(&self.answering),
            }),
            Err(_) => Err(TooManyWaiting),
        }
    }
}

impl Turn {
    /// Waits until the answer to a wrong token may be given.
    ///
    /// A client that hangs up gives back its turn but not the time already waited by others: the lock is
    /// held by one waiter at a time.
    pub(super) async fn wait(self) {
        let _answering = self.answering.lock().await;
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_answered_one_after_the_other() {
        let wrong = WrongTokens::default();
        let begun = tokio::time::Instant::now();
        let waits = (0..10).map(|_| wrong.take_turn().expect("ten may wait").wait());
        futures_util::future::join_all(waits).await;
        assert_eq!(begun.elapsed(), PAUSE * 10);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_looked_at_while_too_many_wait() {
        let wrong = WrongTokens::default();
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| wrong.take_turn().expect("up to the limit"))
            .collect();
        assert!(wrong.take_turn().is_err());
        drop(waiting);
        assert!(wrong.take_turn().is_ok());
    }
}
