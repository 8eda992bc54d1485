//! A run that was stopped before its end, with requests that were under way for some seconds more.

use greylag_infra::protocol::Snapshot;
use greylag_infra::{FailureReason, RunPhase, RunRecord, RunTime, ThresholdState};
use greylag_reporting::Store;

use super::flat_load::{PLANNED_S, finished};
use crate::support::{START, endpoint, snapshot};

/// When the load began to stop, and the last request ended.
const STOPPED_US: u64 = 30_200_000;
const ENDED_S: u32 = 36;

/// Ten requests in each second before this one, and one in the last second.
fn sent(id: &str, until: u32, ends: u32) -> Snapshot {
    let page = endpoint("GET", "/");
    let seconds = (0..until).flat_map(|second| [second; 10]);
    let requests = seconds
        .chain([ends - 1])
        .map(|second| (second, &page, 5_000, None));
    snapshot(id, 1, &requests.collect::<Vec<_>>())
}

fn stopped(record: &mut RunRecord) {
    record.phase = RunPhase::Failed(FailureReason::StoppedByUser);
    record.ended_at = Some(START + RunTime::of_second(ENDED_S));
    record.completeness.load_whole_until = Some(RunTime::from_micros(STOPPED_US));
}

#[tokio::test]
async fn what_was_under_way_when_a_run_was_stopped_is_in_no_window() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let thresholds = [
        "rps >= 10 within 5s",
        "rps >= 10 within 30s",
        "p95 < 1s within 31s",
    ];
    let base = sent("base", 30, ENDED_S);
    let base = finished(&store, "base", &thresholds, base, stopped).await;
    let results = store.threshold_results(&base).await.unwrap();
    let states: Vec<_> = results.iter().map(|result| result.state).collect();
    use ThresholdState::{NoData, Passed};
    assert_eq!(states, [Passed, Passed, NoData], "{results:#?}");
    assert_eq!(results[0].actual, Some(10.0));

    // As a baseline it is what it was while it had load.
    let next = sent("next", PLANNED_S, PLANNED_S);
    let compared = ["rps >= baseline - 10% within 5s", "rps >= baseline - 10%"];
    let next = finished(&store, "next", &compared, next, |_| {}).await;
    let results = store.threshold_results(&next).await.unwrap();
    assert_eq!(results[0].limit, Some(9.0), "{results:#?}");
}
