//! The race of a kept connection: the server may close it while a request is on its way.

use std::time::Duration;

use http::Method;

/// A connection unused for this long may have been closed by the server just when the next request
/// went out; then that request is sent again, once, if its method allows. A connection in steady use
/// has no such excuse: its closing is the target's failure.
const RACY_AFTER: Duration = Duration::from_secs(1);

/// Whether a request that found its connection closed, after it was unused for `idle`, may be sent
/// again: only with methods that are harmless twice (RFC 9110, 9.2.2).
pub(super) fn may_race(idle: Duration, method: &Method) -> bool {
    let harmless = matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    );
    harmless && idle >= RACY_AFTER
}
