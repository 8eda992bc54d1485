//! Errors that a request's sample carries already: by `?` they end a task, and are not counted again.

use std::fmt;

/// Why `send()` gave no response.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct RequestError {
    text: String,
    recorded: bool,
}

impl RequestError {
    /// The request was tried and failed; its sample says so.
    pub(crate) fn recorded(text: String) -> Self {
        Self {
            text,
            recorded: true,
        }
    }

    /// The request could not be made: a header, body or URL is not valid. Nothing was sent or recorded.
    pub(crate) fn invalid(text: String) -> Self {
        Self {
            text,
            recorded: false,
        }
    }

    /// Whether the request was tried and is counted as failed (true), or never made because a
    /// header, body or URL in it is not valid (false).
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }
}

/// A response that is not what the scenario needs: Locust's `ResponseError`.
///
/// Returned from [`Judged::judge`](crate::client::Judged::judge) it becomes the failure of the request. Ending a task with one of
/// your own by `?` outside of it is an error of the task, like any other.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct ResponseError {
    text: String,
    recorded: bool,
}

impl ResponseError {
    /// A failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            recorded: false,
        }
    }

    /// One that the sample of its request carries already.
    pub(crate) fn recorded(text: String) -> Self {
        Self {
            text,
            recorded: true,
        }
    }

    /// Whether a request is counted as failed for it already.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }
}

/// An error that is counted already, as the failure of what was measured. `?` makes a
/// [`TaskError`](crate::TaskError) of it that is not counted again; `.0` is the error itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded<E>(pub E);

impl<E: fmt::Display> fmt::Display for Recorded<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
