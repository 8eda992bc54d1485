//! Where a request goes: base URL and path become an address, parsed once per path.

mod encoding;
mod error;
#[cfg(test)]
mod golden;
mod redirect;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::{Host, Position, Url};

use super::kind::ClientKind;
pub(crate) use error::TargetError;

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

impl Origin {
    /// Whether a redirect from `previous` to here takes `Authorization` along: to the same origin. python-requests
    /// allows the step from HTTP to HTTPS on the usual ports of one host, too; geventhttpclient does not.
    pub(crate) fn is_trusted_after(&self, previous: &Self, kind: ClientKind) -> bool {
        let is_upgrade = !previous.https && previous.port == 80 && self.https && self.port == 443;
        self == previous || (kind == ClientKind::Full && is_upgrade && self.host == previous.host)
    }
}

/// An address to send a request to.
#[derive(Debug)]
pub(crate) struct Target {
    /// The address as the URL standard writes it, which resolves dot segments.
    pub(crate) url: Url,
    /// Path and query, as the request line has them.
    pub(crate) uri: Uri,
    /// The `Host` header.
    pub(crate) host: HeaderValue,
    /// What a URL with user and password asks to send.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) origin: Origin,
    /// Whether the host is an address and not a name.
    pub(super) is_address: bool,
}

impl Target {
    /// An address: scheme, `://` and authority; the path as it is sent; the query as it was written.
    ///
    /// # Errors
    ///
    /// Why HTTP cannot be spoken to it.
    fn new(
        origin: &[u8],
        mut sent: String,
        query: Option<&[u8]>,
        kind: ClientKind,
    ) -> Result<Self, TargetError> {
        // An empty query is not sent: as Locust's clients have it.
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            sent.push('?');
            encoding::push_query(&mut sent, query, kind);
        }
        let origin = String::from_utf8_lossy(origin);
        let mut url = Url::parse(&format!("{origin}{sent}"))?;
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(TargetError::Scheme(other.to_owned())),
        };
        let authorization = basic_authorization(&url);
        if authorization.is_some() {
            // Both fail only for URLs without a host, which have no user either.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(TargetError::NoHost(url));
        };
        let cannot = |error: &dyn std::fmt::Display| TargetError::NotSendable {
            url: url.clone(),
            reason: error.to_string(),
        };
        let header = HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort])
            .map_err(|error| cannot(&error))?;
        Ok(Self {
            origin: Origin {
                https,
                host: host.to_string(),
                port,
            },
            is_address: !matches!(host, Host::Domain(_)),
            uri: Uri::try_from(sent).map_err(|error| cannot(&error))?,
            host: header,
            authorization,
            url,
        })
    }

    /// Path and query, as they are sent.
    pub(crate) fn name(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }
}

/// The parts of a URL as it was written: RFC 3986, appendix B, except that `\` ends an authority, as urllib3 has it.
struct Parts<'t> {
    /// Scheme, `://` and authority.
    origin: &'t [u8],
    path: &'t [u8],
    query: Option<&'t [u8]>,
}

impl<'t> Parts<'t> {
    fn of(url: &'t [u8]) -> Self {
        let authority = url.windows(3).position(|bytes| bytes == b"://");
        let authority = authority.map_or(url.len(), |at| at + 3);
        let length = url[authority..]
            .iter()
            .position(|byte| b"/\\?#".contains(byte));
        let (origin, rest) = url.split_at(length.map_or(url.len(), |length| authority + length));
        let (path, query) = split_query(rest);
        Self {
            origin,
            path,
            query,
        }
    }
}

/// Path and query, if there is one that is not empty; without a fragment.
fn split_query(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = rest.iter().position(|byte| *byte == b'#');
    let rest = &rest[..end.unwrap_or(rest.len())];
    match rest.iter().position(|byte| *byte == b'?') {
        None => (rest, None),
        Some(at) => (
            &rest[..at],
            Some(&rest[at + 1..]).filter(|query| !query.is_empty()),
        ),
    }
}

/// The host of a load test, ready to have paths appended.
#[derive(Debug)]
pub(crate) struct Base {
    pub(super) url: Url,
    kind: ClientKind,
    /// Scheme, host and port, without user and password.
    origin: String,
    /// What a path is appended to. A path of `/`, which every URL has, is left out.
    path: String,
    authorization: Option<HeaderValue>,
}

impl Base {
    pub(crate) fn new(host: &Url, kind: ClientKind) -> Self {
        let mut url = host.clone();
        let authorization = basic_authorization(host);
        // Both fail only for URLs without a host, which have no user either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let path = if url.path() == "/" { "" } else { url.path() };
        Self {
            kind,
            origin: url[..Position::BeforePath].to_owned(),
            path: path.to_owned(),
            url,
            authorization,
        }
    }

    /// The `Authorization` of a host written with user and password.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    /// The address of `path`: itself if it is an absolute http(s) URL, else appended to the host as
    /// Locust does it, text to text: a host with a path gets no slash added or taken away. After a host
    /// without one a path begins with a slash, whether it is written or not.
    pub(crate) fn target(&self, path: &str, query: Option<&str>) -> Result<Target, TargetError> {
        let joined;
        let Parts {
            origin,
            path: written,
            query: own,
        } = if is_absolute(path) {
            Parts::of(path.as_bytes())
        } else {
            let (path, query) = split_query(path.as_bytes());
            joined = [self.path.as_bytes(), path].concat();
            Parts {
                origin: self.origin.as_bytes(),
                path: &joined,
                query,
            }
        };
        let both;
        let query = match (own, query.filter(|query| !query.is_empty())) {
            (Some(own), Some(query)) => {
                both = [own, b"&", query.as_bytes()].concat();
                Some(&both[..])
            }
            (own, query) => query.map(str::as_bytes).or(own),
        };
        Target::new(origin, encoding::path(written, self.kind), query, self.kind).map_err(
            |reason| TargetError::Path {
                path: path.to_owned(),
                reason: Box::new(reason),
            },
        )
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
pub(super) fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    // Escapes that are not UTF-8 mean the bytes they say.
    let part = |text| {
        let bytes = Cow::from(percent_decode_str(text));
        std::str::from_utf8(&bytes).map_or_else(|_| bytes.to_vec(), credential)
    };
    Some(basic_of(
        &part(url.username()),
        &part(url.password().unwrap_or_default()),
    ))
}

/// The value of `Authorization` for user and password (RFC 7617). As by python-requests both are sent as Latin-1; as
/// UTF-8 where that has not all their characters (which is an error there).
pub(crate) fn basic(user: &str, password: &str) -> HeaderValue {
    basic_of(&credential(user), &credential(password))
}

fn credential(text: &str) -> Vec<u8> {
    let latin1: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    latin1.unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn basic_of(user: &[u8], password: &[u8]) -> HeaderValue {
    let credentials =
        base64::engine::general_purpose::STANDARD.encode([user, b":", password].concat());
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

    pub(crate) fn get(&mut self, base: &Base, path: &str) -> Result<Arc<Target>, TargetError> {
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
