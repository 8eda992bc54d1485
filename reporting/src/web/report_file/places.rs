//! How many files are made at the same time, and how many requests wait for that.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::web::error::WebError;

/// Files that are made at the same time: each takes some seconds and some ten megabytes.
const MAX_MAKING: usize = 2;
/// Most requests for a file at the same time, with those that wait.
const MAX_ASKED: usize = 8;

/// The places of a server.
#[derive(Debug, Clone)]
pub(in crate::web) struct FilePlaces {
    asked: Arc<Semaphore>,
    making: Arc<Semaphore>,
}

impl Default for FilePlaces {
    fn default() -> Self {
        Self {
            asked: Arc::new(Semaphore::new(MAX_ASKED)),
            making: Arc::new(Semaphore::new(MAX_MAKING)),
        }
    }
}

impl FilePlaces {
    /// Does what makes a file when there is a place for it. It keeps its place to its end, also where the client hangs up: what has
    /// been begun in other threads goes on then, too.
    ///
    /// # Errors
    /// Too many requests wait already, or the work's own.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, WebError>> + Send + 'static,
    ) -> Result<T, WebError> {
        let asked = Arc::clone(&self.asked).try_acquire_owned();
        let asked = asked.map_err(|_| WebError::TooManyFiles { maximum: MAX_ASKED })?;
        let making = Arc::clone(&self.making).acquire_owned().await;
        let making =
            making.map_err(|error| WebError::internal("waiting to make a file", &error))?;
        let made = tokio::spawn(async move {
            let made = work.await;
            drop((asked, making));
            made
        });
        made.await
            .map_err(|error| WebError::internal("making a file", &error))?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    async fn until(is_so: impl Fn() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        waited.expect("places are taken and given back");
    }

    /// Asks for a file that is made when something is sent.
    fn ask(places: &FilePlaces) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let (done, awaited) = oneshot::channel();
        let places = places.clone();
        let request = tokio::spawn(async move {
            let work = async {
                awaited.await.ok();
                Ok(())
            };
            places.make(work).await.unwrap();
        });
        (done, request)
    }

    #[tokio::test]
    async fn more_requests_than_may_wait_are_refused() {
        let places = FilePlaces::default();
        let asked: Vec<_> = (0..MAX_ASKED).map(|_| ask(&places)).collect();
        until(|| places.asked.available_permits() == 0).await;
        let refused = places.make(async { Ok(()) }).await;
        assert!(
            matches!(refused, Err(WebError::TooManyFiles { .. })),
            "{refused:?}"
        );
        for (done, request) in asked {
            done.send(()).ok();
            request.await.unwrap();
        }
        places.make(async { Ok(()) }).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_keeps_its_place_when_its_client_hangs_up() {
        let places = FilePlaces::default();
        let (done, request) = ask(&places);
        until(|| places.making.available_permits() < MAX_MAKING).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert_eq!(places.making.available_permits(), MAX_MAKING - 1);
        done.send(()).unwrap();
        until(|| places.making.available_permits() == MAX_MAKING).await;
    }
}
