//! Times from the intended start, arrivals, first bytes and the generator's own limits: shown where there are any, and only there.

use std::time::Duration;

use greylag_infra::protocol::{Endpoint, Snapshot, UserChange};
use greylag_infra::{GeneratorNotice, NoticeKind, RunPhase, RunRecord, WallTime};
use greylag_reporting::Interval;
use serde_json::{Value, json};

use crate::site::{AGENT, Site, load_test};

const RUN: &str = "abcdefabcdef";

/// A run with a paced endpoint and one of a goose scenario, and an arrival rate that skipped some.
async fn mixed_run(site: &Site) {
    let other = site
        .finished_run("other0000000", load_test("other"), "/", "x")
        .await;
    let mut test = load_test("checkout");
    test.arrival_rate = Some(5.0);
    let mut record = RunRecord {
        id: RUN.into(),
        profile: test.profile(),
        test,
        phase: RunPhase::Running,
        ended_at: None,
        ..other
    };
    record.agents[0].end = None;
    let store = site.coordinator.store();
    let record = store.create_run(record).await.expect("kept");
    let (mut paced, mut goose) = (Interval::default(), Interval::default());
    for ms in [10, 20, 30] {
        paced.record(Duration::from_millis(ms), None, 1, None);
        paced.record_intended(Duration::from_millis(ms + 1_000));
        goose.record(Duration::from_millis(ms), None, 1, None);
        goose.count_first_byte_only();
    }
    let endpoint = |name: &str| Endpoint {
        method: "GET".into(),
        name: name.into(),
    };
    let snapshot = Snapshot {
        run_id: RUN.into(),
        seq: 1,
        endpoints: vec![endpoint("/paced"), endpoint("/goose")],
        intervals: vec![paced.to_wire(1, 0), goose.to_wire(2, 1)],
        user_changes: vec![UserChange {
            second: 1,
            arrivals: 40,
            late_arrivals: 7,
            skipped_arrivals: 3,
            ..UserChange::default()
        }],
        notices: vec![GeneratorNotice {
            kind: NoticeKind::BlockedLoop,
            worker: Some(0),
            subject: "Shopper.<buy>".into(),
            first_second: 12,
            last_second: 40,
            count: 3,
            worst: 100,
        }],
        ..Snapshot::default()
    };
    store
        .save_snapshot(&RUN.into(), &AGENT.into(), snapshot)
        .await
        .expect("saved");
    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(WallTime::from_micros(1_795_413_915_000_000)),
        ..record
    };
    store.update_run(&over).await.expect("updated");
}

#[tokio::test]
async fn page_summary_and_tables_say_the_same() {
    let site = Site::start(None).await;
    mixed_run(&site).await;
    let summary = site
        .get(&format!("/api/v1/runs/{RUN}/summary"))
        .await
        .json();
    let view = site.get(&format!("/api/v1/runs/{RUN}")).await.json();
    let intended = json!({
        "requests": 3, "avg_ms": 1_020.0, "min_ms": 1_010.0, "max_ms": 1_030.0,
        "p50_ms": summary["totals"]["intended"]["p50_ms"], "p75_ms": 1_030.0, "p90_ms": 1_030.0,
        "p95_ms": 1_030.0, "p98_ms": 1_030.0, "p99_ms": 1_030.0, "p999_ms": 1_030.0, "p9999_ms": 1_030.0,
    });
    let (goose, paced) = (&summary["endpoints"][0], &summary["endpoints"][1]);
    assert_eq!(
        (&goose["intended"], &paced["intended"]),
        (&Value::Null, &intended)
    );
    assert_eq!(
        (&goose["first_byte_only"], &paced["first_byte_only"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(summary["totals"]["intended"], intended);
    assert_eq!(
        summary["totals"]["arrivals"],
        json!({"started": 40, "late": 7, "skipped": 3})
    );
    assert_eq!(view["cards"]["intended"], intended);
    assert_eq!(view["cards"]["arrivals"], summary["totals"]["arrivals"]);
    assert_eq!(view["aggregated"]["intended"], intended);
    assert_eq!(view["endpoints"][0]["first_byte_only"], json!(3));

    let tables = site.get(&format!("/api/v1/runs/{RUN}/tables")).await.body;
    assert!(tables.contains("Response time from the intended start"));
    assert!(tables.contains("Timed to the first byte only: GET /goose\n"));
    assert!(tables.contains("Arrivals: 40 started, 7 of them late, 3 skipped because all users"));

    let page = site.get(&format!("/runs/{RUN}")).await.body;
    for part in [
        "data-field=\"p90\" data-value=\"30\"",
        "data-field=\"intended-p90\" data-value=\"1030\"",
        "data-field=\"intended-p95\" data-value=\"1030\"",
        "data-role=\"intended-line\" title",
        "data-intended=\"true\"",
        "<abbr class=\"first-byte\" title=\"Timed to the first byte of the response only\">",
        "data-role=\"arrivals\" data-skipping=\"true\">",
        "data-role=\"arrivals-warning\">Skipped because all users were busy",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(
        page.matches("class=\"first-byte\"").count(),
        2,
        "its row and the Aggregated one"
    );
}

/// What the generator ran short of stands beside the numbers, wherever these are shown.
#[tokio::test]
async fn limits_of_the_generator_are_shown_everywhere() {
    let site = Site::start(None).await;
    mixed_run(&site).await;
    let get = async |path: &str| site.get(&format!("/api/v1/runs/{RUN}{path}")).await;
    let summary = get("/summary").await.json();
    let warning = &summary["warnings"][0];
    let message = warning["message"].as_str().expect("a message");
    assert_eq!(
        (&warning["kind"], &warning["worker"], &warning["agent"]),
        (&json!("blocked_loop"), &json!(0), &json!(AGENT))
    );
    assert_eq!(
        (&warning["subject"], &warning["count"], &warning["worst"]),
        (&json!("Shopper.<buy>"), &json!(3), &json!(100))
    );
    assert!(
        message.starts_with(&format!(
            "seconds 12 to 40: `Shopper.<buy>` blocked worker 0 on agent {AGENT} 3 times, for up to 100 ms"
        )),
        "{message}"
    );
    for path in ["", "/progress"] {
        assert_eq!(
            get(path).await.json()["warnings"],
            summary["warnings"],
            "{path}"
        );
    }
    let tables = get("/tables").await.body;
    assert!(
        tables.contains(&format!("Limits of the load generator\n- {message}\n")),
        "{tables}"
    );
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    assert!(page.contains("data-role=\"warnings\">"));
    assert!(
        page.contains("<code>Shopper.&#60;buy&#62;</code> blocked worker 0"),
        "{page}"
    );
}

#[tokio::test]
async fn a_run_without_any_of_it_shows_none_of_it() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    let summary = site
        .get(&format!("/api/v1/runs/{RUN}/summary"))
        .await
        .json();
    for nothing in ["intended", "arrivals"] {
        assert_eq!(summary["totals"][nothing], Value::Null, "{nothing}");
    }
    let tables = site.get(&format!("/api/v1/runs/{RUN}/tables")).await.body;
    for word in ["intended", "first byte", "Arrivals", "Limits"] {
        assert!(!tables.contains(word), "{word}");
    }
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    for part in [
        "data-role=\"intended-line\" hidden",
        "data-intended=\"false\"",
        "data-role=\"arrivals\" data-skipping=\"false\" hidden",
        "data-role=\"arrivals-warning\" hidden",
        "data-role=\"warnings\" hidden",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("class=\"first-byte\""));
}
