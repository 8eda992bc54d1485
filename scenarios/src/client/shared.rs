//! What all clients of a user type share in one run.

use std::sync::Arc;

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use url::Url;

use super::headers::Headers;
use super::target::{Base, Target};
use super::transport::{ConnectionSettings, tls_config};
use super::{ClientKind, ClientOptions, ClientSetupError, HttpVersion};

/// The encodings that `body` can decode.
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, deflate, br");

/// What all clients of a user type share in one run.
pub(crate) struct ClientShared {
    pub(super) options: Arc<ClientOptions>,
    pub(super) base: Base,
    /// The base URL as a target.
    pub(super) root: Target,
    /// The headers of every request, `Host` for the base URL first.
    pub(super) headers: Arc<Headers>,
    pub(super) connections: ConnectionSettings,
}

impl ClientShared {
    pub(crate) fn new(host: &Url, options: Arc<ClientOptions>) -> Result<Self, ClientSetupError> {
        if let Some(reason) = &options.invalid {
            return Err(reason.clone());
        }
        let base = Base::new(host, options.kind);
        let root = base
            .target("", None)
            .map_err(|error| ClientSetupError::Host {
                host: host.to_string(),
                reason: error.to_string(),
            })?;
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
        let config = |version| tls_config(version, options.accept_invalid_certs, &options.tls);
        let tls = config(options.versions())?;
        let proxy_tls = match &options.proxy {
            Some(proxy) if proxy.is_encrypted() => config(HttpVersion::Http1)?,
            _ => Arc::clone(&tls),
        };
        Ok(Self {
            connections: ConnectionSettings {
                timeout: options.connect_timeout,
                versions: options.versions(),
                tls,
                proxy: options.proxy.clone(),
                proxy_tls,
            },
            options,
            base,
            root,
            headers: Arc::new(headers),
        })
    }
}
