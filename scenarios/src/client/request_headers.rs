//! The headers of one request: the client's, the address's, and over both the request's own.
//!
//! On HTTP/1 those that need no closer look are written as they are, the client's as lines that were made once. For
//! everything else there is a map of all of them.

use std::sync::OnceLock;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};

use super::headers::{Headers, write_line};
use super::target::Target;
use super::trace::{TRACEPARENT, TraceParent};
use super::transport::has_token;

/// Length of a missing body.
const NOTHING: HeaderValue = HeaderValue::from_static("0");
/// How the header is written that says which trace a request belongs to (W3C Trace Context, section 3.2.1).
const TRACEPARENT_WRITTEN: &str = "traceparent";

/// What redirects have led away from. What is left once stays so, whatever the next redirect leads back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// The origin that the request's own cookies and host were meant for.
    pub(super) origin: bool,
    /// Who may see its credentials.
    pub(super) trusted: bool,
}

/// The headers of one request.
pub(super) struct RequestHeaders<'r> {
    client: &'r Headers,
    own: Option<&'r Headers>,
    root: &'r Target,
    target: &'r Target,
    left: Left,
    /// Whether to say that there is no body.
    says_no_body: bool,
    cookie: Option<HeaderValue>,
    traceparent: Option<TraceParent>,
    map: OnceLock<HeaderMap>,
}

impl<'r> RequestHeaders<'r> {
    pub(super) fn new(
        client: &'r Headers,
        own: Option<&'r Headers>,
        root: &'r Target,
        target: &'r Target,
    ) -> Self {
        Self {
            client,
            own,
            root,
            target,
            left: Left::default(),
            says_no_body: false,
            cookie: None,
            traceparent: None,
            map: OnceLock::new(),
        }
    }

    /// After redirects.
    pub(super) fn after(mut self, left: Left) -> Self {
        self.left = left;
        self
    }

    /// Says which trace it belongs to. The scenario must not say so itself.
    pub(super) fn traced(mut self, traceparent: Option<TraceParent>) -> Self {
        self.traceparent = traceparent;
        self
    }

    /// Says that there is no body, unless the scenario says something about it.
    pub(super) fn without_body(mut self) -> Self {
        self.says_no_body = true;
        self
    }

    /// Whether the scenario itself says what cookies to send.
    pub(super) fn has_cookie(&self) -> bool {
        let of_client = !self.left.origin && self.client.contains_key(COOKIE);
        of_client || self.own.is_some_and(|own| own.contains_key(COOKIE))
    }

    /// The cookies to send; there must be none yet.
    pub(super) fn set_cookie(&mut self, line: HeaderValue) {
        self.cookie = Some(line);
    }

    /// All of them.
    pub(super) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| self.assemble())
    }

    /// How the scenario wrote a name that is not written in the usual spelling.
    pub(super) fn written(&self, name: &HeaderName) -> Option<&str> {
        if self.traceparent.is_some() && *name == TRACEPARENT {
            return Some(TRACEPARENT_WRITTEN);
        }
        let own = self.own.and_then(|own| own.spelling().get(name));
        own.or_else(|| self.client.spelling().get(name))
    }

    /// Whether the connection is to be closed after the request.
    pub(super) fn closes(&self) -> bool {
        let own = self.own.filter(|own| own.contains_key(CONNECTION));
        let deciding = own.unwrap_or(self.client);
        let mut values = deciding.get_all(CONNECTION).iter();
        values.any(|value| has_token(value, "close"))
    }

    /// Writes all of them as lines. False, and nothing is written, where what is to be written depends on how they come
    /// together or what they say.
    pub(super) fn write_plain(&self, out: &mut Vec<u8>) -> bool {
        let is_own_address = self.target.origin == self.root.origin
            && self.target.host == self.root.host
            && self.target.authorization.is_none();
        if self.left != Left::default() || !is_own_address {
            return false;
        }
        let Some(lines) = self.client.lines() else {
            return false;
        };
        let start = out.len();
        out.extend_from_slice(lines);
        if let Some(own) = self.own
            && !own.write_lines(out, |name| !self.client.contains_key(name))
        {
            out.truncate(start);
            return false;
        }
        if self.says_no_body {
            out.extend_from_slice(b"Content-Length: 0\r\n");
        }
        if let Some(cookie) = &self.cookie {
            write_line(out, "Cookie", cookie);
        }
        if let Some(traceparent) = self.traceparent {
            out.extend_from_slice(TRACEPARENT_WRITTEN.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(&traceparent.written());
            out.extend_from_slice(b"\r\n");
        }
        true
    }

    fn assemble(&self) -> HeaderMap {
        let mut headers = self.client.map().clone();
        let (root, target) = (self.root, self.target);
        match headers.get(HOST) {
            Some(host) if *host == target.host => {}
            // One that the scenario set for all requests names a virtual host of the test's own host, of no other.
            Some(host) if *host != root.host && target.origin == root.origin => {}
            _ => {
                headers.insert(HOST, target.host.clone());
            }
        }
        if self.left.trusted {
            headers.remove(AUTHORIZATION);
        }
        if self.left.origin {
            headers.remove(COOKIE);
        }
        if let Some(authorization) = &target.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(own) = self.own {
            // Each stays where the client's of the same name was.
            for name in own.keys() {
                let mut values = own.get_all(name).into_iter();
                if let Some(first) = values.next() {
                    headers.insert(name, first.clone());
                }
                for value in values {
                    headers.append(name, value.clone());
                }
            }
        }
        if self.says_no_body && !headers.contains_key(TRANSFER_ENCODING) {
            headers.entry(CONTENT_LENGTH).or_insert(NOTHING);
        }
        if let Some(cookie) = &self.cookie {
            headers.insert(COOKIE, cookie.clone());
        }
        if let Some(traceparent) = self.traceparent {
            headers.insert(TRACEPARENT, traceparent.value());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::client::{ClientKind, ClientOptions, ClientShared, Tracing};

    /// Names that matter, and some that do not.
    const NAMES: [&str; 12] = [
        "host",
        "Accept",
        "ACCEPT",
        "X-Tenant",
        "x-tenant",
        "cookie",
        "Connection",
        "content-length",
        "Content-Type",
        "transfer-encoding",
        "authorization",
        "proxy-authorization",
    ];

    fn set(headers: &mut Headers, pairs: &[(usize, String)]) {
        for (name, value) in pairs {
            headers.append(NAMES[*name], value.parse().unwrap());
        }
    }

    fn pairs() -> impl Strategy<Value = Vec<(usize, String)>> {
        prop::collection::vec((0..NAMES.len(), "[a-c]"), 0..3)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// What is written without a map is what the map says, in its order.
        #[test]
        fn lines_are_those_of_the_map(
            of_client in pairs(),
            of_request in prop::option::of(pairs()),
            removed in prop::option::of(0..NAMES.len()),
            path in prop_oneof![Just("/"), Just("http://u:p@host.test/"), Just("http://other.test/")],
            has_body in any::<bool>(),
            has_cookie in any::<bool>(),
            is_traced in any::<bool>(),
            left in any::<(bool, bool)>(),
        ) {
            let options = Arc::new(ClientOptions::new(ClientKind::Fast));
            let host = Url::parse("http://host.test").unwrap();
            let shared = ClientShared::new(&host, options).unwrap();
            let target = shared.base.target(path, None).unwrap();
            let mut client = (*shared.headers).clone();
            set(&mut client, &of_client);
            let own = of_request.map(|pairs| {
                let mut own = Headers::default();
                set(&mut own, &pairs);
                own
            });
            // Lines that were made before a change must not be sent after it.
            let _ = client.lines();
            if let Some(name) = removed {
                client.remove(NAMES[name]);
            }
            let (origin, trusted) = left;
            let mut headers = RequestHeaders::new(&client, own.as_ref(), &shared.root, &target)
                .after(Left { origin, trusted });
            if !has_body {
                headers = headers.without_body();
            }
            if has_cookie && !headers.has_cookie() {
                headers.set_cookie(HeaderValue::from_static("a=b"));
            }
            if is_traced {
                let tracing = Tracing::of(Some(0.5)).unwrap();
                let (_, traceparent) = tracing.begin(&client, own.as_ref());
                headers = headers.traced(traceparent);
            }
            let mut plain = Vec::new();
            if !headers.write_plain(&mut plain) {
                prop_assert!(plain.is_empty());
                return Ok(());
            }
            let mut expected = Vec::new();
            for (name, value) in headers.map() {
                match headers.written(name) {
                    Some(written) => expected.extend_from_slice(written.as_bytes()),
                    None => crate::client::headers::write_usual(&mut expected, name.as_str()),
                }
                crate::client::headers::write_value(&mut expected, value);
            }
            prop_assert_eq!(Bytes::from(plain), Bytes::from(expected));
        }
    }
}
