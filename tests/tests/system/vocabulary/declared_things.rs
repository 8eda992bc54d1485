//! Options, test data, events, tags and hosts of scenarios.

use std::collections::BTreeSet;

use greylag_tests::{Nginx, heavy};
use serde_json::json;

use super::{behind, cluster, distinct, finish};
use crate::support::{RUN_TIMEOUT, SOON, endpoint_counts, greylag, test};

#[tokio::test]
async fn no_two_users_share_a_unique_row_and_each_row_is_given_once() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let changes = json!({ "scenario": "unique-rows", "users": 10, "workers": 3, "ramp_up": 0, "duration": 4 });
    let id = finish(cluster.api(), &nginx, changes).await;
    let requests = cluster.api().summary(&id).await.totals.requests;
    let logins = distinct(&nginx.log_with(requests).await, "/login/");
    let names: BTreeSet<_> = logins
        .iter()
        .filter_map(|login| login.split('/').next())
        .collect();
    assert_eq!((logins.len(), names.len()), (10, 10), "{logins:?}");

    let changes =
        json!({ "scenario": "rows-once", "users": 6, "workers": 3, "ramp_up": 0, "duration": 3 });
    let id = finish(cluster.api(), &nginx, changes).await;
    let log = nginx.finish().await;
    assert_eq!(
        behind(&log, "/take/").len(),
        10,
        "each row once, and then no more"
    );
    assert_eq!(distinct(&log, "/take/").len(), 10);
    let errors = cluster.api().summary(&id).await.errors;
    assert!(
        errors.iter().all(|error| error.occurrences <= 6),
        "once per user: {errors:?}"
    );

    // Fewer rows than users is known before load starts, also when a load shape says how many there are.
    for changes in [
        json!({ "scenario": "unique-rows", "users": 11, "workers": 2, "ramp_up": 0, "duration": 2 }),
        json!({ "scenario": "shaped-rows", "users": null, "workers": 2, "ramp_up": null, "duration": null }),
    ] {
        let nginx = Nginx::start().await;
        let id = cluster
            .api()
            .start(&test(&nginx.url(), "lab", changes))
            .await;
        let progress = cluster
            .api()
            .wait_for_status(&id, "Failed", RUN_TIMEOUT)
            .await;
        let reason = progress["failure_reason"].as_str().unwrap_or_default();
        assert!(reason.contains("10") && reason.contains("11"), "{reason}");
        assert_eq!(nginx.finish().await.totals().requests, 0);
    }
}

#[tokio::test]
async fn options_reach_the_users_and_secrets_are_not_shown() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "optional", "users": 2, "workers": 2, "ramp_up": 0, "duration": 2,
        "options": { "mode": "write", "rows": "7", "fast": "true", "api-key": "hush-hush" },
    });
    let id = finish(api, &nginx, changes).await;
    let requests = api.summary(&id).await.totals.requests;
    let asked = distinct(&nginx.log_with(requests).await, "/option/");
    assert_eq!(
        asked,
        BTreeSet::from(["write/7/true?key=hush-hush".to_owned()])
    );
    for text in [
        api.page(&id).await,
        api.log(&id).await,
        api.summary_and_json(&id).await.1.to_string(),
        api.get("/").await.body,
        api.get("/api/v1/runs").await.body,
    ] {
        assert!(!text.contains("hush-hush"), "a secret is shown: {text}");
    }
    let page = api.page(&id).await;
    assert!(page.contains("write"), "other options are shown");
    let form = api.get("/").await.body;
    assert!(form.contains("What users do."), "the form asks for them");

    for (options, words) in [
        (json!({ "mode": "neither" }), "read"),
        (json!({ "row": "7" }), "rows"),
        (json!({ "rows": "many" }), "whole number"),
    ] {
        let changes = json!({ "scenario": "optional", "options": options });
        let refused = api
            .post("/api/v1/runs", &test(&nginx.url(), "lab", changes))
            .await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.error().contains(words), "{}", refused.body);
    }

    let url = nginx.url();
    let line = [
        "run",
        "--scenario",
        "optional",
        "--host",
        &url,
        "-u",
        "1",
        "-t",
        "2s",
        "--rows",
        "3",
        "--fast",
        "--api-key",
        "s3cret",
        "--headless",
        "--only-summary",
        "--data",
        "data",
    ];
    let ended = greylag().run(&line, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let asked = distinct(&nginx.finish().await, "/option/");
    assert!(asked.contains("read/3/true?key=s3cret"), "{asked:?}");
    assert!(!ended.stdout.contains("s3cret") && !ended.stderr.contains("s3cret"));
    assert!(
        !ended.stdout.contains("http://127.0.0.1"),
        "no page is served: {}",
        ended.stdout
    );
    let help = greylag().run(&["run", "--help"], SOON).await.stdout;
    for words in [
        "--mode",
        "What users do",
        "--api-key",
        "--run-time",
        "--spawn-rate",
    ] {
        assert!(help.contains(words), "{words} is not in the help: {help}");
    }
}

#[tokio::test]
async fn events_come_once_per_test_or_once_per_worker() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let changes =
        json!({ "scenario": "eventful", "users": 3, "workers": 3, "ramp_up": 0, "duration": 2 });
    let id = finish(cluster.api(), &nginx, changes).await;
    let log = cluster.api().log(&id).await;
    let heard = |event: &str| -> Vec<&str> {
        let mark = format!("EVENT {event} on worker ");
        let mut workers: Vec<&str> = log
            .lines()
            .filter_map(|line| line.split(&mark).nth(1))
            .collect();
        workers.sort_unstable();
        workers
    };
    for once in ["test_start", "test_stop"] {
        assert_eq!(heard(once), ["0"], "{once}: {log}");
    }
    for each in [
        "init",
        "worker_start",
        "spawning_complete",
        "worker_stop",
        "quitting",
    ] {
        assert_eq!(heard(each), ["0", "1", "2"], "{each}: {log}");
    }
    let summary = cluster.api().summary(&id).await;
    let endpoints = endpoint_counts(&summary);
    assert_eq!(endpoints.len(), 1, "{endpoints:?}");
    assert!(endpoints.contains_key(&("GET".to_owned(), "/renamed".to_owned())));
}

#[tokio::test]
async fn a_scenario_says_that_the_test_failed_and_stops_it_on_every_worker() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes =
        json!({ "scenario": "stopping", "users": 6, "workers": 2, "ramp_up": 1, "duration": 60 });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let progress = api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let reason = progress["failure_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("user 3 has seen enough"), "{reason}");
    assert!(
        progress["elapsed_s"].as_f64().unwrap_or(99.0) < 30.0,
        "{progress}"
    );
    let summary = api.summary(&id).await;
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
    assert_eq!(summary.verdict.as_deref(), Some("failed"));
    let [said] = summary.thresholds.as_slice() else {
        panic!("one reason of both workers: {:?}", summary.thresholds);
    };
    assert_eq!(said.condition, "scenario: sold more than there was");
    // Users 0 and 1 are on different workers.
    assert!(said.actual.is_some_and(|times| times >= 2.0), "{said:?}");
}

#[tokio::test]
async fn a_scenario_finishes_the_test_before_its_time_on_every_worker() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes =
        json!({ "scenario": "finishing", "users": 6, "workers": 2, "ramp_up": 1, "duration": 600 });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let progress = api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    assert!(
        progress["elapsed_s"].as_f64().unwrap_or(999.0) < 60.0,
        "{progress}"
    );
    let summary = api.summary(&id).await;
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
    assert_eq!(summary.run.finished_early.as_deref(), Some("all sold"));
    let page = api.get(&format!("/runs/{id}")).await.body;
    assert!(page.contains("all sold\nplanned for 10m"), "{page}");
    let log = api.log(&id).await;
    let reason = "finishing before the planned end, as the scenario asks: all sold";
    assert_eq!(log.matches(reason).count(), 1, "{log}");
}

#[tokio::test]
async fn tags_choose_tasks_and_those_that_choose_nothing_are_refused() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "tagged", "users": 2, "workers": 2, "ramp_up": 0, "duration": 1,
        "tags": ["read", "slow"], "exclude_tags": ["write"],
    });
    finish(api, &nginx, changes).await;
    assert!(
        nginx
            .finish()
            .await
            .requests
            .iter()
            .all(|request| request.path == "/read")
    );

    let nginx = Nginx::start().await;
    let url = nginx.url();
    let nothing = [
        "run",
        "--scenario",
        "tagged",
        "--host",
        &url,
        "-T",
        "raed",
        "--data",
        "data",
    ];
    let ended = greylag().run(&nothing, SOON).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("no task with tag `raed`; did you mean `read`?"),
        "{}",
        ended.stderr
    );
    for changes in [
        json!({ "scenario": "tagged", "tags": ["raed"] }),
        json!({ "scenario": "tagged", "thresholds": ["p95 < 1s for tag raed"] }),
    ] {
        let refused = api.post("/api/v1/runs", &test(&url, "lab", changes)).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.contains("`raed`; did you mean `read`?"));
    }

    // Thresholds for a tag are about the requests of the tasks that have it, over all workers. With so many users each task is
    // somebody's first one.
    let changes = json!({
        "scenario": "tagged", "users": 40, "workers": 2, "ramp_up": 0, "duration": 2,
        "thresholds": [
            "requests > 0 for tag read during whole", "requests > 0 for tag slow during whole",
            "requests < 1 for tag write during whole",
        ],
    });
    let id = finish(api, &nginx, changes).await;
    let log = nginx.finish().await;
    let of = |path: &str| {
        let requests = log.requests.iter();
        requests.filter(|request| request.path == path).count()
    };
    let (read, write) = (of("/read"), of("/write"));
    assert!(of("/plain") > 0);
    let results = api.summary(&id).await.thresholds;
    let found: Vec<_> = results
        .iter()
        .map(|result| (result.actual, result.state.as_str()))
        .collect();
    let expected = [
        (Some(read as f64), "passed"),
        (Some(write as f64), "passed"),
        (Some(write as f64), "breached"),
    ];
    assert_eq!(found, expected, "{results:?}");
}

#[tokio::test]
async fn a_user_types_own_host_is_used_unless_the_test_names_one() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes =
        json!({ "scenario": "own-host", "users": 1, "workers": 1, "ramp_up": 0, "duration": 2 });
    finish(api, &nginx, changes.clone()).await;
    assert!(nginx.finish().await.totals().requests > 0);
    let mut homeless = test("", "lab", changes);
    homeless["host"] = serde_json::Value::Null;
    let id = api.start(&homeless).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let summary = api.summary(&id).await;
    assert!(
        summary.totals.failures > 0,
        "nothing listens at its own host"
    );
    homeless["scenario"] = "weighted".into();
    let refused = api.post("/api/v1/runs", &homeless).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.error().contains("host"), "{}", refused.body);
}
