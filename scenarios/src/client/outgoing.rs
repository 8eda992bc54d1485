//! A request on its way to a connection, and what became of it when no answer came.

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName};

use super::failure::{Failure, KEPT_CLOSED};
use super::spelling::Spelling;
use super::target::Target;

/// A request as a transport gets it.
pub(super) struct Outgoing<'r> {
    pub(super) method: &'r Method,
    pub(super) target: &'r Target,
    pub(super) headers: &'r HeaderMap,
    /// Names that are not written in the usual spelling; the first that has one decides.
    pub(super) spelling: [&'r Spelling; 2],
    pub(super) body: &'r Bytes,
}

impl Outgoing<'_> {
    /// How the scenario wrote a name.
    pub(super) fn written(&self, name: &HeaderName) -> Option<&str> {
        self.spelling.iter().find_map(|spelling| spelling.get(name))
    }
}

/// A request that got no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// Whether the server certainly has not seen it.
    pub(super) is_unsent: bool,
    /// Whether the connection ended without a byte of an answer.
    pub(super) is_silent: bool,
}

impl Unanswered {
    /// Something came, and it was not right.
    pub(super) fn answered(failure: Failure) -> Self {
        Self {
            failure,
            is_unsent: false,
            is_silent: false,
        }
    }

    /// Whether a request on a kept connection is sent again, once, on a new one: the server may close a kept
    /// connection at any time, also just when a request goes out. That is not a failure of the target, as long as
    /// the request does no harm when it is processed twice (RFC 9110, 9.2.2), or was not sent at all.
    pub(super) fn may_be_repeated(&self, method: &Method) -> bool {
        self.is_unsent || (self.is_silent && is_idempotent(method))
    }

    /// The failure to record.
    pub(super) fn into_failure(self, on_kept_connection: bool) -> Failure {
        if on_kept_connection && self.is_silent {
            return KEPT_CLOSED;
        }
        self.failure
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}
