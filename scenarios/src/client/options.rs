//! What a user type says about its client.

use std::time::Duration;

use super::body::MAX_BODY;
use super::headers::Headers;
use super::transport::{ClientProxy, TlsExtras};
use super::{ClientKind, ClientSetupError, HttpVersion};

/// Longest time for a request unless the user type or the request says otherwise (as Locust's
/// `FastHttpUser`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a connection unless the user type says otherwise (as Locust's `FastHttpUser`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// Most redirects followed in one request unless the user type says otherwise (as Locust).
const MAX_REDIRECTS: usize = 30;
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
    pub(crate) invalid: Option<ClientSetupError>,
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
            max_body: MAX_BODY,
            invalid: None,
        }
    }

    /// Which versions of HTTP are spoken.
    pub(super) fn versions(&self) -> HttpVersion {
        match self.kind {
            ClientKind::Fast => HttpVersion::Http1,
            ClientKind::Full => self.http_version,
        }
    }

    /// What is wrong with the options.
    pub(crate) fn problem(&self) -> Option<ClientSetupError> {
        self.invalid.clone().or_else(|| {
            let tls = self.tls.problem(self.versions(), self.accept_invalid_certs);
            tls.map(ClientSetupError::Tls)
        })
    }
}
