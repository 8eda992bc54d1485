//! A run of a month: its answers are short unless more is asked for, and what is long takes no memory. Alone in its
//! binary, because the memory is that of the process.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

#[path = "web/site.rs"]
#[allow(dead_code, reason = "the tests of the web server use the rest")]
mod site;
mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use greylag_infra::protocol::{Snapshot, UserChange};
use greylag_infra::{RunPhase, RunTime};
use greylag_reporting::{MAX_SUMMARY_POINTS, Summary};
use site::Site;
use tower::ServiceExt;

const MONTH_S: u32 = 30 * 24 * 3_600;
/// Every so many seconds users come or go.
const EVERY_S: u32 = 97;
/// How much more memory the process may take while the longest answer is sent: far less than the answer.
const MOST_MEMORY_KB: u64 = 48 * 1024;

fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// A run of a month in which one user more is there after each [`EVERY_S`] seconds, which is over.
async fn month(site: &Site) {
    let store = site.coordinator.store();
    let mut record = support::run("month", "soak", &["a"]);
    record.test.duration_s = u64::from(MONTH_S);
    let mut record = store.create_run(record).await.unwrap();
    let seconds: Vec<u32> = (0..MONTH_S).step_by(EVERY_S as usize).collect();
    for (seq, seconds) in (1..).zip(seconds.chunks(2_000)) {
        let change = |second: &u32| UserChange {
            second: *second,
            started: 1,
            ..UserChange::default()
        };
        let snapshot = Snapshot {
            run_id: "month".into(),
            seq,
            user_changes: seconds.iter().map(change).collect(),
            ..Snapshot::default()
        };
        store
            .save_snapshot(&"month".into(), &"a".into(), snapshot)
            .await
            .unwrap();
    }
    record.phase = RunPhase::Finished;
    record.ended_at = Some(support::START + RunTime::of_second(MONTH_S));
    store.update_run(&record).await.unwrap();
}

async fn summary(site: &Site, query: &str) -> (usize, Summary) {
    let answer = site
        .get(&format!("/api/v1/runs/month/summary{query}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let summary = serde_json::from_str(&answer.body).unwrap();
    (answer.body.len(), summary)
}

#[tokio::test]
async fn a_month_is_short_unless_every_second_is_asked_for_and_then_takes_no_memory() {
    let site = Site::start(None).await;
    month(&site).await;
    let (bytes, short) = summary(&site, "").await;
    assert!(bytes < 200_000, "{bytes} bytes");
    assert!((500..=MAX_SUMMARY_POINTS).contains(&short.series.len()));
    let (_, hours) = summary(&site, "?step=3600").await;
    assert_eq!((hours.series_step_s, hours.series.len()), (3_600, 721));
    for (of, series) in [(short.series_step_s, &short.series), (3_600, &hours.series)] {
        let last = series.len() - 1;
        for (at, point) in series.iter().enumerate() {
            assert_eq!(point.second, at as u32 * of);
            // those that came before, until no users are left
            let users = if at == last {
                0
            } else {
                point.second.div_ceil(EVERY_S)
            };
            assert_eq!(point.users, u64::from(users), "second {}", point.second);
        }
    }
    for wrong in ["0", "-1", "x", "99999999999"] {
        let path = format!("/api/v1/runs/month/summary?step={wrong}");
        let refused = site.get(&path).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(refused.error_message().contains("step must be"));
    }

    let before_kb = peak_memory_kb();
    let request = Request::get("/api/v1/runs/month/summary?step=1")
        .header(header::HOST, "localhost:8089")
        .body(Body::empty())
        .unwrap();
    let mut body = site
        .router
        .clone()
        .oneshot(request)
        .await
        .unwrap()
        .into_body()
        .into_data_stream();
    let (mut bytes, mut points) = (0, 0);
    while let Some(data) = body.next().await {
        let data = data.unwrap();
        bytes += data.len();
        points += data.windows(8).filter(|at| at == b"\"second\"").count();
    }
    assert!(
        (MONTH_S - EVERY_S..=MONTH_S + 1).contains(&(points as u32)),
        "{points}"
    );
    let grown_kb = peak_memory_kb() - before_kb;
    assert!(bytes > 100_000_000, "{bytes} bytes");
    assert!(grown_kb < MOST_MEMORY_KB, "{grown_kb} kB for {bytes} bytes");
}
