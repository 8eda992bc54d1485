//! The client of one user, and the requests it makes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;

use super::headers::Headers;
use super::request::{IntoPath, Request, RequestContext, Rest};
use super::target::TargetCache;
use super::time_limit::TimeLimit;
use super::trace::{RequestTrace, Tracing};
use super::transport::Transport;
use super::{ClientKind, ClientShared, cookies};
use crate::run::{Run, UserContext, UserInfo};
use crate::task::{OfTask, TagSet};

/// The HTTP client of one user: its cookies, its connections, its headers.
///
/// Paths are appended to the load test's host as Locust does it, text to text; absolute `http://` and
/// `https://` URLs, in any case, are used as they are. User and password in the host or in an absolute URL are
/// sent as HTTP Basic authentication. Every request is timed and recorded when it ends, its redirects with
/// it.
///
/// What a request is grouped under: its [`name`](Request::name), else what the client is
/// [`renamed`](Client::renamed) to, else, as in Locust, on the fast client the path or URL exactly as it was
/// passed (without [`query`](Request::query)), on the full client path and query of the first request,
/// percent-encoded and without the host.
pub struct Client {
    pub(super) shared: Arc<ClientShared>,
    pub(super) user: Arc<UserContext>,
    /// What requests of the present task are recorded with.
    pub(super) task: OfTask,
    pub(super) headers: Arc<Headers>,
    pub(super) cookies: Option<Box<cookies::Jar>>,
    pub(super) targets: TargetCache,
    pub(super) transport: Transport,
    pub(super) time_limit: TimeLimit,
    /// What requests without a name of their own are grouped under.
    pub(super) request_name: Option<Box<str>>,
    /// What listeners know of every request.
    pub(super) context: RequestContext,
    /// How requests are traced, if they are.
    pub(super) tracing: Option<Tracing>,
    /// The trace of the latest request.
    pub(super) trace: Option<RequestTrace>,
}

impl Client {
    pub(crate) fn new(shared: Arc<ClientShared>, user: Arc<UserContext>) -> Self {
        Self {
            headers: Arc::clone(&shared.headers),
            cookies: None,
            targets: TargetCache::new(),
            transport: Transport::default(),
            time_limit: TimeLimit::default(),
            tracing: user.run.run.tracing(),
            trace: None,
            shared,
            user,
            task: OfTask::default(),
            request_name: None,
            context: RequestContext::default(),
        }
    }

    /// Says how much later than intended the task that follows begins; `None` without a pace.
    pub(crate) fn set_delay(&mut self, delay: Option<Duration>) {
        self.task.delay = delay;
    }

    /// Says for which tags the requests that follow count.
    pub(crate) fn set_tags(&mut self, tags: TagSet) {
        self.task.tags = tags;
    }

    /// Gives back the memory that only requests under way need, because the user waits now.
    pub(crate) fn release_memory(&self) {
        self.transport.release_memory();
    }

    #[cfg(test)]
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.task.delay
    }

    /// The run this user takes part in.
    pub fn run(&self) -> &Arc<Run> {
        &self.user.run.run
    }

    /// Who this user is among all users of the run.
    pub fn user(&self) -> &UserInfo {
        &self.user.info
    }

    /// The trace of this client's latest request, for logs of your own: also of one that failed or is still to be judged. `None` before the
    /// first request, where the test does not say `trace_share`, and where the request's own `traceparent` is not valid.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn checkout(client: &mut Client) -> TaskResult {
    /// client.post("/checkout").send().await?;
    /// if let Some(trace) = client.last_trace() {
    ///     println!("checked out in trace {}", trace.id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_trace(&self) -> Option<RequestTrace> {
        self.trace
    }

    /// A request with any method.
    pub fn request<'c>(&'c mut self, method: Method, path: impl IntoPath<'c>) -> Request<'c> {
        Request::new(self, method, path.into_path())
    }

    /// A GET request.
    pub fn get<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::POST, path)
    }

    /// A PUT request.
    pub fn put<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::PUT, path)
    }

    /// A PATCH request.
    pub fn patch<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::PATCH, path)
    }

    /// A DELETE request.
    pub fn delete<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::DELETE, path)
    }

    /// A HEAD request. As in Locust the full client does not follow its redirects unless it says so, and the
    /// fast client does.
    pub fn head<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        let follows = self.shared.options.kind == ClientKind::Fast;
        self.request(Method::HEAD, path).allow_redirects(follows)
    }

    /// An OPTIONS request.
    pub fn options<'c>(&'c mut self, path: impl IntoPath<'c>) -> Request<'c> {
        self.request(Method::OPTIONS, path)
    }

    /// The headers sent with every further request of this user, for example a token.
    pub fn headers_mut(&mut self) -> &mut Headers {
        Arc::make_mut(&mut self.headers)
    }

    /// A request of a JSON API, whose response has its JSON read: Locust's `rest()`. Sends
    /// `Content-Type` and `Accept: application/json` unless the request says otherwise.
    pub fn rest<'c>(&'c mut self, method: Method, path: impl IntoPath<'c>) -> Request<'c, Rest> {
        self.request(method, path).into_kind()
    }

    /// The same with the time appended as `_=<ms>`, so that no cache answers it; its name says `_=...`.
    /// Locust's `rest_()`.
    pub fn rest_uncached<'c>(
        &'c mut self,
        method: Method,
        path: impl IntoPath<'c>,
    ) -> Request<'c, Rest> {
        let path = path.into_path();
        let joint = if path.contains('?') { '&' } else { '?' };
        let name = format!("{path}{joint}_=...");
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        self.rest(method, path)
            .query(&[("_", now.as_millis())])
            .name(name)
    }
}
