//! The target's base URL.

use url::Url;

use super::LoadTest;
use super::error::LoadTestError;

/// Longest host URL, in bytes.
pub(crate) const MAX_HOST_BYTES: usize = 2_000;

/// Neither the test nor a user type that takes part names the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "no host is given{}; set `host` (`--host` on the command line) to the target's base URL, such as http://localhost:8080, or give each user type a host",
    user_type.as_ref().map_or_else(String::new, |name| format!(", and user type `{name}` has none of its own"))
)]
pub struct NoHost {
    /// The first user type without a host; none where no user type is known.
    pub user_type: Option<String>,
}

/// What is wrong with the host. That there is none may be for user types to mend, but not for declared requests.
pub(crate) fn check_host(test: &LoadTest) -> Vec<LoadTestError> {
    let error = match test.declared {
        Some(_) => test.host_url().err(),
        None => test.host_if_any().err(),
    };
    error.into_iter().collect()
}

impl LoadTest {
    /// The host as a URL with `http` or `https` and a host name, or none when each user type has its own.
    ///
    /// # Errors
    /// [`LoadTestError::Host`] with the reason, [`LoadTestError::HostWithoutScheme`].
    pub fn host_if_any(&self) -> Result<Option<Url>, LoadTestError> {
        if self.host.is_empty() {
            return Ok(None);
        }
        self.host_url().map(Some)
    }

    /// The host as a URL with `http` or `https` and a host name.
    ///
    /// # Errors
    /// [`LoadTestError::NoHost`], or what [`host_if_any`](Self::host_if_any) gives.
    pub fn host_url(&self) -> Result<Url, LoadTestError> {
        if self.host.is_empty() {
            return Err(NoHost::default().into());
        }
        let refuse = |reason: &str| LoadTestError::Host {
            host: self.shown_host().chars().take(100).collect(),
            reason: reason.to_owned(),
        };
        if self.host.len() > MAX_HOST_BYTES {
            return Err(refuse("it is too long"));
        }
        // `example.com`, and `localhost:8080`, which would be a URL of the scheme `localhost`.
        if !self.host.contains("://") && Url::parse(&format!("http://{}", self.host)).is_ok() {
            return Err(LoadTestError::HostWithoutScheme(self.shown_host()));
        }
        let url = Url::parse(&self.host).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it begins with neither http:// nor https://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        Ok(url)
    }
}
