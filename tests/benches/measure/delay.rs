//! How long after its end a request is in the events that the page follows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use greylag_tests::Nginx;
use serde_json::json;

use crate::events::{Events, total_of};
use crate::{median, pinned_cluster, start};

const SECONDS: u64 = 30;

/// Prints the delay from the end of each request (by nginx's clock, which is this machine's) to the event whose total
/// includes it.
pub(crate) async fn measure() {
    let nginx = Nginx::start().await;
    let cluster = pinned_cluster().await;
    let test = json!({
        "name": "delay", "host": nginx.url(), "infrastructure": "bench", "users": 10, "workers": 1, "ramp_up": 0,
        "duration": SECONDS,
        "declared": {
            "requests": [{ "method": "GET", "path": "/", "weight": 1 }],
            "wait_time": { "Between": [0.1, 0.5] },
        },
    });
    let (id, _) = start(&cluster, &test).await;
    let totals = follow(&cluster, &id).await;
    let log = nginx.finish().await;

    let mut delays = Vec::new();
    let mut seen = 0;
    for (arrived_ms, total) in totals {
        let total = total.min(log.requests.len());
        for request in log.requests.get(seen..total).unwrap_or_default() {
            delays.push(arrived_ms.saturating_sub(request.ended_at_ms) as f64);
        }
        seen = seen.max(total);
    }
    assert_eq!(seen, log.requests.len(), "the last event has them all");
    let most = delays.iter().copied().fold(0.0, f64::max);
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    println!(
        "\nDelay from the end of a request to the browser's event, {} requests",
        delays.len()
    );
    println!("| mean | median | most |\n|---|---|---|");
    println!("| {mean:.0} ms | {:.0} ms | {most:.0} ms |", median(delays));
}

/// When each `run` event came that changed the total, and that total.
async fn follow(cluster: &greylag_tests::Cluster, id: &str) -> Vec<(u64, usize)> {
    let within = Duration::from_secs(SECONDS + 60);
    let mut events = Events::of_run(cluster.api(), id, within).await;
    let mut totals = Vec::new();
    while let Some(event) = events.next().await {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is after 1970")
            .as_millis();
        if let Some(total) = total_of(&event) {
            totals.push((u64::try_from(now_ms).expect("64 bits are enough"), total));
        }
    }
    totals
}
