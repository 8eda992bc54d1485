//! Why the client of a user type cannot be made.

use super::transport::{ProxyError, TlsConfigError};

/// Why the client of a user type cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientSetupError {
    /// There is nothing to send requests to.
    #[error("no host is given")]
    NoHost,
    /// The host cannot be requested.
    #[error("the host {host} cannot be used: {reason}")]
    Host {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A default header has no valid name.
    #[error("the name of a default header is not valid")]
    HeaderName,
    /// A default header has no valid value.
    #[error("the value of the default header {0} is not valid: visible ASCII characters are")]
    HeaderValue(String),
    /// The proxy is not one.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
}
