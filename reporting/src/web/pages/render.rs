//! Turns filled templates into responses.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A page of this status. Pages hold numbers that change, so nobody may keep them.
pub(in crate::web) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(body) => (
            status,
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
            body,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered; the coordinator's log says why")
                .into_response()
        }
    }
}

/// The page of an error. Fills `templates/error.html`.
#[derive(Template)]
#[template(path = "error.html")]
pub(in crate::web) struct ErrorPage {
    /// The text of `<title>`.
    pub(in crate::web) page_title: String,
    /// HTTP status code.
    pub(in crate::web) status: u16,
    /// One sentence: what is wrong and what to do.
    pub(in crate::web) message: String,
}

use super::filters;
