//! Every answer that is an error: one sentence, as `{"error": "…"}` below `/api/` and as a page elsewhere.
//!
//! Handlers return a [`WebError`] and know nothing of its form; [`render_errors`] gives it one. Details of
//! our own failures go to the log; the reader gets the next step.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::pages::{ErrorPage, html};
use super::router::MAX_BODY_BYTES;
use super::state::WebState;
use crate::store::StoreError;

/// Longest sentence that a library's own error answer may bring, in bytes.
const MAX_FOREIGN_SENTENCE_BYTES: usize = 1_000;

/// A status and a message for the user, of a line for each thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebError {
    status: StatusCode,
    sentence: String,
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

/// Gives errors their form. Answers of the framework's own making (a body too large, a method not allowed)
/// get it too.
pub(super) async fn render_errors(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let for_program = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error = match response.extensions_mut().remove::<WebError>() {
        Some(error) => error,
        None if is_written(&response) => return response,
        None => {
            let (parts, body) = response.into_parts();
            let text = to_bytes(body, MAX_FOREIGN_SENTENCE_BYTES)
                .await
                .unwrap_or_default();
            let sentence = match std::str::from_utf8(&text) {
                Ok(text) if !text.trim().is_empty() && status != StatusCode::PAYLOAD_TOO_LARGE => {
                    text.trim().to_owned()
                }
                _ => sentence_of(status, &state),
            };
            response = Response::from_parts(parts, axum::body::Body::empty());
            WebError::new(status, sentence)
        }
    };
    let mut rendered = if for_program {
        (status, Json(json!({ "error": error.sentence }))).into_response()
    } else {
        html(
            status,
            &ErrorPage {
                page_title: format!("{} – Greylag", status.canonical_reason().unwrap_or("Error")),
                status: status.as_u16(),
                message: error.sentence,
                base: state.base(),
            },
        )
    };
    for name in [header::ALLOW, header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        if let Some(value) = response.headers_mut().remove(&name) {
            rendered.headers_mut().insert(name, value);
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        rendered
            .headers_mut()
            .entry(header::WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static("Bearer realm=\"greylag\""));
    }
    rendered
}

/// Whether a handler wrote this answer itself (the front page with a mistake in its form).
fn is_written(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"))
}

/// About an address that does not exist.
pub(super) fn nothing_at_this_address(state: &WebState) -> String {
    format!(
        "there is no page at this address; the front page is at {}/",
        state.base()
    )
}

fn sentence_of(status: StatusCode, state: &WebState) -> String {
    match status {
        StatusCode::NOT_FOUND => nothing_at_this_address(state),
        StatusCode::METHOD_NOT_ALLOWED => {
            "this method is not allowed here; the Allow header lists those that are".to_owned()
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!(
                "the request's body is too large; the maximum is {} KiB",
                MAX_BODY_BYTES / 1024
            )
        }
        other => format!(
            "the request could not be answered ({})",
            other.canonical_reason().unwrap_or(other.as_str())
        ),
    }
}
