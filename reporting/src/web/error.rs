//! Every answer that is an error: a status and a message.
//!
//! Handlers return a [`WebError`] and know nothing of its form; `render_errors.rs` gives it one. Details of
//! our own failures go to the log; the reader gets the next step.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;

/// A status and a message for the user, of a line for each thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebError {
    status: StatusCode,
    pub(super) sentence: String,
}

impl WebError {
    /// An error of the client's making (4xx), or one it must wait out (503).
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Our own failure: the cause goes to the log.
    pub(super) fn internal(doing: &str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "{doing} failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{doing} failed; the coordinator's log says why"),
        )
    }

    /// There is no such run.
    pub(super) fn no_such_run(id: &str) -> Self {
        let shown: String = id.chars().take(60).collect();
        Self::new(
            StatusCode::NOT_FOUND,
            format!(
                "there is no run `{shown}` in this coordinator's store; its front page lists the runs"
            ),
        )
    }
}

impl WebError {
    /// What the store did not do, and why if that can be mended from outside.
    pub(super) fn of_store(doing: &str, error: StoreError) -> Self {
        match error {
            StoreError::UnknownRun(id) => Self::no_such_run(&id),
            refused @ StoreError::NotOver(_) => {
                Self::new(StatusCode::CONFLICT, refused.to_string())
            }
            StoreError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the coordinator is shutting down",
            ),
            full if full.is_full_disk() => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                format!("{doing} failed: the results disk is full; free some space"),
            ),
            other => Self::internal(doing, &other),
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        Self::of_store("reading the store", error)
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
