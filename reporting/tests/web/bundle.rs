//! A run from one coordinator to another, by the API.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode, header};
use greylag_infra::protocol::{ErrorSampleData, MetricKind, Snapshot};
use greylag_infra::{ProcessHealth, RunRecord};
use greylag_reporting::{Grant, Role, RunFilter};
use tower::ServiceExt;

use crate::site::{Site, load_test, snapshot};
use crate::support;

const RUN: &str = "abcdefabcdef";

/// Every answer that is made of a run's numbers.
const ANSWERS: [&str; 34] = [
    "",
    "/view",
    "/view?from=2&to=7",
    "/summary",
    "/summary?step=1",
    "/summary?from=2&to=7&endpoint=GET%20/cart",
    "/summary?agent=agent-1&outcome=failed",
    "/summary?saturated=leave-out",
    "/progress",
    "/completeness",
    "/notes",
    "/workers",
    "/tables",
    "/log",
    "/log/lines",
    "/samples",
    "/errors/samples",
    "/distribution",
    "/charts/percentiles",
    "/charts/statuses",
    "/charts/errors",
    "/charts/agent-requests",
    "/charts/agent-users",
    "/charts/custom-metric?metric=tokens",
    "/csv/stats",
    "/csv/failures",
    "/csv/exceptions",
    "/csv/custom_metrics",
    "/csv/samples",
    "/csv/stats_history?full=1",
    "/csv/series",
    "/hlog",
    "/junit.xml",
    "/summary.md",
];

fn results() -> Snapshot {
    let mut snapshot = snapshot(RUN, "/cart", "500");
    let counted = [
        ("sent", MetricKind::Counter, "bytes", 1, 7_500_000),
        ("tokens", MetricKind::Histogram, "tokens/s", 2, 53_200_000),
    ];
    support::count(&mut snapshot, &counted);
    Snapshot {
        health: vec![ProcessHealth {
            second: 3,
            worker: Some(0),
            core_pm: Some(950),
            memory_bytes: Some(7 << 20),
            ..ProcessHealth::default()
        }],
        sample_errors: vec!["500".to_owned()],
        error_samples: vec![ErrorSampleData {
            at_us: 500_000,
            status: Some(500),
            body: Some("no room".to_owned()),
            ..ErrorSampleData::default()
        }],
        ..snapshot
    }
}

async fn site_with_a_run() -> Site {
    let (site, run) = site_with_an_unjudged_run().await;
    // Judges the thresholds for good, as a coordinator does at the end of a run.
    let store = site.coordinator.store();
    let judged = store
        .threshold_results(&run)
        .await
        .expect("they are judged");
    assert_eq!(judged.len(), 3);
    site
}

async fn site_with_an_unjudged_run() -> (Site, RunRecord) {
    let site = Site::start(None).await;
    let mut test = load_test("checkout");
    test.thresholds = [
        "p95 < 1h",
        "error_rate < 1% for GET /cart during whole",
        "metric tokens mean > 50 during whole",
    ]
    .map(|threshold| threshold.parse().expect("a threshold"))
    .to_vec();
    let mut run = site.running_run(RUN, test, results()).await;
    run.phase = greylag_infra::RunPhase::Finished;
    run.ended_at = Some(greylag_infra::WallTime::from_micros(1_795_413_915_000_000));
    let store = site.coordinator.store();
    store.update_run(&run).await.expect("the run is updated");
    (site, run)
}

async fn bundle(site: &Site) -> Bytes {
    let request = Request::get(format!("/api/v1/runs/{RUN}/bundle"))
        .header(header::HOST, "localhost:8089")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .expect("a request");
    let answer = site
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        !answer.headers().contains_key(header::CONTENT_ENCODING),
        "it is compressed already"
    );
    assert_eq!(
        answer.headers()[header::CONTENT_DISPOSITION],
        format!("attachment; filename=\"greylag-run-1-{RUN}.bundle\"")
    );
    to_bytes(answer.into_body(), 1 << 24)
        .await
        .expect("the whole answer")
}

/// An answer without the time at which it was made.
fn of_run(body: &str) -> String {
    let mut text = String::new();
    for (at, part) in body.split("\"now_us\":").enumerate() {
        let digits = if at == 0 {
            0
        } else {
            part.find(',').unwrap_or(0)
        };
        text += &part[digits..];
    }
    text
}

#[tokio::test]
async fn an_imported_run_is_equal_in_every_answer() {
    let from = site_with_a_run().await;
    let to = Site::start(None).await;
    let bundle_of_run = bundle(&from).await;
    let imported = to.post("/api/v1/runs/import", bundle_of_run.clone()).await;
    assert_eq!(imported.status, StatusCode::CREATED, "{imported:?}");
    let answer = imported.json();
    assert_eq!(answer["id"], RUN);
    assert_eq!(answer["test"], "checkout");
    assert_eq!(answer["number"], 1);
    assert_eq!(answer["url"], format!("/runs/{RUN}"));
    for path in ANSWERS {
        let path = format!("/api/v1/runs/{RUN}{path}");
        let (there, here) = (from.get(&path).await, to.get(&path).await);
        assert_eq!(there.status, StatusCode::OK, "{path}: {there:?}");
        assert!(there.body.len() > 10, "{path}: {there:?}");
        assert_eq!(of_run(&there.body), of_run(&here.body), "{path}");
    }
    assert_eq!(to.get(&format!("/runs/{RUN}")).await.status, StatusCode::OK);
    assert!(bundle(&to).await == bundle_of_run);

    let again = to.post("/api/v1/runs/import", bundle_of_run).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(
        again.error_message().contains("already exists"),
        "{again:?}"
    );
}

#[tokio::test]
async fn an_imported_run_is_judged_where_that_is_left_to_do() {
    let (from, _) = site_with_an_unjudged_run().await;
    let to = Site::start(None).await;
    let imported = to.post("/api/v1/runs/import", bundle(&from).await).await;
    assert_eq!(imported.status, StatusCode::CREATED, "{imported:?}");
    let judged = async {
        loop {
            let filter = RunFilter {
                search: "verdict:failed".into(),
                ..RunFilter::default()
            };
            let found = to.coordinator.store().runs(filter).await;
            if !found.expect("the runs").is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let judged = tokio::time::timeout(Duration::from_secs(30), judged).await;
    judged.expect("it should be judged before anyone looks at it");
}

#[tokio::test]
async fn what_is_not_a_bundle_or_not_over_is_refused() {
    let site = site_with_a_run().await;
    let mut altered = bundle(&site).await.to_vec();
    altered[100] ^= 1;
    // Longer than other bodies may be.
    let long = vec![b'x'; 3 << 20];
    for (body, words) in [
        (altered, "cut short or was altered"),
        (long, "not a Greylag bundle"),
        (Vec::new(), "not a Greylag bundle"),
    ] {
        let refused = site.post("/api/v1/runs/import", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(refused.error_message().contains(words), "{refused:?}");
    }
    let running = "bbbbbbbbbbbb";
    let results = snapshot(running, "/", "500");
    site.running_run(running, load_test("search"), results)
        .await;
    for (id, status) in [
        (running, StatusCode::CONFLICT),
        ("nosuchrun", StatusCode::NOT_FOUND),
    ] {
        let refused = site.get(&format!("/api/v1/runs/{id}/bundle")).await;
        assert_eq!(refused.status, status, "{refused:?}");
    }
}

#[tokio::test]
async fn only_admins_export() {
    let site = Site::start(Some("correct-horse")).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    for (role, status) in [
        (Role::Admin, StatusCode::OK),
        (Role::Viewer, StatusCode::FORBIDDEN),
        (Role::Agent, StatusCode::FORBIDDEN),
    ] {
        let tokens = site.coordinator.tokens();
        let (_, token) = tokens.create(Grant::of_role(role)).await.expect("a token");
        let request = Request::get(format!("/api/v1/runs/{RUN}/bundle"))
            .header(header::HOST, "localhost:8089")
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
            .body(Body::empty())
            .expect("a request");
        let answer = site.router.clone().oneshot(request).await;
        assert_eq!(answer.expect("an answer").status(), status, "{role:?}");
    }
}
