//! Answers that are files, made and sent piece by piece.

use std::fmt::Display;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use greylag_infra::RunRecord;

use crate::web::error::WebError;

/// A body whose first piece is there, and whose others are read and sent one by one: the reader sets the pace. `piece` gives one
/// and where to continue, if there is more.
pub(super) fn in_pieces<S: Send + 'static, F>(
    first: Vec<u8>,
    start: S,
    piece: impl Fn(S) -> F + Clone + Send + 'static,
) -> Body
where
    F: Future<Output = Result<(Bytes, Option<S>), WebError>> + Send,
{
    let pieces = stream::try_unfold(Some(start), move |state| {
        let piece = piece.clone();
        async move {
            let Some(state) = state else { return Ok(None) };
            piece(state).await.map(Some)
        }
    });
    let pieces = pieces.map_err(broken_off);
    let first = stream::once(async move { Ok(Bytes::from(first)) });
    Body::from_stream(first.chain(pieces).boxed())
}

/// What ends a body in the middle. Its reader only sees that it does, so the log says why.
pub(super) fn broken_off(error: impl Display) -> io::Error {
    tracing::warn!(%error, "an answer broke off");
    io::Error::other(error.to_string())
}

/// Percentiles and histograms of a thousand endpoints take longer than an async thread should.
pub(super) async fn off_thread<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WebError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| WebError::internal(doing, &error))
}

/// A file of a run, whose name ends so.
pub(super) fn as_file(
    run: &RunRecord,
    ending: &str,
    content_type: &'static str,
    body: Body,
) -> Response {
    let content_type = HeaderValue::from_static(content_type);
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    // The test's name may hold anything, so it does not get into the header.
    let id: String = run
        .id
        .as_str()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let name = format!(
        "attachment; filename=\"greylag-run-{}-{id}{ending}\"",
        run.number
    );
    if let Ok(name) = HeaderValue::try_from(name) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
