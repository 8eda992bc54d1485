//! Where a request goes: base URL and path become an address, parsed once per path.

use std::sync::Arc;

use base64::Engine as _;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::{Position, Url};

/// Paths remembered per user. Users repeat few paths; those that differ each time cost one parse.
const CACHED_TARGETS: usize = 16;
/// Longest path that is remembered.
const CACHED_LENGTH: usize = 512;

/// Scheme, host and port: what a connection can be shared for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Host name or address as a URL writes it (IPv6 in brackets).
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An address to send a request to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    /// Path and query, as the request line has them.
    pub(crate) uri: Uri,
    /// The `Host` header.
    pub(crate) host: HeaderValue,
    /// What a URL with user and password asks to send.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) origin: Origin,
}

impl Target {
    /// # Errors
    ///
    /// A sentence, when the URL is not one that HTTP can be spoken to.
    pub(crate) fn new(mut url: Url) -> Result<Self, String> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(format!(
                    "{other:?} is not a scheme that can be requested, only http and https"
                ));
            }
        };
        url.set_fragment(None);
        if url.query() == Some("") {
            // As Locust's clients have it.
            url.set_query(None);
        }
        let authorization = basic_authorization(&url);
        if authorization.is_some() {
            // Both fail only for URLs without a host, which have no user either.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(format!("{url} has no host"));
        };
        let uri = Uri::try_from(&url[Position::BeforePath..Position::AfterQuery])
            .map_err(|error| format!("{url} cannot be requested: {error}"))?;
        let header = HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort])
            .map_err(|error| format!("{url} cannot be requested: {error}"))?;
        Ok(Self {
            origin: Origin {
                https,
                host: host.to_owned(),
                port,
            },
            uri,
            host: header,
            authorization,
            url,
        })
    }

    /// Path and query, percent-encoded.
    pub(crate) fn name(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}

/// The host of a load test, ready to have paths appended.
#[derive(Debug)]
pub(crate) struct Base {
    url: Url,
    /// What a path is appended to: the URL without user, query and fragment. A path of `/`, which every
    /// URL has, is left out.
    prefix: String,
    /// Whether a path needs a slash before it if it has none.
    bare: bool,
    authorization: Option<HeaderValue>,
}

impl Base {
    pub(crate) fn new(host: &Url) -> Self {
        let mut url = host.clone();
        let authorization = basic_authorization(host);
        // Both fail only for URLs without a host, which have no user either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let bare = url.path() == "/";
        let prefix = url.as_str();
        let prefix = if bare {
            prefix.strip_suffix('/').unwrap_or(prefix)
        } else {
            prefix
        };
        Self {
            prefix: prefix.to_owned(),
            bare,
            url,
            authorization,
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The `Authorization` of a host written with user and password.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    /// The address of `path`: itself if it is an absolute http(s) URL, else appended to the host as
    /// Locust does it, text to text: a host with a path gets no slash added or taken away. After a host
    /// without one a path begins with a slash, whether it is written or not.
    pub(crate) fn target(&self, path: &str, query: Option<&str>) -> Result<Target, String> {
        let mut url = if is_absolute(path) {
            Url::parse(path)
        } else {
            let slash = if !self.bare || path.is_empty() || path.starts_with(['/', '?', '#']) {
                ""
            } else {
                "/"
            };
            Url::parse(&format!("{}{slash}{path}", self.prefix))
        }
        .map_err(|error| format!("{path:?} is not a path or URL that can be requested: {error}"))?;
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            let joined = match url.query().filter(|own| !own.is_empty()) {
                Some(own) => format!("{own}&{query}"),
                None => query.to_owned(),
            };
            url.set_query(Some(&joined));
        }
        Target::new(url)
    }
}

/// Whether a path is a whole URL, not to be appended to the host.
pub(crate) fn is_absolute(path: &str) -> bool {
    let begins = |scheme: &str| {
        path.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins("http://") || begins("https://")
}

/// `Authorization: Basic …` for a URL with user and password.
fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decode_str(url.username()).decode_utf8_lossy();
    let password = percent_decode_str(url.password().unwrap_or("")).decode_utf8_lossy();
    Some(basic(&user, &password))
}

/// The value of `Authorization` for user and password (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> HeaderValue {
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {credentials}"))
        .expect("base64 is always a valid header value");
    value.set_sensitive(true);
    value
}

/// The targets that a user requested lately, by the path as it was written.
#[derive(Debug)]
pub(crate) struct TargetCache {
    entries: Vec<(Box<str>, Arc<Target>)>,
    next: usize,
}

impl TargetCache {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn get(&mut self, base: &Base, path: &str) -> Result<Arc<Target>, String> {
        if let Some((_, target)) = self.entries.iter().find(|(known, _)| **known == *path) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(base.target(path, None)?);
        if path.len() <= CACHED_LENGTH {
            let entry = (Box::from(path), Arc::clone(&target));
            if self.entries.len() < CACHED_TARGETS {
                self.entries.push(entry);
            } else {
                self.entries[self.next] = entry;
                self.next = (self.next + 1) % CACHED_TARGETS;
            }
        }
        Ok(target)
    }
}
