//! Why an address cannot be requested.

use url::Url;

/// Why an address cannot be requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("`{}` is not a path or URL that can be requested: {reason}", path.escape_debug())]
    Path {
        path: String,
        reason: Box<TargetError>,
    },
    #[error(transparent)]
    Url(#[from] url::ParseError),
    #[error("`{0}` is not a supported scheme: use http or https")]
    Scheme(String),
    #[error("{0} has no host")]
    NoHost(Url),
    #[error("{url} cannot be requested: {reason}")]
    NotSendable { url: Url, reason: String },
}
