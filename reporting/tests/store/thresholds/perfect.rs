//! A run that is compared with one that could not be better, and is as good.

use greylag_infra::ThresholdState;
use greylag_infra::protocol::{MetricKind, Snapshot};
use greylag_reporting::Store;

use super::flat_load::{PLANNED_S, finished};
use crate::support::{count, endpoint, snapshot};

/// Ten requests and a successful check in each second; so many requests of the first second failed.
fn sent(id: &str, failures: usize) -> Snapshot {
    let page = endpoint("GET", "/");
    let all = (0..PLANNED_S).flat_map(|second| (0..10).map(move |number| (second, number)));
    let requests = all.map(|(second, number)| {
        let is_failed = second == 0 && number < failures;
        let error = is_failed.then_some("500 Server Error");
        (second, &page, 5_000, error)
    });
    let mut sent = snapshot(id, 1, &requests.collect::<Vec<_>>());
    let checks = (0..PLANNED_S).map(|second| ("checks", MetricKind::Rate, "", second, 1_000_000));
    count(&mut sent, &checks.collect::<Vec<_>>());
    sent
}

#[tokio::test]
async fn as_good_as_the_best_there_can_be_is_good_enough() {
    use ThresholdState::{Breached, Passed};
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    finished(&store, "base", &[], sent("base", 0), |_| {}).await;
    let thresholds = [
        "error_rate < baseline + 10%",
        "error_rate < baseline - 1pp",
        "failures < baseline",
        "failures < baseline within 5s",
        "generator.saturated < baseline + 5%",
        "metric checks rate > baseline",
        "metric checks rate > baseline + 1pp",
        // There can be more, or less, of these.
        "requests > baseline",
        "metric checks count < baseline",
    ];
    let perfect = sent("perfect", 0);
    let perfect = finished(&store, "perfect", &thresholds, perfect, |_| {}).await;
    let results = store.threshold_results(&perfect).await.unwrap();
    let states = results.iter().map(|result| result.state);
    let expected = [Passed; 7].into_iter().chain([Breached; 2]);
    assert!(states.eq(expected), "{results:#?}");

    let worse = sent("worse", 10);
    let worse = finished(&store, "worse", &thresholds[..4], worse, |_| {}).await;
    let results = store.threshold_results(&worse).await.unwrap();
    // The shares of these few seconds are weighed, which is another matter.
    let states = results[2..].iter().map(|result| result.state);
    assert!(states.eq([Breached; 2]), "{results:#?}");
}
