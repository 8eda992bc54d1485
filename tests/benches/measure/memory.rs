//! Memory of a worker per user that waits.

use std::time::Duration;

use greylag_tests::Nginx;
use serde_json::json;

use crate::{pinned_cluster, start};

const ALL_THERE: Duration = Duration::from_secs(120);

/// Prints resident memory per user at 1,000 and 10,000 users, above that of a worker with one user.
pub(crate) async fn measure() {
    let alone = resident(1).await;
    println!(
        "\nMemory of a worker whose users wait, each with an open connection (a worker with one user: {:.1} MB)",
        mb(alone)
    );
    println!("| users | worker | per user |\n|---|---|---|");
    for users in [1_000_u64, 10_000] {
        let all = resident(users).await;
        let each = all.saturating_sub(alone) as f64 / (users - 1) as f64 / 1e3;
        println!("| {users} | {:.1} MB | {each:.1} kB |", mb(all));
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Resident bytes of a worker when each of its users has made its request and waits.
async fn resident(users: u64) -> u64 {
    let nginx = Nginx::start_unlogged().await;
    let cluster = pinned_cluster().await;
    let test = json!({
        "name": "memory", "host": nginx.url(), "infrastructure": "bench", "scenario": "idle",
        "users": users, "workers": 1, "ramp_up": users / 1_000, "duration": 600,
    });
    let (id, worker) = start(&cluster, &test).await;
    let progress = cluster.api().wait_for_requests(&id, users, ALL_THERE).await;
    assert_eq!(progress["failures"], 0, "{progress}");
    let bytes = worker.resident_bytes();
    cluster.api().stop(&id).await;
    cluster
        .api()
        .wait_for_status(&id, "Failed", ALL_THERE)
        .await;
    bytes
}
