//! The ramp is one line, whatever the number of workers.

use greylag_tests::{Cluster, Nginx, alone};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, declared, greylag, in_one_of_three_runs, request, test};

/// What Locust does with the same flags: one user from the start, and a run of 3 s.
#[tokio::test]
async fn a_ramp_may_be_longer_than_the_run() {
    let nginx = Nginx::start().await;
    let url = nginx.url();
    let run = async |users: &str, rate: &str| {
        let flags = ["run", "--headless", "--scenario", "shop", "-H", &url];
        let load = ["-u", users, "-r", rate, "-t", "3s"];
        let ended = greylag()
            .run(&[&flags[..], &load].concat(), RUN_TIMEOUT)
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let ended = run("1", "0.1").await;
    assert!(!ended.stderr.contains("Warning"), "{ended:?}");
    let ended = run("10", "1").await;
    assert!(
        ended.stderr.contains(
            "Warning: The ramp takes 10s but the run ends after 3s: it reaches 3 users instead of 10."
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_ramp_that_does_not_end_is_shown_by_the_api_and_the_page() {
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let changes = json!({ "users": 10, "ramp_up": null, "spawn_rate": 1, "duration": 3 });
    let test = test(&nginx.url(), "lab", changes);
    in_one_of_three_runs(async || {
        let answer = api.post("/api/v1/runs", &test).await.json();
        let warning = answer["warnings"][0].as_str().expect("a warning");
        assert!(
            warning.contains("it reaches 3 users instead of 10"),
            "{warning}"
        );
        let id = answer["id"].as_str().expect("an id");
        assert!(api.page(id).await.contains(warning), "it is on the page");
        api.wait_for_status(id, "Finished", RUN_TIMEOUT).await;
        let series = api.summary(id).await.series;
        // A ramp that was squeezed into the run would reach ten.
        let most = series.iter().map(|point| point.users).max();
        assert!(most <= Some(3), "{series:?}");
        (most == Some(3))
            .then_some(())
            .ok_or_else(|| format!("{series:?}"))
    })
    .await;
}

/// Without a ramp-up all users begin, each once, over two workers with several slices of a start each.
#[tokio::test]
async fn two_thousand_users_without_a_ramp_are_all_active_and_counted() {
    const USERS: u64 = 2_000;
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let test = json!({
        "name": "launch", "host": nginx.url(), "infrastructure": "lab", "scenario": "launch", "users": USERS, "workers": 2,
        "ramp_up": 0, "duration": 600,
    });
    let id = api.start(&test).await;
    // Each user has two: when it begins, and its request.
    let progress = api.wait_for_requests(&id, 2 * USERS, RUN_TIMEOUT).await;
    assert_eq!(progress["users"], USERS, "{progress}");
    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let summary = api.summary(&id).await;
    let mut counts: Vec<_> = summary
        .endpoints
        .iter()
        .map(|endpoint| {
            (
                endpoint.method.as_str(),
                endpoint.requests,
                endpoint.failures,
            )
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [("BEGIN", USERS, 0), ("GET", USERS, 0)]);
    let most = summary.series.iter().map(|point| point.users).max();
    assert_eq!(most, Some(USERS));
    assert_eq!(nginx.finish().await.totals().requests, USERS);
}

#[tokio::test]
async fn users_follow_the_line_within_two() {
    const USERS: u64 = 40;
    const RAMP_S: u64 = 8;
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({
        "users": USERS, "workers": 4, "ramp_up": RAMP_S, "duration": RAMP_S + 2,
        "declared": declared(&[request("GET", "/", 1)], (0.3, 0.6)),
    });
    let test = test(&nginx.url(), "lab", changes);
    let api = cluster.api();
    in_one_of_three_runs(async || {
        let id = api.start(&test).await;
        api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
        let series = api.summary(&id).await.series;
        for second in 0..=RAMP_S {
            let point = series
                .iter()
                .find(|point| u64::from(point.second) == second)
                .unwrap_or_else(|| panic!("second {second} is missing: {series:?}"));
            let ideal = USERS * second / RAMP_S;
            let seen = format!(
                "{} users at second {second}, the line has {ideal}: {series:?}",
                point.users
            );
            assert!(point.users <= ideal + 2, "{seen}");
            if point.users + 2 < ideal {
                return Err(seen);
            }
        }
        let log = api.log(&id).await;
        let said = |text: &str| log.lines().filter(|line| line.contains(text)).count();
        assert_eq!(said("All users spawned (40 total users)"), 1, "{log}");
        let ramp = "Ramping up to 40 users in 4 worker processes on 2 agents over 8s";
        assert_eq!(said(ramp), 1, "{log}");
        assert_eq!(
            (
                said("All users spawned"),
                said("Ramping"),
                said("users launched")
            ),
            (1, 1, 0),
            "{log}"
        );
        Ok(())
    })
    .await;
}
