//! Runs beside a reference.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_types::ErrorBody;
use crate::results::comparison::{Asked, Comparison};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::scope::stretch;
use crate::web::state::WebState;

/// Query of `GET /api/v1/compare`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct CompareQuery {
    /// Two to five runs, separated by commas, each as its id, as `test#number`, or as `test` for its newest run.
    runs: String,
    /// The run that the others are compared with; the first one unless given.
    #[param(required = false)]
    reference: String,
    /// At least two further runs of what the reference is a run of, separated by commas: the noise between them counts.
    #[param(required = false)]
    baseline: String,
    /// First second of run time that is compared; without `from` and `to` it is the steady state.
    #[param(value_type = Option<u32>, required = false)]
    from: String,
    /// End of what is compared in seconds of run time, exclusive. `from=0` alone is the whole run.
    #[param(value_type = Option<u32>, required = false)]
    to: String,
    /// Only this endpoint: method and name as in `GET /path`.
    #[param(required = false)]
    endpoint: String,
}

impl CompareQuery {
    fn asked(&self) -> Result<Asked, WebError> {
        let names = |text: &str| -> Vec<String> {
            let names = text.split(',').map(str::trim);
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        Ok(Asked {
            runs: names(&self.runs),
            reference: given(&self.reference),
            baseline: names(&self.baseline),
            stretch: stretch(&self.from, &self.to)?,
            endpoint: given(&self.endpoint),
        })
    }
}

/// Whether runs differ by more than their noise: each statistic of each endpoint with an interval of confidence and a verdict.
#[utoipa::path(
    get,
    path = "/api/v1/compare",
    tag = "results",
    params(CompareQuery),
    responses(
        (status = 200, description = "The comparison", body = Comparison),
        (status = 404, description = "There is no such run or endpoint", body = ErrorBody),
        (status = 422, description = "The runs cannot be compared, or a parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn compare(
    State(state): State<WebState>,
    Query(query): Query<CompareQuery>,
) -> Result<Json<Comparison>, WebError> {
    let asked = query.asked()?;
    let now = state.coordinator.now();
    let comparison = Comparison::read(state.coordinator.store(), &asked, now).await?;
    Ok(Json(comparison))
}
