//! The front page.

use std::borrow::Borrow;

use askama::Template;
use axum::body::Bytes;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Redirect, Response};
use axum::{Extension, Form};
use greylag_infra::RunId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::render::{html, html_response, rendered};
use crate::results::views::front_view::FrontView;
use crate::results::views::view_builder::{RUNS_ON_A_PAGE, RunsAsked, front_view};
use crate::web::access::identity::{Identity, Visitor};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::delete_run::delete_run;
use crate::web::requests::start_form::{Source, StartForm};
use crate::web::state::WebState;

/// Fills `templates/front.html`.
#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage {
    /// Tests, runs, infrastructures.
    front: FrontView,
    /// Which runs are shown.
    query: FrontQuery,
    /// What stands in the form and what is wrong with it.
    form: StartForm,
    /// The path below which the coordinator is; empty for the root.
    base: String,
    /// Who looks at it.
    visitor: Visitor,
}

/// What the front page may be asked to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(in crate::web) struct FrontQuery {
    /// Only runs of this test; empty for all.
    test: String,
    /// Words that describe the runs; empty for all.
    q: String,
    /// Number of the page; anything that is not a number is the first.
    page: String,
    /// `empty` for a start form that is not filled in from the command line.
    form: String,
}

impl FrontQuery {
    fn asked(&self) -> RunsAsked {
        RunsAsked {
            test: Some(self.test.clone()).filter(|test| !test.is_empty()),
            search: self.q.clone(),
            page: self.page.trim().parse().unwrap_or(1),
            per_page: RUNS_ON_A_PAGE,
        }
    }

    /// Whether only some of the runs are asked for.
    fn is_narrow(&self) -> bool {
        !self.test.is_empty() || !self.q.trim().is_empty()
    }

    /// Address of a page of this list, below the base path.
    fn url(&self, page: impl Borrow<u64>) -> String {
        let page = *page.borrow();
        let mut parts = Vec::new();
        for (name, value) in [("test", self.test.as_str()), ("q", self.q.trim())] {
            if !value.is_empty() {
                let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
                parts.push(format!("{name}={value}"));
            }
        }
        if page > 1 {
            parts.push(format!("page={page}"));
        }
        match parts.as_slice() {
            [] => "/".to_owned(),
            parts => format!("/?{}", parts.join("&")),
        }
    }
}

/// `GET /`
pub(in crate::web) async fn front_page(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Query(query): Query<FrontQuery>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let visitor = identity.visitor();
    let made = async {
        let source = match query.form.as_str() {
            "empty" => None,
            _ => Source::of_command_line(&state.start_form),
        };
        let form = StartForm::filled(source.as_ref(), &state.coordinator.infrastructures());
        let page = front(&state, visitor.clone(), query.clone(), form).await?;
        rendered(&page).map(Bytes::from)
    };
    let pages = &state.front_pages;
    let asked = (visitor.clone(), query.clone());
    let page = pages.get(asked, &headers, &state.coordinator, made);
    Ok(html_response(StatusCode::OK, page.await?))
}

/// `POST /runs/{id}/delete`: back to the list it was in.
pub(in crate::web) async fn delete_run_from_page(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    list: Result<Form<FrontQuery>, FormRejection>,
) -> Result<Redirect, WebError> {
    let Form(list) = list?;
    delete_run(&state, &id).await?;
    Ok(Redirect::to(&list.url(list.asked().page)))
}

/// The front page with this form in it.
///
/// # Errors
/// The store failed.
pub(super) async fn front_response(
    state: &WebState,
    identity: &Identity,
    status: StatusCode,
    form: StartForm,
) -> Result<Response, WebError> {
    let page = front(state, identity.visitor(), FrontQuery::default(), form);
    Ok(html(status, &page.await?))
}

async fn front(
    state: &WebState,
    visitor: Visitor,
    query: FrontQuery,
    form: StartForm,
) -> Result<FrontPage, WebError> {
    Ok(FrontPage {
        front: front_view(&state.coordinator, &state.run_rows, &query.asked()).await?,
        query,
        form,
        base: state.base(),
        visitor,
    })
}
