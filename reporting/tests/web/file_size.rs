//! How large a run's page is as one file, and what it has then.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use std::time::Duration;

use axum::http::StatusCode;
use greylag_infra::protocol::MetricKind::{Counter, Gauge, Histogram, Rate};
use greylag_infra::protocol::{
    Endpoint, ErrorSampleData, IntervalData, LogLine, METRIC_ONE, SampleData, SampleDetails,
    SampleKind, Snapshot, UserChange,
};
use greylag_infra::{RunPhase, RunRecord, RunTime};
use greylag_reporting::Interval;

use crate::report_file::{Draws, compare_with_the_api, with_scope};
use crate::site::Site;
use crate::support::{self, Counted};

/// What the documentation promises.
const MOST_BYTES: usize = 5_000_000;

/// How many requests a run of an hour has in each second, over its 50 endpoints.
const HOUR_RPS: u64 = 500;
const HOUR_ENDPOINTS: u64 = 50;
const HOUR_S: u32 = 3_600;
const AGENTS: [&str; 3] = ["a", "b", "c"];
/// Seconds in a snapshot.
const SNAPSHOT_S: u32 = 60;
const ERROR: &str = "503 Service Unavailable";

/// Seconds of which each endpoint has different ones.
const POOL_S: u32 = 64;

/// Of each endpoint some seconds with so many requests, whose times are up to so much apart, each as the intervals of its outcomes.
fn pools(
    endpoints: u64,
    seconds: u32,
    requests: u64,
    spread_us: u64,
    is_intended: bool,
) -> Vec<Vec<Vec<IntervalData>>> {
    let mut draws = Draws(5);
    let mut pool = |number: u64| {
        let mut second = || {
            let (mut ok, mut failed) = (Interval::default(), Interval::default());
            for _ in 0..requests {
                // About as wide as times of a server are: a sum of several is bell-shaped.
                let spread: u64 = (0..4).map(|_| draws.below(spread_us / 4)).sum();
                let response = Duration::from_micros(2_000 * (number + 1) + spread);
                let error = (draws.below(200) == 0).then_some(ERROR);
                let interval = if error.is_some() {
                    &mut failed
                } else {
                    &mut ok
                };
                interval.record(response, Some(response / 2), 100, error);
                if is_intended {
                    interval.record_intended(response + response / 3);
                }
                interval.count_status(Some(if error.is_some() { 503 } else { 200 }));
            }
            let both = [ok, failed].into_iter().filter(|one| !one.is_empty());
            both.map(|one| one.to_wire(0, number as u32)).collect()
        };
        (0..seconds).map(|_| second()).collect()
    };
    (0..endpoints).map(&mut pool).collect()
}

fn endpoints(count: u64) -> Vec<Endpoint> {
    (0..count)
        .map(|number| support::endpoint("GET", &format!("/endpoint/{number}")))
        .collect()
}

/// The end of a run.
async fn finish(site: &Site, record: RunRecord, seconds: u32) {
    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(support::START + RunTime::of_second(seconds)),
        ..record
    };
    site.coordinator.store().update_run(&over).await.unwrap();
}

/// A run of an hour with 50 endpoints, each with times of its own, of three agents, with everything that a run may have: over.
async fn busy_hour(site: &Site) {
    let store = site.coordinator.store();
    let mut record = support::run("hour", "soak", &AGENTS);
    (record.test.duration_s, record.test.ramp_up_s) = (u64::from(HOUR_S), 30);
    record.profile = record.test.profile();
    let record = store.create_run(record).await.unwrap();
    let endpoints = endpoints(HOUR_ENDPOINTS);
    let pools = pools(
        HOUR_ENDPOINTS,
        POOL_S,
        HOUR_RPS / HOUR_ENDPOINTS,
        80_000,
        false,
    );
    let mut draws = Draws(11);
    for (seq, start) in (1..).zip((0..HOUR_S).step_by(SNAPSHOT_S as usize)) {
        for (agent, name) in AGENTS.iter().enumerate() {
            let mut intervals = Vec::new();
            for second in start..start + SNAPSHOT_S {
                for pool in pools.iter().skip(agent).step_by(AGENTS.len()) {
                    for interval in &pool[draws.below(POOL_S.into()) as usize] {
                        intervals.push(IntervalData {
                            second,
                            ..interval.clone()
                        });
                    }
                }
            }
            let mut snapshot = Snapshot {
                run_id: "hour".into(),
                seq,
                endpoints: endpoints.clone(),
                intervals,
                ..Snapshot::default()
            };
            add_singles(&mut snapshot, start, agent as u32, &mut draws);
            store
                .save_snapshot(&"hour".into(), &(*name).into(), snapshot)
                .await
                .unwrap();
        }
    }
    finish(site, record, HOUR_S).await;
}

/// A minute of users, dots, samples of errors, lines of the log and values of custom metrics.
fn add_singles(snapshot: &mut Snapshot, start: u32, agent: u32, draws: &mut Draws) {
    let seconds = start..start + SNAPSHOT_S;
    snapshot.sample_errors = vec![ERROR.to_owned()];
    let mut values: Vec<Counted<'_>> = Vec::new();
    for second in seconds {
        if second < 30 {
            snapshot.user_changes.push(UserChange {
                second,
                started: 2,
                ..UserChange::default()
            });
        }
        let at_us = u64::from(second) * 1_000_000 + draws.below(1_000_000);
        let failed = draws.below(20) == 0;
        snapshot.samples.push(SampleData {
            endpoint: draws.below(HOUR_ENDPOINTS) as u32,
            at_us,
            response_us: 2_000 + draws.below(100_000),
            failed,
            details: SampleDetails {
                first_byte_us: Some(1_000 + draws.below(1_000) as u32),
                status: Some(if failed { 503 } else { 200 }),
                user: Some(draws.below(180) as u32),
                worker: Some(agent),
                error: failed.then_some(0),
                trace_id: None,
            },
            kind: SampleKind::Drawn,
        });
        snapshot.log.push(LogLine {
            at: support::START + RunTime::from_micros(at_us),
            source: format!("name of {}/worker-{agent}", AGENTS[agent as usize]),
            text: format!(
                "user {} placed order {} for {} cents",
                draws.below(180),
                draws.below(1 << 40),
                draws.below(100_000)
            ),
        });
        let mut value = |end: u64| draws.below(end).cast_signed() * METRIC_ONE / 100;
        values.push(("sent", Counter, "bytes", second, value(100_000)));
        values.push(("queue", Gauge, "", second, value(500)));
        let hit = value(100) / METRIC_ONE * METRIC_ONE;
        values.push(("hit", Rate, "", second, hit));
        for _ in 0..5 {
            values.push(("tokens per second", Histogram, "1/s", second, value(9_000)));
            values.push(("basket", Histogram, "EUR", second, value(20_000)));
        }
    }
    support::count(snapshot, &values);
    for endpoint in 0..HOUR_ENDPOINTS as u32 {
        if u64::from(start / SNAPSHOT_S) != u64::from(endpoint) {
            continue;
        }
        snapshot.error_samples.push(ErrorSampleData {
            endpoint,
            worker: Some(agent),
            at_us: u64::from(start) * 1_000_000,
            url: Some(format!("http://127.0.0.1/endpoint/{endpoint}")),
            status: Some(503),
            headers: vec![("retry-after".into(), draws.below(100).to_string())],
            body: Some(random_text(draws, 1_500)),
            body_bytes: 1_500,
            ..ErrorSampleData::default()
        });
    }
}

/// Text that cannot be compressed much, with what HTML has its own way of writing.
fn random_text(draws: &mut Draws, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678<&\"";
    let letter = |_| char::from(LETTERS[draws.below(64) as usize]);
    (0..length).map(letter).collect()
}

#[tokio::test]
async fn an_hour_of_fifty_endpoints_fits_into_five_megabytes() {
    let site = Site::start(None).await;
    busy_hour(&site).await;
    let answer = site.get("/api/v1/runs/hour/report.html").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let file = answer.body;
    assert!(file.len() <= MOST_BYTES, "{}", summary_of(&file));
    let note = file
        .split_once("windows that begin and end at multiples of ")
        .unwrap()
        .1;
    let step: u32 = note
        .split_once(" s, or with a phase")
        .unwrap()
        .0
        .parse()
        .unwrap();
    // Fine enough to be of use.
    assert!(step <= 64, "{step} s");
    // All but the middle of a log that has more than 10,000 lines.
    let notes = summary_of(&file);
    assert!(notes.contains("800 lines in the middle of the log are not in this file."));
    assert_eq!(notes.matches("<li>").count(), 3, "{notes}");
    let mut paths = Vec::new();
    for window in ["from=30", "from=512&to=3072", "to=30", "from=1024&to=1152"] {
        for more in ["", "&endpoint=GET%20/endpoint/7"] {
            paths.push(with_scope("/view", &format!("{window}{more}")));
            paths.push(with_scope(
                "/distribution?of=response",
                &format!("{window}{more}"),
            ));
        }
    }
    paths.push("/view".to_owned());
    paths.push("/samples?at_ms=1&response_us=1".to_owned());
    paths.push(
        "/errors/samples?endpoint=GET%20/endpoint/7&error=503%20Service%20Unavailable".into(),
    );
    let said = compare_with_the_api(&site, "hour", paths).await;
    assert!(
        said.contains(&format!(" 0 differences; parts of {step} s")),
        "{said}"
    );
    let (dots, rest) = said.split_once(" dots, ").unwrap();
    assert!(dots.parse::<u32>().unwrap() >= 4_000, "{said}");
    let singles = format!("{dots} samples, 150 samples of errors, 10000 lines");
    assert!(rest.starts_with(&singles), "{said}");
}

/// A run with more endpoints than parts by endpoint have room for.
#[tokio::test]
async fn of_very_many_endpoints_parts_are_of_all_together() {
    let site = Site::start(None).await;
    let store = site.coordinator.store();
    let (count, seconds) = (1_000, 12);
    let mut record = support::run("many", "many", &["a"]);
    (record.test.duration_s, record.test.ramp_up_s) = (seconds.into(), 5);
    record.profile = record.test.profile();
    let record = store.create_run(record).await.unwrap();
    // So wide that hardly two times are counted together, whatever the parts.
    let pools = pools(count, seconds, 80, 1 << 25, true);
    for (seq, start) in (1..).zip((0..seconds).step_by(4)) {
        let mut intervals = Vec::new();
        for second in start..start + 4 {
            for pool in &pools {
                for interval in &pool[second as usize] {
                    intervals.push(IntervalData {
                        second,
                        ..interval.clone()
                    });
                }
            }
        }
        let snapshot = Snapshot {
            run_id: "many".into(),
            seq,
            endpoints: endpoints(count),
            intervals,
            ..Snapshot::default()
        };
        store
            .save_snapshot(&"many".into(), &"a".into(), snapshot)
            .await
            .unwrap();
    }
    finish(&site, record, seconds).await;
    let file = site.get("/api/v1/runs/many/report.html").await.body;
    assert!(file.len() <= MOST_BYTES, "{}", summary_of(&file));
    let note =
        "Single endpoints can be shown for the whole run only: parts are of all of them together.";
    assert!(file.contains(note), "{}", summary_of(&file));
    assert!(!file.contains("data-scope-endpoint>"), "no link to one");
    let mut paths = vec!["/view".to_owned()];
    for scope in ["from=5", "from=7&to=8", "to=9&outcome=failed", "outcome=ok"] {
        for path in [
            "/view",
            "/distribution?of=first_byte",
            "/charts/percentiles?of=response",
            "/charts/statuses",
        ] {
            paths.push(with_scope(path, scope));
        }
    }
    let said = compare_with_the_api(&site, "many", paths).await;
    assert!(said.contains(" 0 differences; parts of 1 s"), "{said}");
}

/// Seconds of an endpoint that are more bytes than compression looks back for.
const DIFFERENT_S: u32 = 320;

/// Names that are several times as long in addresses, in a run that goes on until its parts take all that there is for them.
#[tokio::test]
async fn parts_that_fill_their_room_leave_enough_for_links() {
    let site = Site::start(None).await;
    let store = site.coordinator.store();
    let count = 100;
    let record = support::run("links", "links", &["a"]);
    store.create_run(record).await.unwrap();
    let endpoints: Vec<Endpoint> = (0..count)
        .map(|number| support::endpoint("GET", &format!("/{number}/{}", "ж".repeat(245))))
        .collect();
    let pools = pools(count, DIFFERENT_S, 12, 1 << 25, true);
    let (mut seq, mut saved_s, mut seconds) = (0, 0, 200);
    loop {
        while seconds > 0 {
            let end = saved_s + seconds.min(SNAPSHOT_S);
            seconds -= end - saved_s;
            let mut intervals = Vec::new();
            for second in saved_s..end {
                for pool in &pools {
                    let of_second = pool[(second % DIFFERENT_S) as usize].iter().cloned();
                    intervals.extend(of_second.map(|one| IntervalData { second, ..one }));
                }
            }
            for number in 0..count as u32 {
                let mut failed = Interval::default();
                let error = format!("{number} {}", "ж".repeat(300));
                failed.record(Duration::from_millis(9), None, 0, Some(&error));
                intervals.push(failed.to_wire(saved_s, number));
            }
            (saved_s, seq) = (end, seq + 1);
            let snapshot = Snapshot {
                run_id: "links".into(),
                seq,
                endpoints: endpoints.clone(),
                intervals,
                ..Snapshot::default()
            };
            store
                .save_snapshot(&"links".into(), &"a".into(), snapshot)
                .await
                .unwrap();
        }
        let answer = site.get("/api/v1/runs/links/report.html").await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "{saved_s} s: {}",
            answer.body
        );
        let file = answer.body;
        let said = summary_of(&file);
        assert!(file.len() <= MOST_BYTES, "{said}");
        assert!(file.contains("data-scope-endpoint"), "{said}");
        if !said.contains("windows of whole seconds") {
            return;
        }
        // The next file is nearer to its limit, and the last ones grow by a second.
        let left = MOST_BYTES - file.len();
        let of_second = size_of_parts(&file) / saved_s as usize;
        seconds = (left / of_second * 9 / 10).max(1) as u32;
    }
}

fn size_of_parts(file: &str) -> usize {
    let (_, parts) = file.split_once("id=\"file-parts\">").unwrap();
    parts.find("</script>").unwrap()
}

/// Names, errors, lines and samples as long as they may be, of which nothing can be compressed.
#[tokio::test]
async fn a_file_is_bounded_whatever_a_run_has() {
    let site = Site::start(None).await;
    let store = site.coordinator.store();
    let seconds = 20;
    let mut record = support::run("hostile", "hostile", &["a"]);
    record.test.duration_s = seconds.into();
    record.test.thresholds = vec!["p95 < 1ms".parse().unwrap()];
    record.profile = record.test.profile();
    let record = store.create_run(record).await.unwrap();
    let mut draws = Draws(23);
    let mut snapshot = Snapshot {
        run_id: "hostile".into(),
        seq: 1,
        ..Snapshot::default()
    };
    for number in 0..1_000 {
        let name = random_text(&mut draws, 500);
        let method = random_text(&mut draws, 400);
        snapshot.endpoints.push(support::endpoint(&method, &name));
        let error = random_text(&mut draws, 1_000);
        for second in [number % 7, 7 + number % 12] {
            let (mut ok, mut failed) = (Interval::default(), Interval::default());
            for _ in 0..3 {
                let response = Duration::from_micros(1_000 + draws.below(1 << 20));
                ok.record(response, Some(response / 2), 100, None);
            }
            failed.record(Duration::from_millis(9), None, 0, Some(&error));
            for interval in [ok, failed] {
                snapshot.intervals.push(interval.to_wire(second, number));
            }
        }
        snapshot.sample_errors.push(error);
        for sample in 0..4 {
            snapshot.samples.push(SampleData {
                endpoint: number,
                at_us: u64::from(number % 19) * 1_000_000 + sample,
                response_us: draws.below(1 << 20),
                failed: true,
                details: SampleDetails {
                    error: Some(number),
                    ..SampleDetails::default()
                },
                kind: SampleKind::Failed,
            });
        }
        snapshot.error_samples.push(ErrorSampleData {
            endpoint: number,
            error: number,
            body: Some(random_text(&mut draws, 2_000)),
            ..ErrorSampleData::default()
        });
        snapshot.log.push(LogLine {
            at: support::START + RunTime::of_second(number % 19),
            source: "name of a/worker-0".to_owned(),
            text: random_text(&mut draws, 4_000),
        });
    }
    let names: Vec<String> = (0..100).map(|_| random_text(&mut draws, 110)).collect();
    let values: Vec<Counted<'_>> = names
        .iter()
        .map(|name| (name.as_str(), Histogram, "\"&<\"", 3, METRIC_ONE))
        .collect();
    support::count(&mut snapshot, &values);
    store
        .save_snapshot(&"hostile".into(), &"a".into(), snapshot)
        .await
        .unwrap();
    finish(&site, record, seconds).await;
    let answer = site.get("/api/v1/runs/hostile/report.html").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let file = answer.body;
    assert!(file.len() <= MOST_BYTES, "{}", summary_of(&file));
    for there in [
        "data-field=\"total-requests\" data-value=\"8000\"",
        "data-field=\"total-failures\" data-value=\"2000\"",
        "Of 1,000 errors the 100 most frequent ones are in this file.",
        "Of 1,000 endpoints the 100 with the most requests are in this file",
        "This file shows the whole run only, and no charts of custom metrics: the run has too many endpoints for a file.",
        "p95 &#60; 1ms",
    ] {
        assert!(file.contains(there), "{there}: {}", summary_of(&file));
    }
}

/// What a file says of itself, and how large it is: for readers of a failed test.
fn summary_of(file: &str) -> String {
    let (_, notes) = file.split_once("id=\"file-note-title\"").unwrap();
    let (notes, _) = notes.split_once("</section>").unwrap();
    let blocks = file.split("<script type=\"text/plain\" id=\"").skip(1);
    let sizes: Vec<String> = blocks
        .map(|block| {
            let (id, rest) = block.split_once("\">").unwrap();
            format!("{id} {}", rest.find("</script>").unwrap())
        })
        .collect();
    format!("{} bytes, {sizes:?}: {notes}", file.len())
}
