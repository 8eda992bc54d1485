//! Why a request failed, in the words it is counted under.
//!
//! Failures are grouped by their text, so a text never holds what varies between two failures of
//! the same kind: ports, addresses, byte counts. The wording is Locust's where Locust has one.

mod shortage;

use std::borrow::Cow;
use std::error::Error;
use std::io;

use http::StatusCode;

use super::kind::ClientKind;
use crate::recorder::GeneratorLimit;

pub(super) use shortage::Shortage;

/// A failed transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    text: Cow<'static, str>,
    shortage: Option<Shortage>,
}

impl Failure {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            shortage: None,
        }
    }

    pub(crate) fn owned(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            shortage: None,
        }
    }

    /// A failure of this machine, not of the target.
    pub(super) fn shortage(shortage: Shortage) -> Self {
        Self {
            text: shortage.to_string().into(),
            shortage: Some(shortage),
        }
    }

    /// An answer that cannot be read, with the line that is to blame: escaped, and cut.
    pub(crate) fn malformed(what: &str, line: &[u8]) -> Self {
        let line = line.trim_ascii_end();
        let shown: String = line
            .iter()
            .take(SHOWN_OF_LINE)
            .flat_map(|byte| byte.escape_ascii())
            .map(char::from)
            .collect();
        let cut = if line.len() > SHOWN_OF_LINE {
            "…"
        } else {
            ""
        };
        Self::owned(format!("Malformed response: {what}: \"{shown}{cut}\""))
    }

    /// A failure after the head of an answer had come; it names the status if that is one that fails.
    pub(crate) fn after(self, status: StatusCode) -> Self {
        if !(status.is_client_error() || status.is_server_error()) {
            return self;
        }
        Self {
            text: format!("{} (status {status})", self.text).into(),
            ..self
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What this machine ran out of, if that is the reason.
    pub(crate) fn generator_limit(&self) -> Option<GeneratorLimit<'_>> {
        self.shortage.as_ref().and_then(Shortage::limit)
    }

    pub(super) fn is_shortage(&self) -> bool {
        self.shortage.is_some()
    }

    pub(super) fn is_for_want_of(&self, shortage: &Shortage) -> bool {
        self.shortage.as_ref() == Some(shortage)
    }

    /// What an input/output error is called in Python: `ConnectionRefusedError(111, 'Connection
    /// refused')`.
    pub(crate) fn io(error: &io::Error) -> Self {
        use io::ErrorKind::*;
        if let Some(tls) = error
            .get_ref()
            .and_then(|inner| find::<rustls::Error>(inner))
        {
            return Self::tls(tls);
        }
        let Some(code) = error.raw_os_error() else {
            // Some errors wrap what went wrong in one without a kind.
            let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref());
            if let Some(wrapped) = wrapped {
                return Self::io(wrapped);
            }
            if error.to_string() == HANDSHAKE_EOF {
                return Self::handshake(error);
            }
            return match error.kind() {
                UnexpectedEof | ConnectionReset | BrokenPipe => Self::new(CLOSED_EARLY),
                TimedOut => Self::new("TimeoutError('timed out')"),
                kind => Self::owned(format!("OSError('{kind}')")),
            };
        };
        if let Some(shortage) = Shortage::of(error) {
            return Self::shortage(shortage);
        }
        let class = match error.kind() {
            ConnectionRefused => "ConnectionRefusedError",
            ConnectionReset => "ConnectionResetError",
            ConnectionAborted => "ConnectionAbortedError",
            BrokenPipe => "BrokenPipeError",
            TimedOut => "TimeoutError",
            PermissionDenied => "PermissionError",
            _ => "OSError",
        };
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        Self::owned(format!("{class}({code}, '{text}')"))
    }

    pub(crate) fn too_many_redirects(allowed: usize) -> Self {
        Self::owned(format!("TooManyRedirects('Exceeded {allowed} redirects.')"))
    }

    /// A handshake that ended early is not an answer cut short.
    pub(crate) fn handshake(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::new("TLS failure: the server closed the connection");
        }
        Self::io(error)
    }

    /// An error after the head of an answer had come.
    pub(crate) fn http_body(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() {
            return Self::new(CLOSED_EARLY);
        }
        Self::http(error)
    }

    pub(crate) fn tls(error: &rustls::Error) -> Self {
        use rustls::CertificateError as Certificate;
        let reason: Cow<'static, str> = match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                Certificate::Expired | Certificate::ExpiredContext { .. } => {
                    "certificate has expired".into()
                }
                Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                    "certificate is not yet valid".into()
                }
                Certificate::UnknownIssuer => "certificate of an unknown issuer".into(),
                Certificate::NotValidForNameContext { presented, .. } => {
                    not_for_this_host(presented)
                }
                Certificate::NotValidForName => "certificate is not for this host".into(),
                Certificate::Revoked => "certificate was revoked".into(),
                reason if is_authority(reason) => {
                    "certificate authority used as a server's certificate".into()
                }
                _ => "certificate is not valid".into(),
            },
            rustls::Error::AlertReceived(alert) => format!("the server sent {alert:?}").into(),
            rustls::Error::InvalidMessage(_) => "the server does not speak TLS".into(),
            _ => "handshake failed".into(),
        };
        Self::owned(format!("TLS failure: {reason}"))
    }

    /// Any error of an HTTP library, by its innermost cause that says something.
    pub(crate) fn http(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = find::<rustls::Error>(error) {
            return Self::tls(error);
        }
        if let Some(error) = find::<io::Error>(error) {
            return Self::io(error);
        }
        if let Some(error) = find::<h2::Error>(error)
            && let Some(reason) = error.reason()
        {
            return Self::owned(format!("HTTP/2 error: {reason:?}"));
        }
        match find::<hyper::Error>(error) {
            Some(error)
                if error.is_incomplete_message() || error.is_canceled() || error.is_closed() =>
            {
                Self::new(DISCONNECTED)
            }
            Some(_) => Self::new(CLOSED_EARLY),
            None => Self::owned(innermost(error).to_string()),
        }
    }
}

/// Most names of a certificate that a failure text shows, and the longest of them.
const SHOWN_NAMES: usize = 3;
const SHOWN_NAME_CHARS: usize = 80;

/// Says which hosts a certificate is for. What names none has a common name at most, which no client
/// looks at any more.
fn not_for_this_host(presented: &[String]) -> Cow<'static, str> {
    if presented.is_empty() {
        return "certificate is not for this host: it has no subject alternative name (a common name is not enough)".into();
    }
    let mut names: Vec<String> = presented
        .iter()
        .take(SHOWN_NAMES)
        .map(|name| bare_name(name).chars().take(SHOWN_NAME_CHARS).collect())
        .collect();
    if presented.len() > SHOWN_NAMES {
        names.push("…".to_owned());
    }
    format!(
        "certificate is not for this host, it is for {}",
        names.join(", ")
    )
    .into()
}

/// The name in what rustls gives, which has its kind around it: `DnsName("host")`, `IpAddress(127.0.0.1)`.
fn bare_name(presented: &str) -> &str {
    let inner = presented
        .split_once('(')
        .and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// What tokio-rustls says when a connection is closed in the middle of a handshake.
const HANDSHAKE_EOF: &str = "tls handshake eof";
/// No connection within the timeout for connecting.
pub(crate) const CONNECT_TIMED_OUT: Failure =
    Failure::new("Connect timeout: no connection within the time allowed");
/// The server closed the connection instead of answering (Python's words).
pub(crate) const DISCONNECTED: &str =
    "RemoteDisconnected('Remote end closed connection without response')";
/// The same on a connection that had served before, where the request could not be sent again.
pub(crate) const KEPT_CLOSED: Failure = Failure::new("Kept connection closed by the server");
/// Most bytes of a line that a failure shows.
const SHOWN_OF_LINE: usize = 80;
/// The server closed the connection in the middle of its answer.
pub(crate) const CLOSED_EARLY: &str = "Connection closed before the whole response was received";

/// Whether an error of HTTP/2 says that the connection ended.
pub(crate) fn is_closing(error: &(dyn Error + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(|error| {
        error.is_incomplete_message() || error.is_canceled() || error.is_closed()
    }) || find::<io::Error>(error).is_some()
        || find::<h2::Error>(error).is_some_and(|error| error.is_io() || error.is_go_away())
}

/// Whether an error of HTTP/2 says that the server did not process the request (RFC 9113, 8.7).
pub(crate) fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    find::<h2::Error>(error).is_some_and(|error| {
        error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An io::Error does not name what it wraps as its source when that is its whole content.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|inner| find::<E>(inner)) {
            return Some(found);
        }
        current = error.source();
    }
    None
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Whether a status is a success by the rule of Locust's user class of this client: `HttpUser` fails
/// 400 to 599, `FastHttpUser` everything that is not in a short list.
pub(crate) fn is_success(kind: ClientKind, status: StatusCode) -> bool {
    let code = status.as_u16();
    match kind {
        ClientKind::Full => !(400..600).contains(&code),
        ClientKind::Fast => {
            matches!(code, 200..=208 | 226 | 301 | 302 | 303 | 304 | 307 | 308)
        }
    }
}

/// The failure text of a status, as python-requests words it; `None` for a success.
///
/// `reason` is the reason phrase of the answer where it is not the usual one, `name` stands in for the URL so that requests of one
/// name group.
pub(crate) fn status_failure(
    kind: ClientKind,
    status: StatusCode,
    reason: Option<&[u8]>,
    name: &str,
) -> Option<String> {
    if is_success(kind, status) {
        return None;
    }
    let what = match status.as_u16() {
        400..=499 => "Client Error",
        500..=599 => "Server Error",
        _ => "Unexpected Status",
    };
    let reason = match reason {
        Some(reason) => reason_text(reason),
        None => Cow::Borrowed(status.canonical_reason().unwrap_or_default()),
    };
    Some(format!(
        "{} {what}: {reason} for url: {name}",
        status.as_u16()
    ))
}

/// Most characters of a reason phrase that a failure shows.
const SHOWN_OF_REASON: usize = 200;

/// A reason phrase as text: UTF-8, or else Latin-1, which every byte is valid in.
fn reason_text(reason: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(reason) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => reason.iter().map(|&byte| char::from(byte)).collect(),
    };
    match text.char_indices().nth(SHOWN_OF_REASON) {
        None => text,
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Whether an authority's own certificate was shown by a server. rustls has no kind of its own for it.
pub(super) fn is_authority(reason: &rustls::CertificateError) -> bool {
    matches!(reason, rustls::CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity"))
}
