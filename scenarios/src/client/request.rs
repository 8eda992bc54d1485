//! A request as a scenario says it, and what sending it records.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::Client;
use super::exchange::{Route, exchange};
use super::failure::{Failure, RequestError};
use super::response::{CaughtResponse, Response};
use super::target::{Target, basic};
use crate::recorder::Pending;

/// Failure of a request that took longer than its time-out.
const TIMED_OUT: Failure =
    Failure::new("Request time-out: the response was not complete within the time allowed");

/// Marks a request that is judged by its status.
#[derive(Debug)]
pub enum Plain {}

/// Marks a request that the scenario judges ([`Request::catch`]).
#[derive(Debug)]
pub enum Caught {}

/// A request to be sent. Nothing happens before `send()`.
#[must_use = "a request does nothing until it is sent: add .send().await"]
pub struct Request<'c, Judged = Plain> {
    client: &'c mut Client,
    method: Method,
    path: Cow<'c, str>,
    name: Option<Cow<'c, str>>,
    query: Option<String>,
    headers: Option<HeaderMap>,
    body: Bytes,
    timeout: Option<Duration>,
    allow_redirects: bool,
    /// What is wrong with the request, found while it was put together.
    invalid: Option<String>,
    /// Where it goes, once that is known; kept here so that its name can be borrowed.
    target: Option<Arc<Target>>,
    judged: PhantomData<fn() -> Judged>,
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
            invalid: None,
            target: None,
            judged: PhantomData,
        }
    }

    /// Leaves the verdict to the scenario: the response has `success()` and `failure("…")`.
    pub fn catch(self) -> Request<'c, Caught> {
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
            invalid: self.invalid,
            target: None,
            judged: PhantomData,
        }
    }

    /// Sends the request, reads the whole response and records the sample.
    ///
    /// A status of 400 or above is recorded as a failure and is no error here: the response is
    /// returned.
    ///
    /// # Errors
    ///
    /// When there is no response (connection, TLS, time-out, malformed answer): recorded as a failure
    /// already. When the request cannot be made as it was put together: nothing is recorded.
    pub async fn send(mut self) -> Result<Response, RequestError> {
        let (pending, response) = self.run().await?;
        let error = response.status_failure(pending.name());
        pending.finish(
            response.elapsed(),
            Some(response.time_to_first_byte()),
            response.length(),
            error.as_deref(),
        );
        Ok(response)
    }
}

impl Request<'_, Caught> {
    /// Sends the request and reads the whole response. The sample is recorded when the response is
    /// judged or dropped, with the response time measured here.
    ///
    /// # Errors
    ///
    /// As for a request that is not caught.
    pub async fn send(mut self) -> Result<CaughtResponse, RequestError> {
        let context = Arc::clone(&self.client.user);
        let delay = self.client.delay;
        let method = self.method.clone();
        let (pending, response) = self.run().await?;
        let name = pending.name().to_owned();
        let started_at = pending.started_at();
        pending.hand_over();
        Ok(CaughtResponse::new(
            response, context, delay, method, name, started_at,
        ))
    }
}

impl<'c, Judged> Request<'c, Judged> {
    /// Groups the request under this name instead of its path and query.
    pub fn name(mut self, name: impl Into<Cow<'c, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sends a header; one of the client's of the same name is replaced.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => self.set_header(name, value),
            (Err(_), _) => self.refuse("a header's name is not valid"),
            (_, Err(_)) => self.refuse("a header's value is not valid"),
        }
        self
    }

    /// Sends all these headers; each replaces those of the same name.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        // Extending replaces a name's values by all of its new ones.
        self.headers.get_or_insert_default().extend(headers);
        self
    }

    /// Authenticates with user and password (HTTP Basic).
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.set_header(AUTHORIZATION, basic(user, password));
        self
    }

    /// Authenticates with a token (`Authorization: Bearer …`).
    pub fn bearer_auth(self, token: &str) -> Self {
        self.header(AUTHORIZATION, format!("Bearer {token}"))
    }

    /// Appends parameters to the URL: pairs, a map or a struct.
    pub fn query<T: Serialize + ?Sized>(mut self, parameters: &T) -> Self {
        match serde_urlencoded::to_string(parameters) {
            Ok(encoded) => match &mut self.query {
                Some(query) => {
                    query.push('&');
                    query.push_str(&encoded);
                }
                None => self.query = Some(encoded),
            },
            Err(error) => self.refuse(format!("the query cannot be encoded: {error}")),
        }
        self
    }

    /// Sends a form: pairs, a map or a struct.
    pub fn form<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        match serde_urlencoded::to_string(fields) {
            Ok(encoded) => {
                self.body = encoded.into();
                self.set_type("application/x-www-form-urlencoded");
            }
            Err(error) => self.refuse(format!("the form cannot be encoded: {error}")),
        }
        self
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(encoded) => {
                self.body = encoded.into();
                self.set_type("application/json");
            }
            Err(error) => self.refuse(format!("the value cannot be encoded as JSON: {error}")),
        }
        self
    }

    /// Sends a body of bytes or text; a content type is yours to set.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Longest time for this request, from `send()` to the end of the body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether redirects are followed; they are, except for HEAD.
    pub fn allow_redirects(mut self, allow: bool) -> Self {
        self.allow_redirects = allow;
        self
    }

    fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.get_or_insert_default().insert(name, value);
    }

    /// Says what the body is, unless the scenario did.
    fn set_type(&mut self, content_type: &'static str) {
        self.headers
            .get_or_insert_default()
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(content_type));
    }

    fn refuse(&mut self, reason: impl Into<String>) {
        self.invalid.get_or_insert_with(|| reason.into());
    }

    /// Sends the request and reads the response. A failure is recorded; a response is not yet.
    async fn run(&mut self) -> Result<(Pending<'_>, Response), RequestError> {
        let started_at = Instant::now();
        if let Some(reason) = self.invalid.take() {
            let (method, path) = (&self.method, &self.path);
            return Err(RequestError::invalid(format!("{method} {path}: {reason}")));
        }
        let Client {
            shared,
            headers,
            cookies,
            targets,
            transport,
            user,
            delay,
        } = &mut *self.client;
        let target = match &self.query {
            None => targets.get(&shared.base, &self.path),
            Some(query) => shared.base.target(&self.path, Some(query)).map(Arc::new),
        }
        .map_err(RequestError::invalid)?;
        let target: &Arc<Target> = self.target.insert(target);

        let name = self.name.as_deref().unwrap_or_else(|| target.name());
        let pending = Pending::new(user, self.method.as_str(), name, started_at, *delay);
        let route = Route {
            shared,
            headers,
            cookies,
            transport,
        };
        let limit = self.timeout.unwrap_or(shared.options.request_timeout);
        let exchange = exchange(
            route,
            target,
            &self.method,
            self.headers.take(),
            std::mem::take(&mut self.body),
            self.allow_redirects,
        );
        match tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(TIMED_OUT))
        {
            Ok(answer) => {
                let response = Response::new(answer, started_at, Instant::now());
                Ok((pending, response))
            }
            Err(failure) => {
                pending.finish(started_at.elapsed(), None, 0, Some(failure.text()));
                Err(RequestError::recorded(failure.text().to_owned()))
            }
        }
    }
}
