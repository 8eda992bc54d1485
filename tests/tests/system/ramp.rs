//! The ramp is one line, whatever the number of workers.

use greylag_tests::{Cluster, Nginx, heavy};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, declared, greylag, request, test};

#[tokio::test]
async fn users_follow_the_line_within_two() {
    const USERS: u64 = 40;
    const RAMP_S: u64 = 8;
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({
        "users": USERS, "workers": 4, "ramp_up": RAMP_S, "duration": RAMP_S + 2,
        "declared": declared(&[request("GET", "/", 1)], (0.3, 0.6)),
    });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    let series = cluster.api().summary(&id).await.series;
    for second in 0..=RAMP_S {
        let point = series
            .iter()
            .find(|point| u64::from(point.second) == second)
            .unwrap_or_else(|| panic!("second {second} is missing: {series:?}"));
        let ideal = USERS * second / RAMP_S;
        assert!(
            point.users.abs_diff(ideal) <= 2,
            "{} users at second {second}, the line has {ideal}: {series:?}",
            point.users
        );
    }
}
