//! The address of a coordinator, as a flag or variable gives it.

use url::Url;

/// What is given is not a URL.
#[derive(Debug, thiserror::Error)]
#[error("it is not a URL; write it as http://name:port or https://name")]
pub(crate) struct NotAUrl;

/// Reads it. Whether it is the URL of a coordinator is checked when it is used.
pub(crate) fn coordinator_url(text: &str) -> Result<Url, NotAUrl> {
    text.parse().map_err(|_| NotAUrl)
}
