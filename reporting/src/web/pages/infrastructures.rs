//! The button that creates an infrastructure.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::Redirect;
use serde::Deserialize;

use crate::web::error::WebError;
use crate::web::state::WebState;

/// Fields of the form.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct CreateForm {
    name: String,
}

/// `POST /infrastructures`: back to the front page, where it is Pending.
pub(in crate::web) async fn create_infrastructure_from_form(
    State(state): State<WebState>,
    form: Result<Form<CreateForm>, FormRejection>,
) -> Result<Redirect, WebError> {
    let Form(form) = form?;
    state
        .coordinator
        .create_infrastructure(form.name.trim())
        .await?;
    Ok(Redirect::to("/"))
}
