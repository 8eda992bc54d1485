//! The run and the part of it that an address names: `/…/runs/{id}/…?from=&endpoint=…`.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use greylag_infra::{RunId, RunRecord};
use serde::Deserialize;

use super::scope::ScopeQuery;
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::{WebState, find_run};

/// The part of a run that is asked for.
#[derive(Debug)]
pub(in crate::web) struct AskedPart {
    /// The run.
    pub(in crate::web) run: RunRecord,
    /// The part.
    pub(in crate::web) scope: Scope,
}

/// What the path says, beside what else stands in it.
#[derive(Deserialize)]
struct RunInPath {
    id: RunId,
}

impl FromRequestParts<WebState> for AskedPart {
    /// 404 when the run does not exist or does not have the endpoint or agent, 422 when the window is not valid.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        let Path(RunInPath { id }) = Path::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let Query(asked): Query<ScopeQuery> = Query::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let found = async {
            let run = find_run(&state.coordinator, &id).await?;
            let scope = asked.scope(state.coordinator.store(), &run).await?;
            Ok::<_, WebError>(Self { run, scope })
        };
        found.await.map_err(IntoResponse::into_response)
    }
}
