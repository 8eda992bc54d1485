//! The form of errors: `{"error": "…"}` below `/api/` and a page elsewhere.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{ErrorMessage, WebError};
use super::pages::{ErrorPage, html};
use super::state::WebState;
use crate::api_types::ErrorBody;

/// Largest body of a request, in bytes. Declared scenarios may bring bodies of their own.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest message that a library's own error answer may bring, in bytes.
const MAX_FOREIGN_MESSAGE_BYTES: usize = 1_000;

/// Whether programs ask for this path, who are answered in JSON and are not led to the sign-in.
pub(super) fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

/// Gives errors their form. Answers of the framework's own making (a body too large, a method not allowed)
/// get it too.
pub(super) async fn render_errors(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let for_program = is_for_programs(request.uri().path());
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let visitor = response.extensions_mut().remove().unwrap_or_default();
    let message = match response.extensions_mut().remove::<ErrorMessage>() {
        Some(ErrorMessage(message)) => message,
        None if is_written(&response) => return response,
        None => {
            let (parts, body) = response.into_parts();
            let text = to_bytes(body, MAX_FOREIGN_MESSAGE_BYTES)
                .await
                .unwrap_or_default();
            response = Response::from_parts(parts, axum::body::Body::empty());
            message_of(status, &text, &state)
        }
    };
    let mut rendered = if for_program {
        (status, Json(ErrorBody { error: message })).into_response()
    } else {
        html(
            status,
            &ErrorPage {
                page_title: format!("{} – Greylag", status.canonical_reason().unwrap_or("Error")),
                status: status.as_u16(),
                message,
                base: state.base(),
                visitor,
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

/// Whether a handler wrote this answer itself (the front page with an invalid form).
fn is_written(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"))
}

/// The message of an answer that the framework made.
fn message_of(status: StatusCode, text: &[u8], state: &WebState) -> String {
    let text = str::from_utf8(text).unwrap_or_default().trim();
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::BodyTooLarge {
            maximum_bytes: MAX_BODY_BYTES,
        }
        .to_string(),
        _ if !text.is_empty() => text.to_owned(),
        StatusCode::NOT_FOUND => WebError::NoSuchPage { base: state.base() }.to_string(),
        StatusCode::METHOD_NOT_ALLOWED => WebError::MethodNotAllowed.to_string(),
        other => format!(
            "the request could not be answered ({})",
            other.canonical_reason().unwrap_or(other.as_str())
        ),
    }
}
