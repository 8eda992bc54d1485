//! The HTTP client of a user.
//!
//! One `Client` and one transport for both kinds of users, so that what a scenario sees and what is recorded cannot
//! depend on which it has. The kinds differ in Locust's rules for them, and the full one speaks HTTP/2 and uses proxies:
//!
//! - `request`: what a scenario says, from path and headers to bodies; timing and recording.
//! - `response`: what it gets, and the verdicts it gives.
//! - `session`, `cookies`: what a user keeps between two requests. `stopping`: whether the user is to stop.
//! - `measure`: what is timed that is not a request of this client.
//! - `exchange`: one timed request on any transport: redirects, cookies, decompression, timeouts.
//! - `locust_names`: what the compiler says where a name of Locust is written that is another one here.
//! - `target`: base URL and path become an address, once per path.
//! - `transport`: carries one request to one answer, on a connection that is kept or a new one.
//! - `body`: what comes back. `failure`: what is said when nothing does.

mod body;
pub(crate) mod cookies;
mod exchange;
mod failure;
mod locust_names;
mod measure;
mod pending;
mod request;
mod response;
mod session;
mod stopping;
mod target;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Method};
use url::Url;

use crate::run::{Run, UserContext, UserInfo};
use target::{Base, TargetCache};
use transport::Transport;

pub use body::BodyNotKept;
pub use failure::RequestError;
pub use measure::{Measure, Recorded, Timing};
pub use request::{
    Caught, CaughtStreamed, Headers, IntoHeaders, IntoPath, LARGEST_FILE, Multipart, Plain,
    REQUESTS_AT_ONCE, Request, RequestBody, RequestContext, RequestKind, Rest, Streamed,
    WrittenName,
};
pub use response::{
    Answered, CaughtResponse, CaughtStreamedResponse, JsonError, Judged, LARGEST_EVENT,
    LONGEST_LINE, ReadJson, Response, ResponseError, RestResponse, ServerSentEvent, Status,
    StreamError, StreamedResponse, ensure,
};
pub use session::Renamed;
pub use stopping::StopHandle;
pub(crate) use target::{Target, is_absolute};
pub(crate) use transport::{ClientProxy, TlsExtras};
pub use transport::{TlsConfigError, tls_client_config};

/// Which transport the users of a type get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// HTTP/1.1, with the rules of Locust's `FastHttpUser`.
    Fast,
    /// HTTP/1.1 and HTTP/2, also through proxies, with the rules of Locust's `HttpUser`.
    Full,
}

/// Which versions of HTTP the users of a type on the full client speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// What server and client agree on in the handshake of TLS, HTTP/2 first; without TLS HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; without TLS, too, where the server must be known to speak it (prior knowledge).
    Http2,
}

/// Longest time for a request unless the user type or the request says otherwise (as Locust's
/// `FastHttpUser`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a connection unless the user type says otherwise (as Locust's `FastHttpUser`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// Most redirects followed in one request unless the user type says otherwise (as Locust).
const MAX_REDIRECTS: usize = 30;
/// The encodings that `body` can decode.
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, deflate, br");

/// What a user type says about its client.
#[derive(Debug, Clone)]
pub(crate) struct ClientOptions {
    pub(crate) kind: ClientKind,
    pub(crate) request_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_redirects: usize,
    pub(crate) accept_invalid_certs: bool,
    pub(crate) headers: Headers,
    pub(crate) tls: TlsExtras,
    /// Of the full client only.
    pub(crate) http_version: HttpVersion,
    /// Of the full client only.
    pub(crate) proxy: Option<ClientProxy>,
    /// Most bytes of a decoded body that are kept to be read.
    pub(crate) max_body: usize,
    /// What is wrong with the options: users of the type cannot be started.
    pub(crate) invalid: Option<String>,
}

impl ClientOptions {
    pub(crate) fn new(kind: ClientKind) -> Self {
        Self {
            kind,
            request_timeout: REQUEST_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            max_redirects: MAX_REDIRECTS,
            accept_invalid_certs: false,
            headers: Headers::default(),
            tls: TlsExtras::default(),
            http_version: HttpVersion::Auto,
            proxy: None,
            max_body: body::MAX_BODY,
            invalid: None,
        }
    }

    /// Which versions of HTTP are spoken.
    fn versions(&self) -> HttpVersion {
        match self.kind {
            ClientKind::Fast => HttpVersion::Http1,
            ClientKind::Full => self.http_version,
        }
    }

    /// What is wrong with the options, in one sentence.
    pub(crate) fn problem(&self) -> Option<String> {
        self.invalid
            .clone()
            .or_else(|| self.tls.problem(self.versions(), self.accept_invalid_certs))
    }
}

/// What all clients of a user type share in one run.
pub(crate) struct ClientShared {
    options: Arc<ClientOptions>,
    base: Base,
    /// The base URL as a target.
    root: Target,
    /// The headers of every request, `Host` for the base URL first.
    headers: Arc<Headers>,
    tls: Arc<rustls::ClientConfig>,
    /// For an encrypted connection to a proxy.
    proxy_tls: Arc<rustls::ClientConfig>,
}

impl ClientShared {
    pub(crate) fn new(host: &Url, options: Arc<ClientOptions>) -> Result<Self, String> {
        if let Some(reason) = &options.invalid {
            return Err(reason.clone());
        }
        let base = Base::new(host, options.kind);
        let root = base
            .target("", None)
            .map_err(|error| format!("the host {host} cannot be used: {error}"))?;
        let mut headers = Headers::default();
        headers.insert(HOST, root.host.clone());
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("greylag/", env!("CARGO_PKG_VERSION"))),
        );
        if options.kind == ClientKind::Full {
            // As python-requests; geventhttpclient says nothing.
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        headers.insert(ACCEPT_ENCODING, ENCODINGS);
        if let Some(authorization) = base.authorization() {
            headers.insert(AUTHORIZATION, authorization);
        }
        headers.extend(options.headers.clone());
        let config =
            |version| transport::tls_config(version, options.accept_invalid_certs, &options.tls);
        let tls = config(options.versions())?;
        let proxy_tls = match &options.proxy {
            Some(proxy) if proxy.is_encrypted() => config(HttpVersion::Http1)?,
            _ => Arc::clone(&tls),
        };
        Ok(Self {
            options,
            base,
            root,
            headers: Arc::new(headers),
            tls,
            proxy_tls,
        })
    }
}

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
    shared: Arc<ClientShared>,
    user: Arc<UserContext>,
    /// How much later than intended the present task began, for users with a pace.
    delay: Option<Duration>,
    headers: Arc<Headers>,
    cookies: Option<Box<cookies::Jar>>,
    targets: TargetCache,
    transport: Transport,
    /// What requests without a name of their own are grouped under.
    request_name: Option<Box<str>>,
    /// What listeners are told about every request.
    context: RequestContext,
}

impl Client {
    pub(crate) fn new(shared: Arc<ClientShared>, user: Arc<UserContext>) -> Self {
        Self {
            headers: Arc::clone(&shared.headers),
            cookies: None,
            targets: TargetCache::new(),
            transport: Transport::default(),
            shared,
            user,
            delay: None,
            request_name: None,
            context: RequestContext::default(),
        }
    }

    /// Says how much later than intended the task that follows begins; `None` without a pace.
    pub(crate) fn set_delay(&mut self, delay: Option<Duration>) {
        self.delay = delay;
    }

    #[cfg(test)]
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// The run this user takes part in.
    pub fn run(&self) -> &Arc<Run> {
        &self.user.run.run
    }

    /// Who this user is among all users of the run.
    pub fn user(&self) -> &UserInfo {
        &self.user.info
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

/// Whether a path (or absolute URL) can be requested; if not, the sentence that says why.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    let host = Url::parse("http://localhost").expect("a constant, valid URL");
    Base::new(&host, ClientKind::Full)
        .target(path, None)
        .map(drop)
}
