//! The front page and its form.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::render::html;
use crate::front_view::FrontView;
use crate::page_text::script_json;
use crate::view_builder::front_view;
use crate::web::WebState;
use crate::web::error::WebError;
use crate::web::forms::StartForm;
use crate::web::router::run_url;
use crate::web::start::{StartMistake, start_run};

/// Fills `templates/front.html`.
#[derive(Template)]
#[template(path = "front.html")]
pub(crate) struct FrontPage {
    /// The text of `<title>`.
    pub(crate) page_title: String,
    /// Tests, runs, infrastructures.
    pub(crate) front: FrontView,
    /// The form and what is wrong with it.
    pub(crate) form: FormView,
    /// `front` as JSON for the page's script, escaped for a script element.
    pub(crate) initial_json: String,
}

/// The start form as it is shown.
#[derive(Debug, Default)]
pub(crate) struct FormView {
    /// What stands in the fields.
    pub(crate) values: StartForm,
    /// One sentence about the mistake in them.
    pub(crate) error: Option<String>,
}
