//! The page that compares runs.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::render::html;
use crate::results::comparison::{Asked, CompareAddress, CompareError, MAX_RUNS, find_run};
use crate::results::views::compare_choices::{RunChoice, choices};
use crate::results::views::compare_view::CompareView;
use crate::web::access::identity::{Identity, Visitor};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::compare::{CompareQuery, compared};
use crate::web::state::WebState;

/// Fills `templates/compare.html`.
#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    /// The comparison.
    view: CompareView,
    /// Runs that can be compared instead.
    choices: Vec<RunChoice>,
    /// The path below which the coordinator is; empty for the root.
    base: String,
    /// Who looks at it.
    visitor: Visitor,
}

/// Fills `templates/compare_choose.html`.
#[derive(Template)]
#[template(path = "compare_choose.html")]
struct ChoosePage {
    /// Why the runs that were asked for cannot be compared; none where none were.
    problem: Option<String>,
    choices: Vec<RunChoice>,
    /// What the form was asked beside the runs: names and values.
    typed: Vec<(&'static str, String)>,
    /// The path below which the coordinator is; empty for the root.
    base: String,
    /// Who looks at it.
    visitor: Visitor,
}

/// `GET /compare`: the comparison, or a form to choose its runs and why there is none.
pub(in crate::web) async fn compare_page(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Query(query): Query<CompareQuery>,
) -> Result<Response, WebError> {
    let made = async {
        if query.is_choice() {
            return Ok(None);
        }
        let asked = query.asked()?;
        if query.is_unordered() {
            let page = in_order(&state, &asked).await?;
            return Ok(Some(Redirect::to(&page).into_response()));
        }
        comparison_page(&state, &identity, &query, &asked)
            .await
            .map(Some)
    };
    let (status, problem) = match made.await {
        Ok(Some(page)) => return Ok(page),
        Ok(None) => (StatusCode::OK, None),
        Err(error) if error.status().is_server_error() => return Err(error),
        Err(error) => (error.status(), Some(error.to_string())),
    };
    let typed = query.typed().into_iter();
    let page = ChoosePage {
        problem,
        choices: choices(state.coordinator.store(), &query.named()).await?,
        typed: typed
            .map(|(name, value)| (name, value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect(),
        base: state.base(),
        visitor: identity.visitor(),
    };
    Ok(html(status, &page))
}

async fn comparison_page(
    state: &WebState,
    identity: &Identity,
    query: &CompareQuery,
    asked: &Asked,
) -> Result<Response, WebError> {
    let comparison = compared(state, asked).await?;
    let store = state.coordinator.store();
    let (base, now) = (state.base(), state.coordinator.now());
    let page = ComparePage {
        view: CompareView::read(store, &base, asked, &comparison, now).await?,
        choices: choices(store, &query.named()).await?,
        base,
        visitor: identity.visitor(),
    };
    Ok(html(StatusCode::OK, &page))
}

/// The address of the comparison of runs that were ticked in a list, below the base path: the one that was asked for first is the
/// reference unless another one is named.
async fn in_order(state: &WebState, asked: &Asked) -> Result<String, WebError> {
    let store = state.coordinator.store();
    if !(2..=MAX_RUNS).contains(&asked.runs.len()) {
        return Err(CompareError::Count(asked.runs.len()).into());
    }
    let mut runs = Vec::new();
    for name in &asked.runs {
        runs.push(find_run(store, name).await?);
    }
    runs.sort_by_key(|run| (run.created_at, run.number));
    let ids = runs.into_iter().map(|run| run.id).collect();
    let mut address = CompareAddress::new("", ids)
        .with_stretch(asked.stretch)
        .with_endpoint(asked.endpoint.clone());
    if let Some(reference) = &asked.reference {
        address = address.with_reference(&find_run(store, reference).await?.id);
    }
    Ok(address.page())
}
