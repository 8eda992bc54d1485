//! Stages, load shapes and arrival rates.

use greylag_tests::summary::Summary;
use greylag_tests::{Nginx, alone, heavy};
use serde_json::{Value, json};

use super::{behind, cluster, finish};
use crate::support::{declared, in_one_of_three_runs, page_field, request, test};

fn users_at(summary: &Summary, second: u32) -> u64 {
    summary
        .series
        .iter()
        .find(|point| point.second == second)
        .unwrap_or_else(|| panic!("second {second} is missing: {:?}", summary.series))
        .users
}

/// Whether there were so many users at these seconds, the peak among them; an error says how many there were.
fn users_are(summary: &Summary, planned: &[(u32, u64)]) -> Result<(), String> {
    let most = summary.series.iter().map(|point| point.users).max();
    let peak = planned.iter().map(|(_, users)| *users).max();
    assert!(most <= peak, "never more: {:?}", summary.series);
    let found: Vec<(u32, u64)> = planned
        .iter()
        .map(|(second, _)| (*second, users_at(summary, *second)))
        .collect();
    if found == planned {
        Ok(())
    } else {
        Err(format!("{found:?}, planned are {planned:?}"))
    }
}

#[tokio::test]
async fn stages_go_up_and_down_over_all_workers() {
    let _turn = heavy().await;
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
    in_one_of_three_runs(async || {
        let nginx = Nginx::start().await;
        let id = finish(cluster.api(), &nginx, changes.clone()).await;
        let summary = cluster.api().summary(&id).await;
        assert_eq!((summary.run.users, summary.run.duration_s), (12, 9.0));
        users_are(&summary, &[(2, 6), (4, 12), (8, 3)])?;
        let log = nginx.finish().await;
        // Last in, first out: the fixed ones, started first, are still there in the end.
        let stops = behind(&log, "/was/");
        assert_eq!(stops.len(), 12);
        assert!(stops[9..].iter().any(|user| user == "Cat/0"), "{stops:?}");
        Ok(())
    })
    .await;
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
    in_one_of_three_runs(async || {
        let id = finish(cluster.api(), &nginx, changes.clone()).await;
        let summary = cluster.api().summary(&id).await;
        assert_eq!((summary.run.users, summary.run.duration_s), (9, 8.0));
        users_are(&summary, &[(2, 4), (4, 9), (7, 2)])
    })
    .await;
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
    in_one_of_three_runs(async || {
        let id = finish(cluster.api(), &nginx, open(10, 20.0)).await;
        let totals = cluster.api().summary(&id).await.totals;
        let arrivals = totals
            .arrivals
            .expect("a run with an arrival rate has arrivals");
        assert!(
            arrivals.started + arrivals.skipped <= 104,
            "no more than are due: {arrivals:?}"
        );
        assert_eq!(totals.requests, arrivals.started);
        assert_eq!(
            totals.intended.as_ref().map(|intended| intended.requests),
            Some(totals.requests)
        );
        if arrivals.started >= 96 && arrivals.skipped == 0 {
            Ok(())
        } else {
            Err(format!("{arrivals:?}"))
        }
    })
    .await;

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
