//! Turns filled templates into responses.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::web::error::WebError;

/// A page of this status.
pub(in crate::web) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(body) => (
            status,
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            )],
            body,
        )
            .into_response(),
        Err(error) => WebError::internal("writing the page", &error).into_response(),
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
    /// What is wrong and what to do.
    pub(in crate::web) message: String,
    /// The path below which the coordinator is; empty for the root.
    pub(in crate::web) base: String,
}
