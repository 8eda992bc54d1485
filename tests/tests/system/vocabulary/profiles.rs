//! Stages, load shapes and arrival rates.

use greylag_tests::summary::Summary;
use greylag_tests::{Nginx, alone, heavy};
use serde_json::{Value, json};

use super::{behind, cluster, finish};
use crate::support::{declared, page_field, request, test};

fn users_at(summary: &Summary, second: u32) -> u64 {
    summary
        .series
        .iter()
        .find(|point| point.second == second)
        .unwrap_or_else(|| panic!("second {second} is missing: {:?}", summary.series))
        .users
}

#[tokio::test]
async fn stages_go_up_and_down_over_all_workers() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let changes = json!({
        "users": Value::Null, "ramp_up": Value::Null, "duration": Value::Null, "workers": 3,
        "scenario": "weighted",
        "stages": [
            { "users": 6, "ramp_s": 1, "duration_s": 3 },
            { "users": 12, "ramp_s": 0, "duration_s": 2 },
            { "users": 3, "ramp_s": 2, "duration_s": 4 },
        ],
    });
    let id = finish(cluster.api(), &nginx, changes).await;
    let summary = cluster.api().summary(&id).await;
    assert_eq!(users_at(&summary, 2), 6);
    assert_eq!(users_at(&summary, 4), 12);
    assert_eq!(users_at(&summary, 8), 3);
    assert_eq!((summary.run.users, summary.run.duration_s), (12, 9.0));
    let log = nginx.finish().await;
    // Last in, first out: the fixed ones, started first, are still there in the end.
    let stops = behind(&log, "/was/");
    assert_eq!(stops.len(), 12);
    assert!(stops[9..].iter().any(|user| user == "Cat/0"), "{stops:?}");
}

#[tokio::test]
async fn a_load_shape_in_code_says_users_and_end() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let changes = json!({
        "users": Value::Null, "ramp_up": Value::Null, "duration": Value::Null, "workers": 2,
        "scenario": "shaped",
    });
    let id = finish(cluster.api(), &nginx, changes).await;
    let summary = cluster.api().summary(&id).await;
    assert_eq!(users_at(&summary, 2), 4);
    assert_eq!(users_at(&summary, 4), 9);
    assert_eq!(users_at(&summary, 7), 2);
    assert_eq!((summary.run.users, summary.run.duration_s), (9, 8.0));
}

#[tokio::test]
async fn a_load_shape_that_never_ends_is_refused_before_load_starts() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({
        "users": Value::Null, "ramp_up": Value::Null, "duration": Value::Null, "workers": 2,
        "scenario": "endless",
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let progress = api
        .wait_for_status(&id, "Failed", crate::support::RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("does not end") && reason.contains("None"),
        "{reason}"
    );
    assert_eq!(nginx.finish().await.totals().requests, 0);

    // With a duration it ends there.
    let nginx = Nginx::start().await;
    let changes = json!({
        "users": Value::Null, "ramp_up": Value::Null, "duration": 2, "workers": 1, "scenario": "endless",
    });
    finish(api, &nginx, changes).await;
}

#[tokio::test]
async fn an_arrival_rate_does_not_wait_for_the_target_and_tells_what_it_skipped() {
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let open = |users: u64, rate: f64| {
        json!({
            "users": users, "ramp_up": 0, "duration": 5, "workers": 2, "arrival_rate": rate,
            "declared": declared(&[request("GET", "/", 1)], (5.0, 5.0)),
        })
    };
    // The wait time of the users does not matter: 20 iterations a second for 5 s.
    let id = finish(cluster.api(), &nginx, open(10, 20.0)).await;
    let totals = cluster.api().summary(&id).await.totals;
    let arrivals = totals
        .arrivals
        .expect("a run with an arrival rate has arrivals");
    assert!(arrivals.started.abs_diff(100) <= 4, "{arrivals:?}");
    assert_eq!(totals.requests, arrivals.started);
    assert_eq!(arrivals.skipped, 0, "{arrivals:?}");
    assert_eq!(
        totals.intended.as_ref().map(|intended| intended.requests),
        Some(totals.requests)
    );

    // Two users that need half a second each: 4 iterations a second of 20.
    let slow = json!({
        "users": 2, "ramp_up": 0, "duration": 6, "workers": 2, "arrival_rate": 20.0,
        "scenario": "slow",
    });
    let id = finish(cluster.api(), &nginx, slow).await;
    let arrivals = cluster
        .api()
        .summary(&id)
        .await
        .totals
        .arrivals
        .expect("arrivals");
    assert!(
        arrivals.skipped > 40 && arrivals.started < 40,
        "{arrivals:?}"
    );
    assert!(arrivals.late > 5, "{arrivals:?}");
    let page = cluster.api().page(&id).await;
    assert_eq!(
        page_field(&page, "arrivals-skipped"),
        arrivals.skipped.to_string(),
        "the page tells of it"
    );
}
