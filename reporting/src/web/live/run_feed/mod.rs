//! What is new of a run for those who follow it: everything at first, then what was added or rewritten since.

mod dots;
mod log_tail;
mod run_part;
mod shown;
#[cfg(test)]
mod tests;

use greylag_infra::RunId;
use serde_json::Value;

pub(in crate::web) use self::dots::MAX_DOTS;
use self::log_tail::MAX_LOG_LINES;
pub(in crate::web) use self::run_part::RunPart;
use self::shown::{Change, Grown, Now, Shown};
use crate::coordinator::Coordinator;
use crate::results::views::run_view::RunDelta;
use crate::results::views::view_builder::run_view;
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::state::find_run;

/// Most points of the time series on a page; longer runs have wider points.
const MAX_SERIES_POINTS: usize = 1_200;

/// Follows one run, or a part of it.
#[derive(Debug)]
pub(in crate::web) struct RunFeed {
    coordinator: Coordinator,
    id: RunId,
    /// Which part of the run it shows.
    scope: Scope,
    shown: Shown,
}

/// One update.
#[derive(Debug)]
pub(in crate::web) struct RunUpdate {
    /// What changed of the view since the last update (see [`super::json_patch`]).
    pub(in crate::web) view_patch: Option<Value>,
    pub(in crate::web) delta: RunDelta,
    /// The run is over, no late results are awaited, and this is all.
    pub(in crate::web) is_last: bool,
}

impl RunFeed {
    /// A feed of a part of a run for readers that have nothing yet.
    pub(in crate::web) fn new(coordinator: Coordinator, id: RunId, scope: Scope) -> Self {
        Self {
            coordinator,
            id,
            scope,
            shown: Shown::default(),
        }
    }

    /// What is new now.
    ///
    /// # Errors
    /// The run was not found, or the store failed.
    pub(in crate::web) async fn next(&mut self) -> Result<RunUpdate, WebError> {
        let store = self.coordinator.store();
        // The phase is read before the results, so that a run that is over has all of them in its last
        // update.
        let run = find_run(&self.coordinator, &self.id).await?;
        let (view, series) = tokio::try_join!(
            run_view(&self.coordinator, &run, &self.scope),
            store.series(&self.id, &self.scope, MAX_SERIES_POINTS),
        )?;
        let first_sample = self.shown.first_sample_wanted(&series);
        let last_log_seq = self.shown.last_log_seq();
        let (samples, log, log_lines_dropped) = tokio::try_join!(
            store.samples(&self.id, &self.scope, first_sample, MAX_DOTS),
            store.last_log_lines(&self.id, &self.scope, last_log_seq, MAX_LOG_LINES),
            store.log_lines_dropped(&self.id),
        )?;
        let takes_late = run.completeness.takes_late_results(self.coordinator.now());
        let (view_patch, delta) = self.shown.update(Now {
            view: serde_json::to_value(&view)
                .map_err(|error| WebError::internal("writing a live update", &error))?,
            grown: Grown {
                series,
                samples,
                log,
                log_lines_dropped,
            },
        });
        Ok(RunUpdate {
            view_patch,
            delta,
            is_last: run.phase.is_over() && !takes_late,
        })
    }

    /// All updates so far as one, for a reader that has nothing.
    pub(in crate::web) fn everything(&self) -> Change {
        self.shown.everything()
    }
}
