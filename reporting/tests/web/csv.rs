//! CSV files: Locust's columns and forms of numbers, and our own; our sums.

use std::time::Duration;

use axum::http::{StatusCode, header};
use greylag_infra::ProcessHealth;
use greylag_infra::protocol::{Endpoint, SampleData, Snapshot, UserChange};
use greylag_reporting::{Interval, NEXT_SECOND_HEADER};

use crate::site::{AGENT, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";
/// Lines that Locust 2.47 wrote.
const LOCUST_STATS: &str = "GET,/api/order,39,39,2,3.551113230762381,0.3437909999775002,31.587300999945,4.0,4.871991960482439,4.871991960482439,2,3,4,5,8,15,32,32,32,32,32";
const LOCUST_HISTORY: &str = "1795326513,8,GET,/,6.166667,0.000000,2,2,3,3,5,6,8,26,26,26,26,66,0,2,2.900424772728153,1.2147500000310174,26.17975500004377,11.0";
const STATS_HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";
const HISTORY_HEADER: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size";

async fn csv(site: &Site, file: &str) -> String {
    let answer = site.get(&format!("/api/v1/runs/{RUN}/csv/{file}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "text/csv; charset=utf-8"
    );
    let name = file.split('?').next().unwrap_or(file);
    assert_eq!(
        answer.header(header::CONTENT_DISPOSITION),
        format!("attachment; filename=\"greylag-run-1-{RUN}_{name}.csv\"")
    );
    assert!(answer.body.ends_with("\r\n"));
    answer.body
}

/// What a field is to whoever reads the file.
fn kind(field: &str) -> &'static str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match field.split_once('.') {
        Some((whole, fraction)) if digits(whole) && digits(fraction) => "float",
        None if digits(field) => "integer",
        _ => "text",
    }
}

fn kinds(line: &str) -> Vec<&'static str> {
    line.split(',').map(kind).collect()
}

#[tokio::test]
async fn stats_are_as_locust_writes_them() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    let body = csv(&site, "stats").await;
    let lines: Vec<&str> = body.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], STATS_HEADER);
    // 40 of 10 ms and 100 bytes, 10 failed ones of 30 ms without any, in 10 s
    let numbers = "50,10,10,14.0,10.0,30.0,80.0,5.0,1.0,10,10,10,30,30,30,30,30,30,30,30";
    assert_eq!(lines[1], format!("GET,/cart,{numbers}"));
    assert_eq!(lines[2], format!(",Aggregated,{numbers}"));
    assert_eq!(kinds(lines[1]), kinds(LOCUST_STATS));
}

#[tokio::test]
async fn the_history_has_a_row_per_second() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    let body = csv(&site, "stats_history").await;
    let lines: Vec<&str> = body.split_terminator("\r\n").collect();
    assert_eq!(lines[0], HISTORY_HEADER);
    assert_eq!(lines.len(), 11);
    let percentiles = "10,10,10,30,30,30,30,30,30,30,30";
    // run time zero is 1795413905; each row says how it stands when its second is over
    assert_eq!(
        lines[1],
        format!(
            "1795413906,1,,Aggregated,5.000000,1.000000,{percentiles},5,1,10,14.0,10.0,30.0,80.0"
        )
    );
    assert_eq!(
        lines[10],
        format!(
            "1795413915,0,,Aggregated,5.000000,1.000000,{percentiles},50,10,10,14.0,10.0,30.0,80.0"
        )
    );

    let full = csv(&site, "stats_history?full=1").await;
    let full: Vec<&str> = full.split_terminator("\r\n").collect();
    assert_eq!(full.len(), 21);
    assert_eq!(full[2], lines[1]);
    assert_eq!(full[1], lines[1].replace(",,Aggregated,", ",GET,/cart,"));
    assert_eq!(kinds(full[1]), kinds(LOCUST_HISTORY));
}

#[tokio::test]
async fn a_history_goes_on_over_its_pieces_and_says_what_is_recent() {
    let site = Site::start(None).await;
    let mut record = site
        .finished_run("other0000000", load_test("other"), "/", "x")
        .await;
    record.id = RUN.into();
    record.test = load_test("checkout");
    record.test.duration_s = 600;
    record.phase = greylag_infra::RunPhase::Running;
    record.ended_at = None;
    record.agents[0].end = None;
    let store = site.coordinator.store();
    store.create_run(record).await.expect("kept");
    let endpoint = |name: &str| Endpoint {
        method: "GET".into(),
        name: name.into(),
    };
    let mut snapshot = Snapshot {
        run_id: RUN.into(),
        seq: 1,
        endpoints: vec![endpoint("/b"), endpoint("/a")],
        user_changes: vec![
            UserChange {
                second: 0,
                started: 3,
                ..UserChange::default()
            },
            UserChange {
                second: 100,
                stopped: 1,
                ..UserChange::default()
            },
        ],
        ..Snapshot::default()
    };
    // /b in each of the first 20 seconds 1 ms, /a from second 130 on 100 ms
    for (endpoint, seconds, ms) in [(0, 0..20, 1), (1, 130..150, 100)] {
        for second in seconds {
            let mut interval = Interval::default();
            interval.record(Duration::from_millis(ms), None, 7, None);
            snapshot.intervals.push(interval.to_wire(second, endpoint));
        }
    }
    store
        .save_snapshot(&RUN.into(), &AGENT.into(), snapshot)
        .await
        .expect("saved");

    let history = csv(&site, "stats_history").await;
    let rows: Vec<Vec<&str>> = history
        .split_terminator("\r\n")
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 150);
    let of = |rows: &[Vec<&str>], second: usize, columns: &[usize]| -> Vec<String> {
        columns
            .iter()
            .map(|at| rows[second][*at].to_owned())
            .collect()
    };
    for (second, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (1_795_413_906 + second).to_string());
        assert_eq!(row[1], if second < 100 { "3" } else { "2" });
    }
    // requests/s over the last ten seconds, total requests, median of the whole run
    assert_eq!(of(&rows, 4, &[4, 17, 6]), ["1.000000", "5", "1"]);
    assert_eq!(of(&rows, 24, &[4, 17, 6]), ["0.500000", "20", "1"]);
    assert_eq!(of(&rows, 60, &[4, 17, 6]), ["0.000000", "20", "1"]);
    assert_eq!(of(&rows, 134, &[4, 17, 16]), ["0.500000", "25", "100"]);

    // in parts, as the command line asks for it while the run is active: but for the last seconds the same
    for full in ["", "full=1"] {
        let whole = csv(&site, &format!("stats_history?{full}")).await;
        let (mut parts, mut from) = (String::new(), 0);
        for to in [7, 90, 131, 145] {
            let path = format!("/api/v1/runs/{RUN}/csv/stats_history?{full}&from={from}");
            let part = site.get(&path).await;
            assert_eq!(part.headers[NEXT_SECOND_HEADER], "145", "{part:?}");
            let last = 1_795_413_905 + to;
            let lines = part.body.split_inclusive("\r\n");
            parts.extend(lines.take_while(|line| {
                let second = line.split(',').next().and_then(|first| first.parse().ok());
                second.is_none_or(|second: u32| second <= last)
            }));
            from = to;
        }
        assert!(parts.lines().count() > 145 && whole.starts_with(&parts));
        assert_eq!(whole[parts.len()..].matches("Aggregated").count(), 5);
    }
    let wrong = site
        .get(&format!("/api/v1/runs/{RUN}/csv/stats_history?from=x"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    let full = csv(&site, "stats_history?full=1").await;
    let rows: Vec<Vec<&str>> = full
        .split_terminator("\r\n")
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    // /a has rows only from its first second on, before /b, as the table sorts them
    assert_eq!(rows.len(), 2 * 130 + 3 * 20);
    let last = &rows[rows.len() - 3..];
    assert_eq!(
        [last[0][3], last[1][3], last[2][3]],
        ["/a", "/b", "Aggregated"]
    );
    // percentiles of the last ten seconds; /b had nothing in them
    assert_eq!([last[0][6], last[1][6], last[2][6]], ["100", "N/A", "100"]);
    assert_eq!([last[0][17], last[1][17], last[2][17]], ["20", "20", "40"]);
    // the whole run's median
    assert_eq!(last[2][19], "100");
}

#[tokio::test]
async fn failures_and_exceptions_keep_their_texts() {
    let site = Site::start(None).await;
    let error = "=1+1, \"quoted\"\nsecond line";
    site.finished_run(RUN, load_test("checkout"), "/cart", error)
        .await;
    assert_eq!(
        csv(&site, "failures").await.replace("\nsecond", " second"),
        "Method,Name,Error,Occurrences,First Seen,Last Seen\r\n\
         GET,/cart,\"=1+1, \"\"quoted\"\" second line\",10,2026-11-23T06:05:05Z,2026-11-23T06:05:14Z\r\n"
    );
    assert_eq!(
        csv(&site, "exceptions").await,
        "Count,Message,Traceback,Nodes\r\n"
    );
}

#[tokio::test]
async fn errors_of_tasks_are_exceptions() {
    let site = Site::start(None).await;
    let mut record = site
        .finished_run("other0000000", load_test("other"), "/", "x")
        .await;
    record.id = RUN.into();
    record.test = load_test("checkout");
    record.phase = greylag_infra::RunPhase::Running;
    record.agents[0].end = None;
    let store = site.coordinator.store();
    store.create_run(record).await.expect("kept");
    let mut interval = Interval::default();
    interval.record_error("panicked: oh (src/main.rs:42)", 3);
    interval.record_error("took longer than 5 s (of 5 s)", 1);
    let snapshot = Snapshot {
        run_id: RUN.into(),
        seq: 1,
        endpoints: vec![Endpoint {
            method: "TASK".into(),
            name: "Shopper.browse".into(),
        }],
        intervals: vec![interval.to_wire(1, 0)],
        ..Snapshot::default()
    };
    store
        .save_snapshot(&RUN.into(), &AGENT.into(), snapshot)
        .await
        .expect("saved");
    assert_eq!(
        csv(&site, "exceptions").await,
        format!(
            "Count,Message,Traceback,Nodes\r\n\
             3,panicked: oh,src/main.rs:42 in Shopper.browse,{AGENT}\r\n\
             1,took longer than 5 s (of 5 s),in Shopper.browse,{AGENT}\r\n"
        )
    );
    assert_eq!(csv(&site, "failures").await.lines().count(), 1);
    let stats = csv(&site, "stats").await;
    assert_eq!(
        stats.lines().nth(1),
        Some(
            ",Aggregated,0,0,0,0.0,0.0,0.0,0.0,0.0,0.0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A"
        )
    );
}

#[tokio::test]
async fn what_does_not_exist_has_its_message() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    for (path, words) in [
        (
            format!("/api/v1/runs/{RUN}/csv/requests"),
            "available: stats, failures",
        ),
        (
            "/api/v1/runs/nosuchrun/csv/stats".to_owned(),
            "run `nosuchrun` was not found",
        ),
    ] {
        let answer = site.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.error_message().contains(words), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn seconds_that_are_left_out_have_no_line_and_lower_no_rate() {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/cart", "500");
    results.health = vec![ProcessHealth {
        second: 3,
        worker: Some(0),
        core_pm: Some(950),
        ..ProcessHealth::default()
    }];
    site.running_run(RUN, load_test("checkout"), results).await;
    let rest = csv(&site, "stats_history?saturated=leave-out").await;
    let lines = rest.split_terminator("\r\n").skip(1);
    let seconds: Vec<u64> = lines
        .clone()
        .map(|line| {
            line.split(',')
                .next()
                .and_then(|text| text.parse().ok())
                .expect("a time")
        })
        .collect();
    let all = (0..10).filter(|second| *second != 3);
    let expected: Vec<u64> = all.map(|second| 1_795_413_905 + second + 1).collect();
    assert_eq!(seconds, expected);
    for line in lines {
        assert_eq!(line.split(',').nth(4), Some("5.000000"), "{line}");
    }
}

const SERIES_HEADER: &str = "second,at,method,name,users,requests,failures,requests_per_s,failures_per_s,bytes,avg_ms,min_ms,max_ms,p50_ms,p75_ms,p90_ms,p95_ms,p98_ms,p99_ms,p999_ms,p9999_ms";

#[tokio::test]
async fn a_series_has_each_second_by_itself() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    let body = csv(&site, "series").await;
    let lines: Vec<&str> = body.split_terminator("\r\n").collect();
    assert_eq!(lines[0], SERIES_HEADER);
    assert_eq!(lines.len(), 21);
    // 4 of 10 ms and 100 bytes, a failed one of 30 ms; users as they are when the second is over
    let numbers = "5,1,5.0,1.0,400,14.0,10.0,30.0,10.004,10.004,30.0,30.0,30.0,30.0,30.0,30.0";
    assert_eq!(
        lines[1],
        format!("0,2026-11-23T06:05:05Z,,Aggregated,1,{numbers}")
    );
    assert_eq!(
        lines[2],
        format!("0,2026-11-23T06:05:05Z,GET,/cart,1,{numbers}")
    );
    assert!(lines[20].starts_with("9,2026-11-23T06:05:14Z,GET,/cart,0,5,1,"));

    let part = csv(&site, "series?from=3&to=5").await;
    let part: Vec<&str> = part.split_terminator("\r\n").collect();
    assert_eq!(part.len(), 5, "{part:?}");
    assert!(part[1].starts_with("3,2026-11-23T06:05:08Z,,Aggregated,2,5,1,5.0,1.0,400,14.0,"));
}

#[tokio::test]
async fn kept_samples_have_the_columns_of_the_api_in_order_of_time() {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/cart, of \"you\"", "500");
    results.samples = (0..150)
        .map(|at| SampleData {
            endpoint: 0,
            // All in one second but for the last, more than a piece of the file behind it.
            at_us: if at == 149 { 130_000_000 } else { 500_000 + at },
            response_us: 1_000 + at,
            ..SampleData::default()
        })
        .collect();
    site.running_run(RUN, load_test("checkout"), results).await;
    let body = csv(&site, "samples").await;
    let mut lines = body.split_terminator("\r\n");
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let answer = site
        .get(&format!("/api/v1/runs/{RUN}/samples"))
        .await
        .json();
    let sample = answer["samples"][0].as_object().expect("a sample");
    let keys: Vec<&str> = sample.keys().map(String::as_str).collect();
    assert_eq!(
        header,
        [&keys[..], &["drawn_share", "failed_share"]].concat()
    );
    let lines: Vec<&str> = lines.collect();
    // Of one second 70 are drawn and the slowest one is kept, too.
    assert_eq!(lines.len(), 72, "{lines:?}");
    assert!(lines[0].starts_with("0.5"), "{}", lines[0]);
    assert!(
        lines[0].contains("Z,GET,\"/cart, of \"\"you\"\"\",1."),
        "{}",
        lines[0]
    );
    let share = |line: &str| -> f64 {
        let fields: Vec<&str> = line.rsplit(',').collect();
        fields[1].parse().expect("a number")
    };
    let of_second = share(lines[0]);
    assert!(of_second > 0.2 && of_second < 0.9, "{of_second}");
    assert!(lines[71].starts_with("130.0,"), "{}", lines[71]);
    assert_eq!(share(lines[71]), 1.0, "all of its second are there");

    let part = csv(&site, "samples?from=100").await;
    assert_eq!(part.split_terminator("\r\n").count(), 2);
}
