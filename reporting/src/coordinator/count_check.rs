//! The check at the end of a run: what is saved must be what the agents counted.

use greylag_infra::RunRecord;
use greylag_infra::protocol::LogLine;

use super::Coordinator;

/// Compares the counts and says in the run's console log when they differ, which would be a bug. Runs that
/// lost an agent are not compared: what it had not sent is gone.
pub(super) async fn check(coordinator: &Coordinator, record: &RunRecord) {
    let ends: Option<Vec<_>> = record
        .agents
        .iter()
        .map(|agent| agent.end.as_ref())
        .collect();
    let Some(ends) = ends else {
        return;
    };
    let saved = match coordinator.store().totals(&record.id, None).await {
        Ok(totals) => totals.aggregated(),
        Err(error) => {
            tracing::error!(%error, run = %record.id, "cannot read the results to check them");
            return;
        }
    };
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
    let requests = sum(&mut ends.iter().map(|end| end.requests));
    let failures = sum(&mut ends.iter().map(|end| end.failures));
    if (requests, failures) == (saved.requests, saved.failures) {
        return;
    }
    let text = format!(
        "the agents counted {requests} requests with {failures} failures, but {} with {} are saved; please report this as a bug",
        saved.requests, saved.failures
    );
    tracing::error!(run = %record.id, "{text}");
    let line = LogLine {
        at_us: coordinator.now_us(),
        source: "coordinator".to_owned(),
        text,
    };
    if let Err(error) = coordinator.store().append_log(&record.id, vec![line]).await {
        tracing::error!(%error, run = %record.id, "cannot save a log line");
    }
}
