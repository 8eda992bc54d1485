//! A request on its way to a connection, and what became of it when no answer came.

use bytes::Bytes;
use http::Method;

use crate::client::failure::{Failure, KEPT_CLOSED};
use crate::client::request_headers::RequestHeaders;
use crate::client::target::Target;

/// A request as a transport gets it.
pub(in crate::client) struct Outgoing<'r> {
    pub(in crate::client) method: &'r Method,
    pub(in crate::client) target: &'r Target,
    pub(in crate::client) headers: &'r RequestHeaders<'r>,
    pub(in crate::client) body: &'r Bytes,
}

/// A request that got no answer.
#[derive(Debug)]
pub(in crate::client) struct Unanswered {
    pub(in crate::client) failure: Failure,
    /// Whether the server certainly has not seen it.
    pub(in crate::client) is_unsent: bool,
    /// Whether the connection ended without a byte of an answer.
    pub(in crate::client) is_silent: bool,
}

impl Unanswered {
    /// Something came, and it was not right.
    pub(in crate::client) fn answered(failure: Failure) -> Self {
        Self {
            failure,
            is_unsent: false,
            is_silent: false,
        }
    }

    /// Whether a request on a kept connection is sent again, once, on a new one: the server may close a kept
    /// connection at any time, also just when a request goes out. That is not a failure of the target, as long as
    /// the request does no harm when it is processed twice (RFC 9110, 9.2.2), or was not sent at all.
    pub(in crate::client) fn may_be_repeated(&self, method: &Method) -> bool {
        self.is_unsent || (self.is_silent && is_idempotent(method))
    }

    /// The failure to record.
    pub(in crate::client) fn into_failure(self, on_kept_connection: bool) -> Failure {
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
