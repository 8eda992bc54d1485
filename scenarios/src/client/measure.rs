//! Samples of other protocols: anything a user does can be timed and counted like a request.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::client::pending::OwnSample;
use crate::task::{Recorded, asks};

impl Client {
    /// Times something that is not an HTTP request of this client, from now on: a message over a WebSocket, a
    /// query, a file. It is recorded beside the requests, with `kind` in the place of the method.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn receive() -> Result<String, std::io::Error> { Ok("pong".to_owned()) }
    /// # async fn ping(client: &mut Client) -> TaskResult {
    /// let echo = client.measure("WS", "echo");
    /// match receive().await {
    ///     Ok(text) => echo.success(text.len() as u64),
    ///     Err(error) => echo.failure(error),
    /// }
    /// // or, for a future that gives a Result:
    /// let text = client.measure("WS", "echo").run(receive()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn measure(&self, kind: impl Into<Cow<'static, str>>, name: impl Into<String>) -> Measure {
        Measure {
            sample: Some(self.own_sample(kind.into(), name.into())),
        }
    }

    /// Records something that was timed elsewhere and has just ended: by a library of another protocol, or by the
    /// target itself. It is a success of no length unless what this returns says otherwise.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # fn call() -> (Duration, Result<String, String>) { (Duration::ZERO, Ok(String::new())) }
    /// # async fn query(client: &mut Client) -> TaskResult {
    /// client.record("JOB", "render", Duration::from_millis(120));
    ///
    /// let (took, answer) = call();
    /// match answer {
    ///     Ok(text) => client.record("RPC", "answer", took).success(text.len() as u64),
    ///     Err(error) => client.record("RPC", "answer", took).failure(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn record(
        &self,
        kind: impl Into<Cow<'static, str>>,
        name: impl Into<String>,
        response_time: Duration,
    ) -> Timing {
        let mut sample = self.own_sample(kind.into(), name.into());
        sample.ended.response_time = response_time;
        if let Some(began) = sample.started_at.checked_sub(response_time) {
            sample.started_at = began;
        }
        Timing {
            sample,
            error: None,
        }
    }
}

/// Something that was timed elsewhere: [`Client::record`]. It is recorded when this is dropped, which without
/// another word is at the end of its line.
pub struct Timing {
    sample: OwnSample,
    error: Option<String>,
}

impl Timing {
    /// It went well, and gave this many bytes.
    pub fn success(mut self, response_length: u64) {
        self.sample.ended.response_length = response_length;
    }

    /// It failed. Failures are counted by their text: leave out what differs each time.
    pub fn failure(mut self, error: impl fmt::Display) {
        self.error = Some(error.to_string());
    }

    /// Says something about it to those who listen to requests.
    pub fn context(mut self, key: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.sample.context.set(key, value);
        self
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.sample.record(self.error.as_deref(), None);
    }
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timing")
            .field("name", &self.sample.name)
            .field("response_time", &self.sample.ended.response_time)
            .finish_non_exhaustive()
    }
}

/// Something under way that is timed: [`Client::measure`]. Owns what it needs, so it can be kept or
/// moved to another task.
///
/// Dropped without `success`, `failure` or [`discard`](Self::discard) it is recorded as a failure (`Aborted: …`),
/// like a request.
#[must_use = "a measurement must be ended: call success(…), failure(…), discard() or run(…)"]
pub struct Measure {
    /// Taken when it is recorded.
    sample: Option<OwnSample>,
}

impl Measure {
    /// It went well, and gave this many bytes (0 where that means nothing).
    pub fn success(mut self, response_length: u64) {
        if let Some(sample) = &mut self.sample {
            sample.ended.response_length = response_length;
        }
        self.end(None);
    }

    /// It failed. Failures are counted by their text: leave out what differs each time.
    pub fn failure(mut self, error: impl fmt::Display) {
        let text = error.to_string();
        self.end(Some(&text));
    }

    /// Lets it go: nothing is recorded, as if it had never begun.
    pub fn discard(mut self) {
        self.sample = None;
    }

    /// Says something about it to those who listen to requests.
    pub fn context(mut self, key: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        if let Some(sample) = &mut self.sample {
            sample.context.set(key, value);
        }
        self
    }

    /// Records it under another name, for one that is known only later.
    pub fn set_name(&mut self, name: impl Into<String>) {
        if let Some(sample) = &mut self.sample {
            sample.name = name.into();
        }
    }

    /// Says that the first byte of an answer has come; the time to it is recorded, too.
    pub fn first_byte(&mut self) {
        if let Some(sample) = &mut self.sample {
            sample.ended.time_to_first_byte = Some(sample.started_at.elapsed());
        }
    }

    /// Times `block`, from here to its end, with no length: `Ok` is a success, an error a failure
    /// with its text.
    ///
    /// # Errors
    ///
    /// The block's own, marked as recorded: by `?` it ends the task and is not counted again as an error
    /// of the task. (Locust swallows it here.) What the block asks for, `stop_user()` and the like, is no
    /// failure.
    pub async fn run<T, E>(
        mut self,
        block: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Recorded<E>>
    where
        E: fmt::Display + 'static,
    {
        if let Some(sample) = &mut self.sample {
            sample.started_at = Instant::now();
        }
        match block.await {
            Ok(value) => {
                self.end(None);
                Ok(value)
            }
            Err(error) => {
                if asks(&error) {
                    self.end(None);
                } else {
                    self.end(Some(&error.to_string()));
                }
                Err(Recorded(error))
            }
        }
    }

    fn end(&mut self, error: Option<&str>) {
        if let Some(mut sample) = self.sample.take() {
            sample.ended.response_time = sample.started_at.elapsed();
            sample.record(error, None);
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        if let Some(sample) = &self.sample {
            let text = sample.user.abort_text();
            self.end(Some(text));
        }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sample.as_ref().map(|sample| &sample.name);
        f.debug_struct("Measure")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}
