//! How a task asks whether its user is to stop: Locust's `self._state`.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::run::UserContext;

/// Says whether a user is to stop, wherever it is: [`Client::stop_handle`]. Cheap to clone.
#[derive(Clone)]
pub struct StopHandle(Arc<UserContext>);

impl StopHandle {
    /// Whether the user is to stop: [`Client::stopping`].
    pub fn stopping(&self) -> bool {
        self.0.stop.is_raised()
    }

    /// Resolves as soon as the user is to stop: [`Client::until_stop`].
    pub fn until_stop(&self) -> impl Future<Output = ()> + Send + use<> {
        let user = Arc::clone(&self.0);
        async move { user.stop.wait().await }
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("stopping", &self.stopping())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Whether this user is to stop, because the run ends, the test is stopped or users are taken away. A task that
    /// loops by itself asks this, and ends; one that keeps running is dropped when the stop timeout is over.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn poll(client: &mut Client) -> TaskResult {
    /// while !client.stopping() {
    ///     client.get("/jobs/7").send().await?;
    ///     client.sleep(Duration::from_secs(1)).await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "_state")]
    pub fn stopping(&self) -> bool {
        self.user.stop.is_raised()
    }

    /// Resolves as soon as this user is to stop. It holds nothing of the client, so it can be selected on beside a
    /// request or anything else that takes its time:
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn listen(client: &mut Client) -> TaskResult {
    /// let stop = client.until_stop();
    /// tokio::select! {
    ///     () = stop => {}
    ///     answer = client.get("/long-poll").send() => {
    ///         answer?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn until_stop(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop_handle().until_stop()
    }

    /// The same two for where the client itself cannot be: while it is lent to a request, or in a spawned future.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.user))
    }

    /// Sleeps within a task, but not longer than until this user is to stop. True when the whole time has passed,
    /// false when the user is to stop: `while client.sleep(Duration::from_secs(1)).await { … }`.
    ///
    /// In `on_stop`, where the user is stopping already, it returns immediately.
    #[doc(alias = "wait")]
    pub fn sleep(&self, time: Duration) -> impl Future<Output = bool> + Send + use<> {
        let stop = self.until_stop();
        async move {
            tokio::select! {
                biased;
                () = stop => false,
                () = tokio::time::sleep(time) => true,
            }
        }
    }
}
