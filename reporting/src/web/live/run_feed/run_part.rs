//! A part of a run as it is now, for a reader who is not sent what follows.

use greylag_infra::{RunId, RunRecord};
use serde::Serialize;

use super::MAX_SERIES_POINTS;
use super::dots::MAX_DOTS;
use super::log_tail::MAX_LOG_LINES;
use super::shown::{Grown, Shown};
use crate::coordinator::Coordinator;
use crate::results::views::run_view::{RunDelta, RunView};
use crate::results::views::view_builder::run_view;
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::state::find_run;

/// As the page's script takes it.
#[derive(Debug, Serialize)]
pub(in crate::web) struct RunPart {
    pub(in crate::web) view: RunView,
    pub(in crate::web) delta: RunDelta,
    /// The run is over, no late results are awaited, and this is all.
    #[serde(rename = "over")]
    pub(in crate::web) is_last: bool,
}

impl RunPart {
    /// Reads a part of a run.
    ///
    /// # Errors
    /// The run was not found, or the store failed.
    pub(in crate::web) async fn read(
        coordinator: &Coordinator,
        id: &RunId,
        scope: &Scope,
    ) -> Result<Self, WebError> {
        // Before the results, so that of a run that is over all of them are there.
        let run = find_run(coordinator, id).await?;
        Self::of(coordinator, &run, scope).await
    }

    /// Reads a part of a run that was found before.
    ///
    /// # Errors
    /// The run is gone, or the store failed.
    pub(in crate::web) async fn of(
        coordinator: &Coordinator,
        run: &RunRecord,
        scope: &Scope,
    ) -> Result<Self, WebError> {
        let (store, id) = (coordinator.store(), &run.id);
        // Each reads for itself, as many at the same time as there are readers.
        let (view, series, samples, log, log_lines_dropped) = tokio::try_join!(
            run_view(coordinator, run, scope),
            store.series(id, scope, MAX_SERIES_POINTS),
            store.samples(id, scope, 0, MAX_DOTS),
            store.last_log_lines(id, scope, 0, MAX_LOG_LINES),
            store.log_lines_dropped(id),
        )?;
        let takes_late = run.completeness.takes_late_results(coordinator.now());
        let delta = Shown::default().grow(Grown {
            series,
            samples,
            log,
            log_lines_dropped,
        });
        Ok(Self {
            view,
            delta,
            is_last: run.phase.is_over() && !takes_late,
        })
    }

    /// As JSON: `{view, delta, over}`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::web) fn to_json(&self) -> Result<String, WebError> {
        serde_json::to_string(self)
            .map_err(|error| WebError::internal("writing a part of a run", &error))
    }
}
