//! A request, what kind of response it gives, and what sending it records.

mod all;
mod body;
mod context;
mod headers;
mod kinds;
mod multipart;
mod parts;
mod path;
mod python_json;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;

use super::exchange::{Answer, Reading, Route, exchange};
use super::failure::Failure;
use super::headers::Headers;
use super::response::{
    Asked, CaughtResponse, CaughtStreamedResponse, Judged, Response, RestResponse, StreamedResponse,
};
use super::target::Target;
use super::{Client, ClientKind};
use crate::client::pending::{Begun, Ended, OwnSample, Pending};
use crate::task::RequestError;

pub use all::REQUESTS_AT_ONCE;
pub use body::RequestBody;
pub use context::RequestContext;
pub use headers::IntoHeaders;
pub use kinds::RequestKind;
pub use multipart::{LARGEST_FILE, Multipart};
pub use path::IntoPath;

/// Failure of a request that took longer than its timeout.
const TIMED_OUT: Failure =
    Failure::new("Request timeout: the response was not complete within the time allowed");

/// Marks a request that is judged by its status.
#[derive(Debug)]
pub enum Plain {}

/// Marks a request that the scenario judges ([`Request::catch`]).
#[derive(Debug)]
pub enum Caught {}

/// Marks a request whose body is left to be read ([`Request::stream`]).
#[derive(Debug)]
pub enum Streamed {}

/// Marks a streamed request that the scenario judges.
#[derive(Debug)]
pub enum CaughtStreamed {}

/// Marks a request of a JSON API ([`Client::rest`]).
#[derive(Debug)]
pub enum Rest {}

/// A request to be sent. Nothing happens before it is: `client.get("/").send().await?`, or shorter
/// `client.get("/").await?`, which is the same for one allocation more.
#[must_use = "a request does nothing until it is sent: add `.send().await?`"]
pub struct Request<'c, Kind = Plain> {
    pub(super) client: &'c mut Client,
    pub(super) method: Method,
    pub(super) path: Cow<'c, str>,
    pub(super) name: Option<Cow<'c, str>>,
    pub(super) query: Option<String>,
    pub(super) headers: Option<Cow<'c, Headers>>,
    pub(super) body: Bytes,
    pub(super) timeout: Option<Duration>,
    pub(super) allow_redirects: bool,
    pub(super) context: RequestContext,
    /// What is wrong with the request, found while it was put together.
    pub(super) invalid: Option<String>,
    /// Where it goes, once that is known; kept here so that its name can be borrowed.
    target: Option<Arc<Target>>,
    kind: PhantomData<fn() -> Kind>,
}

impl<'c> Request<'c> {
    pub(super) fn new(client: &'c mut Client, method: Method, path: Cow<'c, str>) -> Self {
        Self {
            client,
            method,
            path,
            name: None,
            query: None,
            headers: None,
            body: Bytes::new(),
            timeout: None,
            allow_redirects: true,
            context: RequestContext::default(),
            invalid: None,
            target: None,
            kind: PhantomData,
        }
    }

    /// Leaves the verdict to the scenario: the response has `success()` and `failure("…")`. Locust's
    /// `catch_response=True`.
    pub fn catch(self) -> Request<'c, Caught> {
        self.into_kind()
    }

    /// Leaves the body to be read by the scenario, in pieces or lines and untimed: the response time
    /// ends with the head, the response length is what the head says (0 if nothing). Locust's
    /// `stream=True`.
    pub fn stream(self) -> Request<'c, Streamed> {
        self.into_kind()
    }

    /// Sends the request, reads the whole response and records the sample.
    ///
    /// A status that counts as a failure is recorded as one and is not an error here: the response is
    /// returned. Which do: on the full client 400 to 599, on the fast one everything but 200 to 208, 226,
    /// 301 to 304, 307 and 308 (Locust's rules for `HttpUser` and `FastHttpUser`).
    ///
    /// # Errors
    ///
    /// When there is no response (connection, TLS, timeout, malformed answer): recorded as a failure
    /// already. When the request cannot be made as it was put together: nothing is recorded.
    pub async fn send(mut self) -> Result<Response, RequestError> {
        let kind = self.client.shared.options.kind;
        let (pending, answer) = self.run(Reading::Whole).await?;
        let response =
            Response::new(kind, answer, pending.started_at()).of(pending.user(), pending.name());
        let error = response.status_failure(pending.name());
        pending.finish(&response.ended(), error.as_deref(), Some(&response));
        Ok(response.to(self.asked()))
    }
}

impl<'c> Request<'c, Caught> {
    /// Leaves the body to be read by the scenario, see [`Request::stream`].
    pub fn stream(self) -> Request<'c, CaughtStreamed> {
        self.into_kind()
    }

    /// Sends the request and reads the whole response. The sample is recorded when the response is
    /// judged or dropped, with the response time measured here.
    ///
    /// # Errors
    ///
    /// As for a request that is not caught.
    pub async fn send(mut self) -> Result<CaughtResponse, RequestError> {
        self.run_caught().await
    }
}

impl<'c> Request<'c, Streamed> {
    /// Leaves the verdict to the scenario, see [`Request::catch`].
    pub fn catch(self) -> Request<'c, CaughtStreamed> {
        self.into_kind()
    }

    /// Sends the request, reads the head of the response and records the sample.
    ///
    /// # Errors
    ///
    /// As for a request that is not streamed.
    pub async fn send(mut self) -> Result<StreamedResponse, RequestError> {
        let kind = self.client.shared.options.kind;
        let limit = self.limit();
        let max_body = self.client.shared.options.max_body;
        let (pending, answer) = self.run(Reading::Head).await?;
        let response = StreamedResponse::new(kind, answer, pending.started_at(), limit, max_body);
        let error = response.head().status_failure(pending.name());
        pending.finish(&response.ended(), error.as_deref(), Some(&response));
        Ok(response.to(self.asked()))
    }
}

impl Request<'_, CaughtStreamed> {
    /// Sends the request and reads the head of the response. The sample is recorded when the response
    /// is judged or dropped.
    ///
    /// # Errors
    ///
    /// As for a request that is not caught.
    pub async fn send(mut self) -> Result<CaughtStreamedResponse, RequestError> {
        let kind = self.client.shared.options.kind;
        let limit = self.limit();
        let max_body = self.client.shared.options.max_body;
        let (own, answer) = self.run_owned(Reading::Head).await?;
        let response = StreamedResponse::new(kind, answer, own.started_at, limit, max_body);
        let ended = response.ended();
        Ok(Judged::new(
            response.to(self.asked()),
            OwnSample { ended, ..own },
        ))
    }
}

impl Request<'_, Rest> {
    /// Sends the request, reads the whole response and its JSON. The sample is recorded when the
    /// response is judged or dropped; a body that is not JSON is a failure.
    ///
    /// # Errors
    ///
    /// As for a request that is not caught.
    pub async fn send(mut self) -> Result<RestResponse, RequestError> {
        self.send_json();
        self.accept_json();
        Ok(RestResponse::new(self.run_caught().await?))
    }
}

impl<'c, Kind> Request<'c, Kind> {
    pub(super) fn into_kind<Other>(self) -> Request<'c, Other> {
        Request {
            client: self.client,
            method: self.method,
            path: self.path,
            name: self.name,
            query: self.query,
            headers: self.headers,
            body: self.body,
            timeout: self.timeout,
            allow_redirects: self.allow_redirects,
            context: self.context,
            invalid: self.invalid,
            target: None,
            kind: PhantomData,
        }
    }

    fn limit(&self) -> Duration {
        self.timeout
            .unwrap_or(self.client.shared.options.request_timeout)
    }

    async fn run_caught(&mut self) -> Result<CaughtResponse, RequestError> {
        let kind = self.client.shared.options.kind;
        let (own, answer) = self.run_owned(Reading::Whole).await?;
        let response = Response::new(kind, answer, own.started_at).of(&own.user, &own.name);
        let ended = response.ended();
        Ok(Judged::new(
            response.to(self.asked()),
            OwnSample { ended, ..own },
        ))
    }

    /// Which request it was, for errors about its response. Ends the request: it takes what is needed.
    fn asked(&mut self) -> Asked {
        let name = self.name.take().map(|name| name.into_owned().into());
        Asked {
            method: std::mem::take(&mut self.method),
            name: name.or_else(|| self.client.request_name.clone()),
            target: self.target.take(),
        }
    }

    /// Sends the request and reads the response. A failure is recorded; a response's sample is
    /// handed over, to be completed.
    async fn run_owned(&mut self, reading: Reading) -> Result<(OwnSample, Answer), RequestError> {
        let (pending, answer) = self.run(reading).await?;
        let (name, started_at) = (pending.name().to_owned(), pending.started_at());
        pending.hand_over();
        let own = OwnSample {
            user: Arc::clone(&self.client.user),
            method: method_name(&self.method),
            name,
            started_at,
            task: self.client.task,
            target: self.target.clone(),
            trace: self.client.trace,
            context: self
                .client
                .context
                .merged(std::mem::take(&mut self.context)),
            ended: Ended {
                response_time: Duration::ZERO,
                time_to_first_byte: None,
                response_length: 0,
                status: Some(answer.status),
            },
        };
        Ok((own, answer))
    }

    /// Sends the request and reads the response. A failure is recorded; a response is not yet.
    async fn run(&mut self, reading: Reading) -> Result<(Pending<'_>, Answer), RequestError> {
        let started_at = Instant::now();
        self.client.trace = None;
        let unsendable = |headers: &Headers| headers.invalid().map(str::to_owned);
        let invalid = self.invalid.take();
        let invalid = invalid.or_else(|| self.headers.as_deref().and_then(unsendable));
        if let Some(reason) = invalid.or_else(|| unsendable(&self.client.headers)) {
            let (method, path) = (&self.method, &self.path);
            return Err(RequestError::invalid(format!("{method} {path}: {reason}")));
        }
        let limit = self.limit();
        let Client {
            shared,
            headers,
            cookies,
            targets,
            transport,
            time_limit,
            user,
            task,
            request_name,
            context,
            tracing,
            trace,
        } = &mut *self.client;
        let target = match &self.query {
            None => targets.get(&shared.base, &self.path),
            Some(query) => shared.base.target(&self.path, Some(query)).map(Arc::new),
        }
        .map_err(|error| RequestError::invalid(error.to_string()))?;
        let target: &Arc<Target> = self.target.insert(target);

        let name = match (&self.name, request_name) {
            (Some(name), _) => name,
            (None, Some(name)) => &**name,
            // User and password have no place in the statistics.
            (None, None) if target.authorization.is_some() => target.name(),
            (None, None) if shared.options.kind == ClientKind::Fast && !self.path.is_empty() => {
                &self.path
            }
            (None, None) => target.name(),
        };
        let mut traceparent = None;
        if let Some(tracing) = tracing {
            (*trace, traceparent) = tracing.begin(headers, self.headers.as_deref());
        }
        let pending = Pending::new(Begun {
            user,
            method: self.method.as_str(),
            name,
            started_at,
            task: *task,
            target,
            trace: *trace,
            user_context: context,
            own_context: &self.context,
        });
        let route = Route {
            shared,
            headers,
            cookies,
            transport,
            traceparent,
        };
        let exchange = pin!(exchange(
            route,
            target,
            &self.method,
            self.headers.take(),
            std::mem::take(&mut self.body),
            self.allow_redirects,
            reading,
        ));
        match time_limit
            .bound(started_at, limit, exchange)
            .await
            .unwrap_or(Err(TIMED_OUT))
        {
            Ok(answer) => Ok((pending, answer)),
            Err(failure) => {
                let ended = Ended {
                    response_time: started_at.elapsed(),
                    time_to_first_byte: None,
                    response_length: 0,
                    status: None,
                };
                pending.finish(&ended, Some(failure.text()), None);
                if let Some(limit) = failure.generator_limit() {
                    user.run.recorder.generator_limit(limit);
                }
                Err(RequestError::recorded(failure.text().to_owned()))
            }
        }
    }
}

/// A method's name, without a copy for the usual ones.
fn method_name(method: &Method) -> Cow<'static, str> {
    Cow::Borrowed(match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        ref other => return Cow::Owned(other.as_str().to_owned()),
    })
}
