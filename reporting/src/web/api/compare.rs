//! Runs beside a reference.

use axum::Json;
use axum::extract::State;

use crate::api_types::ErrorBody;
use crate::results::comparison::Comparison;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::compare::{CompareQuery, compared};
use crate::web::state::WebState;

/// Whether runs differ by more than their noise: each statistic of each endpoint with an interval of confidence and a verdict.
#[utoipa::path(
    get,
    path = "/api/v1/compare",
    tag = "results",
    params(CompareQuery),
    responses(
        (status = 200, description = "The comparison", body = Comparison),
        (status = 404, description = "The run or endpoint was not found", body = ErrorBody),
        (status = 422, description = "The runs cannot be compared, or a parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn compare(
    State(state): State<WebState>,
    Query(query): Query<CompareQuery>,
) -> Result<Json<Comparison>, WebError> {
    compared(&state, &query.asked()?).await.map(Json)
}
