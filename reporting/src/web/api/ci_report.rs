//! A run as continuous integration shows it.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use greylag_infra::RunId;
use serde::Deserialize;
use url::Url;
use utoipa::IntoParams;

use crate::api_types::ErrorBody;
use crate::results::ci_report::{MarkdownSummary, junit};
use crate::results::summary::Summary;
use crate::results::urls::run_url;
use crate::store::{Scope, Series};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::{WebState, find_run};

/// Longest address of a run's page, in bytes.
const MAX_PAGE_BYTES: usize = 500;

/// Query of the reports for continuous integration.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ReportQuery {
    /// Address of the run's page for a link in the report, as its readers reach it; by default the one below --public-url, if the
    /// coordinator has that.
    #[param(required = false)]
    page: String,
    /// The same for a coordinator that does not know its address: used without `page` and --public-url.
    #[param(required = false)]
    fallback_page: String,
}

impl ReportQuery {
    fn page(&self, state: &WebState, run: &RunId) -> Result<Option<String>, WebError> {
        if !self.page.is_empty() {
            return link(&self.page).map(Some);
        }
        let fallback = match self.fallback_page.as_str() {
            "" => None,
            page => Some(link(page)?),
        };
        let public = state.public.url();
        let public = public.map(|public| format!("{public}{}", run_url(run)));
        Ok(public.or(fallback))
    }
}

/// An address that somebody gives for a link.
fn link(page: &str) -> Result<String, WebError> {
    let url = Url::parse(page).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|_| page.len() <= MAX_PAGE_BYTES);
    // As the parser writes it: nothing in it ends a link of Markdown but brackets.
    let text = url.map(|url| url.as_str().replace('(', "%28").replace(')', "%29"));
    text.ok_or(WebError::PageAddress {
        maximum_bytes: MAX_PAGE_BYTES,
    })
}

/// A run as a JUnit file: a test case for each threshold and one for the run itself, with the headline numbers as properties.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/junit.xml",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ReportQuery),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/xml"),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn junit_file(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    Query(query): Query<ReportQuery>,
) -> Result<Response, WebError> {
    const XML: HeaderValue = HeaderValue::from_static("application/xml");
    let run = find_run(&state.coordinator, &id).await?;
    let page = query.page(&state, &id)?;
    let store = state.coordinator.store();
    let now = state.coordinator.now();
    let without_points = Series::default();
    let summary = Summary::read_with(store, &run, &Scope::default(), &without_points, now).await?;
    let file = junit(&summary, page.as_deref())
        .map_err(|error| WebError::internal("writing the JUnit file", &error))?;
    Ok(([(header::CONTENT_TYPE, XML)], file).into_response())
}

/// A run in Markdown, for the page of a CI job or a comment on a pull request: verdict, thresholds, numbers, small charts, and what
/// differs from its baseline: the run that its test names, or the newest pinned one of its test.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/summary.md",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ReportQuery),
    responses(
        (status = 200, description = "The text", body = String, content_type = "text/markdown"),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn markdown_summary(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    Query(query): Query<ReportQuery>,
) -> Result<Response, WebError> {
    const MARKDOWN: HeaderValue = HeaderValue::from_static("text/markdown; charset=utf-8");
    let run = find_run(&state.coordinator, &id).await?;
    let page = query.page(&state, &id)?;
    let now = state.coordinator.now();
    let summary = MarkdownSummary::read(state.coordinator.store(), &run, now, page).await?;
    Ok(([(header::CONTENT_TYPE, MARKDOWN)], summary.text()).into_response())
}
