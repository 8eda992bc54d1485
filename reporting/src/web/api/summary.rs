//! A run in one document, whose series may be longer than memory should be.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use greylag_infra::RunId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::streamed::broken_off;
use crate::api_types::ErrorBody;
use crate::results::summary::{MAX_SUMMARY_POINTS, Summary};
use crate::store::{Scope, Series, SeriesPart, Store};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// Points read from the store at a time.
const POINTS_AT_A_TIME: u32 = 10_000;
/// Longest step of the series, in seconds.
const MAX_STEP_S: u32 = 86_400;
/// How a summary without a series ends.
const WITHOUT_SERIES: &str = "\"series\":[]}";

/// Query of `GET /api/v1/runs/{id}/summary`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct SummaryQuery {
    /// Seconds in one entry of the series; chosen by the length of the run when left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 86_400)]
    step: Option<String>,
}

impl SummaryQuery {
    fn step_s(&self) -> Result<Option<u32>, WebError> {
        let Some(step) = &self.step else {
            return Ok(None);
        };
        let step = step.trim().parse().ok();
        let step = step.filter(|step| (1..=MAX_STEP_S).contains(step));
        step.map(Some).ok_or(WebError::Step {
            maximum_s: MAX_STEP_S,
        })
    }
}

/// A run in one document.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/summary",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), SummaryQuery, ScopeQuery),
    responses(
        (status = 200, description = "The summary", body = Summary),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn summary(
    State(state): State<WebState>,
    Query(query): Query<SummaryQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let store = state.coordinator.store();
    let step_s = match query.step_s()? {
        Some(step_s) => step_s,
        None => {
            store
                .series_step(&run.id, &scope, MAX_SUMMARY_POINTS)
                .await?
        }
    };
    let without_points = Series {
        step_s,
        points: Vec::new(),
    };
    let now = state.coordinator.now();
    let summary = Summary::read_with(store, &run, &scope, &without_points, now).await?;
    let body = in_pieces(&summary, store.clone(), run.id, scope)?;
    Ok(([(header::CONTENT_TYPE, JSON)], body).into_response())
}

/// The document with its series, which is read and sent piece by piece: the reader sets the pace.
fn in_pieces(summary: &Summary, store: Store, id: RunId, scope: Scope) -> Result<Body, WebError> {
    let text = serde_json::to_string(summary)
        .map_err(|error| WebError::internal("writing the summary", &error))?;
    let head = text
        .strip_suffix(WITHOUT_SERIES)
        .expect("the series is the last field of a summary, and this one is empty");
    let head = format!("{head}\"series\":[");
    let step_s = summary.series_step_s;
    let pieces = stream::try_unfold(Some(0), move |from| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move {
            let Some(from) = from else { return Ok(None) };
            let part = store
                .series_part(&id, &scope, step_s, from, POINTS_AT_A_TIME)
                .await
                .map_err(broken_off)?;
            let next = part.next;
            Ok::<_, std::io::Error>(Some((points_text(&part, from == 0), next)))
        }
    });
    let ends = |text: String| stream::once(async move { Ok(Bytes::from(text)) });
    Ok(Body::from_stream(
        ends(head)
            .chain(pieces.map_ok(Bytes::from))
            .chain(ends("]}".to_owned()))
            .boxed(),
    ))
}

/// Points as they stand between the brackets.
fn points_text(part: &SeriesPart, is_first: bool) -> String {
    let mut text = String::new();
    for (at, point) in part.points.iter().enumerate() {
        if at > 0 || !is_first {
            text.push(',');
        }
        text += &serde_json::to_string(point).expect("a point has nothing but numbers");
    }
    text
}
