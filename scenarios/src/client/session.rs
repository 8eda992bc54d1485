//! What a user's client is beside its requests: names, context, copies for requests at the same time.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::target::TargetCache;
use super::time_limit::TimeLimit;
use super::{
    Client, ClientKind, ClientOptions, ClientSetupError, ClientShared, RequestContext, cookies,
};
use crate::client::pending::{Ended, OwnSample};
use crate::recorder::Recorder;
use crate::run::{RunSettings, UserContext};

impl Client {
    /// Groups all further requests that have no name of their own under this one; `None` ends it. Locust's
    /// `client.request_name`.
    pub fn set_request_name(&mut self, name: Option<&str>) {
        self.request_name = name.map(Box::from);
    }

    /// The client under another name, for a block of requests: Locust's `rename_request`.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn checkout(client: &mut Client) -> TaskResult {
    /// {
    ///     let mut client = client.renamed("checkout");
    ///     client.post("/basket/7/address").send().await?;
    ///     client.post("/basket/7/payment").send().await?;
    /// } // from here on requests have their own names again
    /// client.get("/").send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn renamed(&mut self, name: &str) -> Renamed<'_> {
        let before = self.request_name.replace(Box::from(name));
        Renamed {
            client: self,
            before,
        }
    }

    /// What listeners know of every request of this user; a request may add to it
    /// ([`Request::context`](super::Request::context)). Locust's `User.context()`.
    pub fn context_mut(&mut self) -> &mut RequestContext {
        &mut self.context
    }

    /// The same user once more, for requests at the same time: a client with a copy of
    /// headers, cookies, context and name. Both use the user's connections: a request takes one that no other
    /// request has, or makes one more, which is kept for whoever needs it next. A fork can be kept, moved to another task, or
    /// [`join`](Self::join)ed again. What it requests counts for the tags of the task in which it was made, in whichever task that
    /// happens.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn page(client: &mut Client) -> TaskResult {
    /// let mut beside = client.fork();
    /// let (style, script) = tokio::join!(
    ///     client.get("/style.css").send(),
    ///     beside.get("/script.js").send(),
    /// );
    /// client.join(beside);
    /// style?;
    /// script?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fork(&mut self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            user: Arc::clone(&self.user),
            task: self.task,
            headers: Arc::clone(&self.headers),
            cookies: self.cookies.as_ref().map(|jar| Box::new(jar.fork())),
            targets: TargetCache::new(),
            transport: self.transport.clone(),
            time_limit: TimeLimit::default(),
            request_name: self.request_name.clone(),
            context: self.context.clone(),
            tracing: self.tracing,
            trace: None,
        }
    }

    /// Takes over the cookies that a fork was given by servers or lost since it was made.
    pub fn join(&mut self, fork: Self) {
        if let Some(given) = fork.cookies {
            self.cookies
                .get_or_insert_default()
                .join(*given, cookies::now());
        }
    }

    /// A client outside of any run, for tests of a scenario's own functions: what its requests give is
    /// handed to `recorder`.
    ///
    /// # Errors
    ///
    /// When the host is not one that can be requested.
    pub fn outside_a_run(
        kind: ClientKind,
        host: &Url,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, ClientSetupError> {
        let shared = ClientShared::new(host, Arc::new(ClientOptions::new(kind)))?;
        Ok(Self::alone(shared, host, recorder))
    }

    pub(crate) fn alone(shared: ClientShared, host: &Url, recorder: Arc<dyn Recorder>) -> Self {
        let settings = RunSettings {
            host: Some(host.clone()),
            workers: 1,
            users: 1,
            ..RunSettings::default()
        };
        let user = UserContext::outside_a_run(settings, recorder);
        Self::new(Arc::new(shared), Arc::new(user))
    }

    /// A sample of this user that begins now.
    pub(crate) fn own_sample(
        &self,
        method: std::borrow::Cow<'static, str>,
        name: String,
    ) -> OwnSample {
        OwnSample {
            user: Arc::clone(&self.user),
            method,
            name,
            started_at: Instant::now(),
            task: self.task,
            target: None,
            trace: None,
            context: self.context.clone(),
            ended: Ended {
                response_time: Duration::ZERO,
                time_to_first_byte: None,
                response_length: 0,
                status: None,
            },
        }
    }
}

/// A client under another name: [`Client::renamed`]. Its drop ends it.
pub struct Renamed<'c> {
    client: &'c mut Client,
    before: Option<Box<str>>,
}

/// A guard of the client: all that it adds is that the name ends when it is dropped.
impl Deref for Renamed<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl DerefMut for Renamed<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Drop for Renamed<'_> {
    fn drop(&mut self) {
        self.client.request_name = self.before.take();
    }
}

impl fmt::Debug for Renamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renamed")
            .field(&self.client.request_name)
            .finish()
    }
}
