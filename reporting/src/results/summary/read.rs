//! A summary from the store.

use greylag_infra::{RunId, RunRecord, WallTime};

use super::Summary;
use crate::store::{Scope, Series, Store, StoreError};

/// Most points of a summary's series, unless its step is asked for.
pub const MAX_SUMMARY_POINTS: usize = 2_000;

/// What has to be known about the numbers of a part of a run.
pub(crate) async fn remark(
    store: &Store,
    run_id: &RunId,
    scope: &Scope,
) -> Result<Option<String>, StoreError> {
    let mut remarks: Vec<String> = Vec::new();
    if scope.agent.is_some() {
        let of_agent = remarks_on_agent(store, run_id).await?;
        remarks.extend(of_agent.into_iter().map(str::to_owned));
    }
    let mixed = store.mixed_requests(run_id, scope).await?;
    if mixed > 0 {
        remarks.push(format!(
            "{mixed} requests are not included: an earlier version counted successful and failed ones together"
        ));
    }
    Ok((!remarks.is_empty()).then(|| remarks.join("; ")))
}

async fn remarks_on_agent(store: &Store, run_id: &RunId) -> Result<Vec<&'static str>, StoreError> {
    let mut remarks = Vec::new();
    if store.unattributed(run_id).await?.users {
        remarks.push(
            "users and arrivals that were saved before agents were kept with them are not included",
        );
    }
    if store.has_coarse_agents(run_id).await? {
        remarks.push(
            "percentiles are within 3.2 %: in a run of so many agents each one's histograms are kept in coarse steps",
        );
    }
    Ok(remarks)
}

impl Summary {
    /// The summary of a part of a run as it stands at `now`, with at most [`MAX_SUMMARY_POINTS`] points of its series.
    ///
    /// # Errors
    /// The run was not found, it does not have what the scope names, or the database failed.
    pub async fn read(
        store: &Store,
        run_id: &RunId,
        scope: &Scope,
        now: WallTime,
    ) -> Result<Self, StoreError> {
        let record = store.run(run_id).await?;
        let record = record.ok_or_else(|| StoreError::UnknownRun(run_id.to_owned()))?;
        let series = store.series(run_id, scope, MAX_SUMMARY_POINTS).await?;
        Self::read_with(store, &record, scope, &series, now).await
    }

    /// The summary of a part of a run with this series, for a record that the caller has (and that may be newer than the stored
    /// one).
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn read_with(
        store: &Store,
        record: &RunRecord,
        scope: &Scope,
        series: &Series,
        now: WallTime,
    ) -> Result<Self, StoreError> {
        let totals = store.table_totals(&record.id, scope).await?;
        let current = store.current_rps(record, scope, now).await?;
        let notices = store.notices(&record.id, scope).await?;
        let errors = store.errors(&record.id, scope).await?;
        let mut summary = Self::of(record, scope, &totals, series, &current, &notices, now);
        summary.add_error_history(&errors, record.started_at);
        let metrics = store.custom_metrics(&record.id, scope).await?;
        summary.add_metrics(&metrics, scope, record.elapsed_s(now));
        summary.add_thresholds(record, &store.threshold_results(record).await?);
        summary.add_generator(&store.generator_health(&record.id, scope).await?, scope);
        if let Some(part) = &mut summary.scope {
            part.remark = remark(store, &record.id, scope).await?;
        }
        Ok(summary)
    }
}
