//! Which client users have, and what it speaks.

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
