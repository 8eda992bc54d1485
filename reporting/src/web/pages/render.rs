//! Turns filled templates into responses.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::web::access::identity::Visitor;
use crate::web::error::WebError;

/// A page of this status.
pub(in crate::web) fn html(status: StatusCode, template: &impl Template) -> Response {
    match rendered(template) {
        Ok(page) => html_response(status, page),
        Err(error) => error.into_response(),
    }
}

/// The text of a page.
///
/// # Errors
/// The template cannot be filled.
pub(in crate::web) fn rendered(template: &impl Template) -> Result<String, WebError> {
    template
        .render()
        .map_err(|error| WebError::internal("writing the page", &error))
}

/// A page that was rendered before.
pub(in crate::web) fn html_response(status: StatusCode, page: impl Into<Body>) -> Response {
    const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(header::CONTENT_TYPE, HTML)], page.into()).into_response()
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
    /// Who looks at it.
    pub(in crate::web) visitor: Visitor,
}
