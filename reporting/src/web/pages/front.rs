//! The front page and its form.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::render::html;
use crate::front_view::FrontView;
use crate::view_builder::front_view;
use crate::web::error::WebError;
use crate::web::router::run_url;
use crate::web::start::start_run;
use crate::web::start_form::StartForm;
use crate::web::state::WebState;

/// Fills `templates/front.html`.
#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage {
    /// Tests, runs, infrastructures.
    front: FrontView,
    /// What stands in the form and what is wrong with it.
    form: StartForm,
    /// The path below which the coordinator is; empty for the root.
    base: String,
}

/// What the front page may be asked to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct FrontQuery {
    /// Only runs of this test; empty for all.
    test: String,
}

/// `GET /`
pub(in crate::web) async fn front_page(
    State(state): State<WebState>,
    Query(query): Query<FrontQuery>,
) -> Result<Response, WebError> {
    let front = front_view(
        &state.coordinator,
        &state.run_rows,
        Some(query.test).filter(|test| !test.is_empty()),
    )
    .await?;
    let form = StartForm::clone(&state.start_form);
    Ok(html(
        StatusCode::OK,
        &FrontPage {
            front,
            form,
            base: state.base(),
        },
    ))
}

/// `POST /runs`: to the run's page, or back to the form with the mistake and what was typed.
pub(in crate::web) async fn start_from_form(
    State(state): State<WebState>,
    form: Result<Form<StartForm>, FormRejection>,
) -> Result<Response, WebError> {
    let Form(mut form) = form?;
    let (draft, found) = form.to_draft();
    let mistake = match start_run(&state, draft, found).await {
        Ok(started) => return Ok(Redirect::to(&run_url(&started.run.id)).into_response()),
        Err(mistake) if mistake.status().is_server_error() => return Err(mistake.into()),
        Err(mistake) => mistake,
    };
    let front = front_view(&state.coordinator, &state.run_rows, None).await?;
    form.error = Some(mistake.to_string());
    Ok(html(
        StatusCode::UNPROCESSABLE_ENTITY,
        &FrontPage {
            front,
            form,
            base: state.base(),
        },
    ))
}
