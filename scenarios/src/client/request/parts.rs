//! What can be said about a request before it is sent.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use super::body::RequestBody;
use super::headers::IntoHeaders;
use super::multipart::Multipart;
use super::{Request, python_json};
use crate::client::ClientKind;
use crate::client::headers::{Headers, VALUE_NOT_VALID, WrittenName};
use crate::client::target::basic;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl<'c, Kind> Request<'c, Kind> {
    /// Groups the request under this name, whatever its address and the client's
    /// [`renamed`](crate::client::Client::renamed) say.
    pub fn name(mut self, name: impl Into<Cow<'c, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says something about the request to those who listen to requests; over what the user says under
    /// the same key ([`Client::context_mut`](crate::client::Client::context_mut)).
    pub fn context(mut self, key: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.context.set(key, value);
        self
    }

    /// Sends a header; one of the client's of the same name is replaced. On HTTP/1 a name that is given as a text goes
    /// out as it is written here (`X-API-Key`).
    pub fn header<V>(mut self, name: impl WrittenName, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
    {
        match value.try_into() {
            Ok(value) => self.set_header(name, value),
            Err(_) => self.refuse(VALUE_NOT_VALID),
        }
        self
    }

    /// Sends all these headers, `.headers([("X-Tenant", "7"), ("X-Step", "2")])`; each replaces those of the same
    /// name.
    pub fn headers(mut self, headers: impl IntoHeaders) -> Self {
        match headers.into_headers() {
            Ok(headers) => self.own_headers().extend(headers),
            Err(reason) => self.refuse(reason),
        }
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
        match encoded(parameters) {
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
        match encoded(fields) {
            Ok(encoded) => {
                self.body = encoded.into();
                self.set_usual_type(match self.kind() {
                    ClientKind::Fast => "application/x-www-form-urlencoded; charset=utf-8",
                    ClientKind::Full => "application/x-www-form-urlencoded",
                });
            }
            Err(error) => self.refuse(format!("the form cannot be encoded: {error}")),
        }
        self
    }

    /// Sends text fields and files.
    pub fn multipart(mut self, form: Multipart) -> Self {
        let (content_type, body) = form.encode();
        self.body = body;
        self.set_header(CONTENT_TYPE, content_type);
        self
    }

    /// Sends a value as JSON, written as by Python's `json.dumps`. As in Locust, the fast client asks for JSON in
    /// return, too (`Accept`), unless the request says otherwise.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match python_json::dumps(value) {
            Ok(encoded) => {
                self.body = encoded.into();
                match self.kind() {
                    ClientKind::Fast => {
                        self.set_type("application/json");
                        self.accept_json();
                    }
                    ClientKind::Full => self.set_usual_type("application/json"),
                }
            }
            Err(error) => self.refuse(format!("the value cannot be encoded as JSON: {error}")),
        }
        self
    }

    /// Sends text or bytes as they are. What they are is yours to say; as in Locust the fast client says it where
    /// neither the request nor the client does ([`RequestBody`]).
    pub fn body(mut self, body: impl Into<RequestBody>) -> Self {
        let body = body.into();
        if self.kind() == ClientKind::Fast && !body.bytes.is_empty() {
            self.set_usual_type(body.content_type());
        }
        self.body = body.bytes;
        self
    }

    /// Longest time for this request, from `send()` to the end of the body; of a streamed one to the
    /// end of the head, and then for each piece of the body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether redirects are followed; they are, except for HEAD.
    pub fn allow_redirects(mut self, allow: bool) -> Self {
        self.allow_redirects = allow;
        self
    }

    pub(in crate::client) fn set_header(&mut self, name: impl WrittenName, value: HeaderValue) {
        self.own_headers().insert(name, value);
    }

    /// Sends these headers, in place of all that the request has of its own.
    pub(crate) fn lent_headers(mut self, headers: &'c Headers) -> Self {
        self.headers = Some(Cow::Borrowed(headers));
        self
    }

    fn own_headers(&mut self) -> &mut Headers {
        self.headers
            .get_or_insert_with(|| Cow::Owned(Headers::default()))
            .to_mut()
    }

    fn set_if_absent(&mut self, name: HeaderName, value: HeaderValue) {
        let is_set = |headers: &Cow<'_, Headers>| headers.contains_key(&name);
        if !self.headers.as_ref().is_some_and(is_set) {
            self.own_headers().insert(name, value);
        }
    }

    /// Says what the body is, unless the scenario did.
    fn set_type(&mut self, content_type: &'static str) {
        self.set_if_absent(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }

    /// Says what the body is, unless the scenario did or the client always does.
    fn set_usual_type(&mut self, content_type: &'static str) {
        if !self.client.headers.contains_key(CONTENT_TYPE) {
            self.set_type(content_type);
        }
    }

    fn kind(&self) -> ClientKind {
        self.client.shared.options.kind
    }

    /// Asks for JSON, unless the scenario did.
    pub(in crate::client) fn accept_json(&mut self) {
        self.set_if_absent(ACCEPT, JSON);
    }

    /// Says that the body is JSON, unless the scenario said what it is.
    pub(in crate::client) fn send_json(&mut self) {
        self.set_if_absent(CONTENT_TYPE, JSON);
    }

    pub(in crate::client) fn refuse(&mut self, reason: impl Into<String>) {
        self.invalid.get_or_insert_with(|| reason.into());
    }
}

/// Fields as of a form, written as by Python: `~` stays, `*` does not.
fn encoded<T: Serialize + ?Sized>(fields: &T) -> Result<String, serde_urlencoded::ser::Error> {
    // A `%` of the fields themselves is `%25` here.
    let encoded = serde_urlencoded::to_string(fields)?;
    if encoded.contains(['*', '%']) {
        return Ok(encoded.replace("%7E", "~").replace('*', "%2A"));
    }
    Ok(encoded)
}
