//! How many bytes a page costs: compressed, its assets once for ever.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use flate2::read::GzDecoder;
use futures_util::StreamExt;
use greylag_infra::protocol::{Endpoint, IntervalData, LogLine, SampleData, SampleKind, Snapshot};
use greylag_infra::{RunPhase, RunRecord, WallTime};
use greylag_reporting::Interval;
use tower::ServiceExt;

use crate::site::{AGENT, Site, load_test};

const RUN: &str = "abcdefabcdef";
/// Most bytes of a page that a browser sees for the first time, and of one that it loads again.
const FIRST_LOAD_BYTES: usize = 600_000;
const RELOAD_BYTES: usize = 60_000;

/// An answer as it is on the wire.
struct Transfer {
    headers: HeaderMap,
    bytes: usize,
    text: String,
}

async fn get(site: &Site, path: &str) -> Transfer {
    let request = Request::get(path)
        .header(header::HOST, "localhost:8089")
        .header(header::ACCEPT_ENCODING, "gzip, deflate, br, zstd")
        .body(Body::empty())
        .expect("a request");
    let answer = site
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("the router never fails");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let headers = answer.headers().clone();
    let body = to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("the answer can be read");
    let mut text = String::new();
    if headers.contains_key(header::CONTENT_ENCODING) {
        GzDecoder::new(&*body)
            .read_to_string(&mut text)
            .expect("gzip of a text");
    } else {
        text = String::from_utf8(body.to_vec()).expect("a text");
    }
    Transfer {
        headers,
        bytes: body.len(),
        text,
    }
}

/// The addresses that a page or a script names: assets of a page, modules that a module imports.
fn named(path: &str, text: &str) -> Vec<String> {
    let below = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    text.split('"')
        .filter_map(|part| {
            if part.starts_with("/assets/") {
                return Some(part.to_owned());
            }
            let relative = part
                .strip_prefix("./")
                .map(|rest| format!("{below}/{rest}"));
            let outer = || {
                let rest = part.strip_prefix("../")?;
                Some(format!("{}/{rest}", below.rsplit_once('/')?.0))
            };
            relative.or_else(outer).filter(|path| path.ends_with(".js"))
        })
        .collect()
}

#[tokio::test]
async fn a_page_is_loaded_once_for_ever_but_for_its_text() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    for path in ["/".to_owned(), format!("/runs/{RUN}")] {
        let page = get(&site, &path).await;
        assert_eq!(page.headers[header::CONTENT_ENCODING], "gzip", "{path}");
        assert!(page.bytes < RELOAD_BYTES, "{path}: {} bytes", page.bytes);
        let mut wanted = named(&path, &page.text);
        let mut seen = BTreeSet::new();
        let mut bytes = page.bytes;
        while let Some(asset) = wanted.pop() {
            if !seen.insert(asset.clone()) {
                continue;
            }
            let transfer = get(&site, &asset).await;
            assert_eq!(
                transfer.headers[header::CACHE_CONTROL],
                "public, max-age=31536000, immutable",
                "{asset}"
            );
            bytes += transfer.bytes;
            if asset.ends_with(".js") && !asset.contains("/vendor/") {
                wanted.extend(named(&asset, &transfer.text));
            }
        }
        assert!(seen.len() > 10, "the page's assets were found: {seen:?}");
        assert!(bytes < FIRST_LOAD_BYTES, "{path}: {bytes} bytes");
    }
}

/// An active run, ten minutes old, with as many dots as a plot has, five endpoints and some log lines.
async fn long_run(site: &Site) -> RunRecord {
    let other = site
        .finished_run("other0000000", load_test("other"), "/", "x")
        .await;
    let mut record = RunRecord {
        id: RUN.into(),
        test: load_test("checkout"),
        phase: RunPhase::Running,
        ended_at: None,
        ..other
    };
    record.agents[0].end = None;
    let store = site.coordinator.store();
    let record = store.create_run(record).await.expect("kept");
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for seq in 1..=60_u64 {
        let mut snapshot = Snapshot {
            run_id: RUN.into(),
            seq,
            ..Snapshot::default()
        };
        snapshot.endpoints = (0..5)
            .map(|number| Endpoint {
                method: "GET".into(),
                name: format!("/endpoint/{number}"),
            })
            .collect();
        let mut intervals: Vec<IntervalData> = Vec::new();
        for second in (seq - 1) * 10..seq * 10 {
            for endpoint in 0..5 {
                let mut interval = Interval::default();
                for _ in 0..20 {
                    let response_us = 1_000 + next(1_000) * next(100);
                    let failed = next(15) == 0;
                    let error = failed.then_some("500 Server Error");
                    let response = Duration::from_micros(response_us);
                    interval.record(response, None, 100, error);
                    snapshot.samples.push(SampleData {
                        endpoint,
                        at_us: second * 1_000_000 + next(1_000_000),
                        response_us,
                        failed,
                        kind: SampleKind::Drawn,
                        ..SampleData::default()
                    });
                }
                intervals.push(interval.to_wire(second as u32, endpoint));
            }
        }
        snapshot.intervals = intervals;
        snapshot.log = vec![LogLine {
            at: WallTime::from_micros(1_795_413_906_000_000 + seq * 10_000_000),
            source: format!("{AGENT}/worker-0"),
            text: format!("line {} of the run's log, seen at {}", seq, next(1_000_000)),
        }];
        store
            .save_snapshot(&RUN.into(), &AGENT.into(), snapshot)
            .await
            .expect("saved");
    }
    record
}

/// The first events of a stream, as they are on the wire: all that come within a moment.
async fn first_events(site: &Site) -> usize {
    let request = Request::get(format!("/api/v1/events?runs={RUN}"))
        .header(header::HOST, "localhost:8089")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .expect("a request");
    let answer = site
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("the router never fails");
    let mut body = answer.into_body().into_data_stream();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    let mut bytes = 0;
    while !decoder.get_ref().ends_with(b"\n\n") {
        let piece = body.next().await.expect("an event").expect("a piece");
        bytes += piece.len();
        std::io::Write::write_all(&mut decoder, &piece).expect("gzip");
        std::io::Write::flush(&mut decoder).expect("gzip");
    }
    let text = String::from_utf8(decoder.get_ref().clone()).expect("UTF-8");
    assert!(text.starts_with("event: run\n"), "{:.100}", text);
    let dots = text.matches(',').count();
    assert!(dots > 10_000, "thousands of dots are in it");
    bytes
}

#[tokio::test]
async fn a_long_run_is_loaded_again_with_few_bytes() {
    let site = Site::start(None).await;
    let record = long_run(&site).await;
    let path = format!("/runs/{RUN}");
    let page = get(&site, &path).await.bytes;
    let events = first_events(&site).await;
    assert!(page + events < RELOAD_BYTES, "{page} and {events} bytes");

    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(WallTime::from_micros(1_795_413_905_000_000 + 600_000_000)),
        ..record
    };
    let store = site.coordinator.store();
    store.update_run(&over).await.expect("updated");
    let page = get(&site, &path).await;
    assert!(page.text.contains("\"at_ms\":["), "its data is in the page");
    assert!(page.bytes < RELOAD_BYTES, "{} bytes", page.bytes);
}

#[tokio::test]
async fn dots_are_in_proportion_and_as_dense_at_the_end_as_before() {
    let site = Site::start(None).await;
    let record = long_run(&site).await;
    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(WallTime::from_micros(1_795_413_905_000_000 + 600_000_000)),
        ..record
    };
    let store = site.coordinator.store();
    store.update_run(&over).await.expect("updated");
    let page = get(&site, &format!("/runs/{RUN}")).await.text;
    let json = page
        .split_once("id=\"initial\">")
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map(|(json, _)| json)
        .expect("the page has its data");
    let data: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    let dots = &data["delta"]["dots"];
    let numbers = |name: &str| -> Vec<i64> {
        serde_json::from_value(dots[name].clone()).expect("a column of numbers")
    };
    let (kinds, mut at_ms) = (numbers("kind"), numbers("at_ms"));
    for dot in 1..at_ms.len() {
        at_ms[dot] += at_ms[dot - 1];
    }
    let all = kinds.len() as f64;
    assert!((2_000.0..4_100.0).contains(&all), "{all} dots");
    // One request in 15 fails, all seconds have as many requests; four deviations either way.
    let failed = kinds
        .iter()
        .filter(|kind| [1, 2, 4].contains(*kind))
        .count() as f64;
    assert!(
        (failed / all - 1.0 / 15.0).abs() < 0.022,
        "{failed} of {all} failed"
    );
    let last = at_ms.iter().filter(|at| **at >= 570_000).count() as f64;
    assert!(
        (last / all - 0.05).abs() < 0.02,
        "{last} of {all} in the last half minute"
    );
    // What the legend says is what was done.
    let share = dots["drawn_share"].as_f64().expect("a share");
    assert!(
        (share * 60_000.0 / all - 1.0).abs() < 0.1,
        "{share} of 60,000"
    );
}
