//! Mutated messages and odd HTTP requests, the same ones each time: nothing panics, nothing is answered with a 5xx, memory
//! stays bounded, and the run beside them is exact. `GREYLAG_FUZZ_FRAMES=1000000` sends more.

use std::time::Duration;

use greylag_infra::protocol::{
    AgentEnd, Endpoint, HeldRun, LogLine, SampleData, SampleKind, Snapshot, ToCoordinator,
    UserChange, WorkerState, encode,
};
use greylag_infra::{RunTime, WallTime};
use greylag_reporting::Interval;
use greylag_tests::{AgentSocket, Cluster, Nginx, ProcessId, heavy, hello};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{RUN_TIMEOUT, assert_equal_to_log, greylag, test};

/// Messages and requests unless the environment says otherwise.
const FRAMES: u64 = 4_000;
/// Those that go over one connection at most.
const PER_CONNECTION: u64 = 8;
/// Connections at a time.
const AT_A_TIME: u64 = 6;
/// How much the coordinator's memory may grow: its bounds for messages and scenarios, and the run.
const MAX_GROWTH: u64 = 200 << 20;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

fn frames() -> u64 {
    let given = std::env::var("GREYLAG_FUZZ_FRAMES").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(FRAMES)
}

/// Messages that are well-formed; what they say of the run is a stranger's word.
fn messages(run_id: &str) -> Vec<Vec<u8>> {
    let mut interval = Interval::default();
    for ms in 1..60 {
        let error = (ms % 7 == 0).then_some("500 Internal Server Error");
        interval.record(Duration::from_millis(ms), None, 100, error);
    }
    let snapshot = Snapshot {
        run_id: run_id.into(),
        seq: 1,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/forged".into(),
        }],
        intervals: vec![interval.to_wire(1, 0), interval.to_wire(2, 0)],
        user_changes: vec![UserChange {
            second: 1,
            started: 3,
            ..UserChange::default()
        }],
        samples: vec![SampleData {
            endpoint: 0,
            at_us: 1_500_000,
            response_us: 900,
            failed: false,
            kind: SampleKind::default(),
            ..SampleData::default()
        }],
        log: vec![LogLine {
            at: WallTime::from_micros(1),
            source: "agent".into(),
            text: "a line".into(),
        }],
        workers: vec![WorkerState {
            index: 0,
            pid: 1,
            users: 3,
            running: true,
        }],
        end: Some(AgentEnd {
            requests: 118,
            failures: 16,
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    };
    let held = HeldRun {
        run_id: run_id.into(),
        run_time: Some(RunTime::MAX),
        ..HeldRun::default()
    };
    [
        ToCoordinator::Hello(hello("fuzz", "fuzz")),
        ToCoordinator::Ping {
            sent_at: WallTime::MAX,
            runs: vec![held],
        },
        ToCoordinator::Ready {
            run_id: run_id.into(),
            shape: None,
            set_up_data: Some(vec![1; 100].into()),
        },
        ToCoordinator::Snapshot(Box::new(snapshot)),
    ]
    .iter()
    .map(encode)
    .collect()
}

/// Requests that are well-formed; none of them starts or stops anything.
fn requests(run_id: &str) -> Vec<Vec<u8>> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let post = |path: &str, kind: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let test = r#"{"host": "http://127.0.0.1:1", "users": 3, "infrastructure": "nowhere", "declared": {"requests": []}}"#;
    [
        get("/"),
        get(&format!("/runs/{run_id}")),
        get(&format!("/api/v1/runs/{run_id}/summary")),
        get(&format!("/api/v1/runs/{run_id}/log/lines?after=3&limit=9")),
        get(&format!("/api/v1/runs/{run_id}/csv/stats_history")),
        get("/api/v1/runs?test=x&limit=5&offset=7"),
        get("/api/v1/infrastructures"),
        get("/assets/none"),
        get("/api/v1/agents/socket"),
        post("/api/v1/runs", "application/json", test),
        post(
            "/api/v1/runs/none00000000/users",
            "application/json",
            r#"{"users": 5}"#,
        ),
        post(
            "/runs",
            "application/x-www-form-urlencoded",
            "host=http%3A%2F%2F127.0.0.1%3A1&users=3&infrastructure=nowhere",
        ),
        post(
            "/login",
            "application/x-www-form-urlencoded",
            "token=x&next=%2F",
        ),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Changes some bytes: flipped, cut off, doubled, or made what lengths and numbers begin with.
fn mutate(random: &mut SmallRng, bytes: &[u8], markers: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = markers[random.random_range(0..markers.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.random()),
            4 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + random.random_range(1..200)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

/// One connection as an agent's: messages until one is too much.
async fn send_messages(url: &str, seed: u64, messages: &[Vec<u8>]) {
    /// What lists, maps, texts and numbers of MessagePack begin with.
    const MARKERS: [u8; 12] = [
        0xc0, 0xc4, 0xc6, 0xca, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xdf, 0x80, 0xff,
    ];
    let mut random = SmallRng::seed_from_u64(seed);
    let Ok(mut socket) = AgentSocket::connect(url, &[]).await else {
        return;
    };
    let name = format!("fuzz-{}", seed % 50);
    socket
        .send(&ToCoordinator::Hello(hello(&name, "fuzz")))
        .await;
    for _ in 0..PER_CONNECTION {
        let message = &messages[random.random_range(0..messages.len())];
        let mutated = mutate(&mut random, message, &MARKERS);
        socket.send_frame(Message::Binary(mutated.into())).await;
    }
}

/// One connection of a browser or program gone wrong.
async fn send_requests(address: &str, seed: u64, requests: &[Vec<u8>]) {
    const MARKERS: [u8; 8] = *b"\r\n\0 %/\xff:";
    let mut random = SmallRng::seed_from_u64(seed);
    for _ in 0..PER_CONNECTION {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            continue;
        };
        let request = &requests[random.random_range(0..requests.len())];
        let mutated = mutate(&mut random, request, &MARKERS);
        // The server may have hung up already.
        let _ = stream.write_all(&mutated).await;
        let _ = stream.shutdown().await;
        let mut answer = [0; 64];
        if let Ok(Ok(count)) = timeout(PATIENCE, stream.read(&mut answer)).await {
            let answer = String::from_utf8_lossy(&answer[..count]);
            let sent = String::from_utf8_lossy(&mutated);
            assert!(!answer.starts_with("HTTP/1.1 5"), "{answer} to {sent:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_messages_and_requests_do_no_harm() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url().to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let process = ProcessId::of(cluster.coordinator().pid()).expect("it runs");
    let before = process.resident_bytes();
    let duration = (10 + frames() / 2_000).min(600);
    let load = test(&nginx.url(), "lab", json!({ "duration": duration }));
    let id = cluster.api().start(&load).await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;

    let (messages, requests) = (messages(&id), requests(&id));
    let mut seed = 0;
    while seed * PER_CONNECTION < frames() {
        let round = (0..AT_A_TIME).map(|number| {
            let (seed, url, address) = (seed + number, url.as_str(), address.as_str());
            let (messages, requests) = (&messages, &requests);
            async move {
                match seed % 2 {
                    0 => send_messages(url, seed, messages).await,
                    _ => send_requests(address, seed, requests).await,
                }
            }
        });
        futures_util::future::join_all(round).await;
        seed += AT_A_TIME;
    }
    let growth = process.resident_bytes().saturating_sub(before);
    println!(
        "{} messages and requests, grown by {} MiB",
        seed * PER_CONNECTION,
        growth >> 20
    );
    assert!(growth < MAX_GROWTH, "grown by {} MiB", growth >> 20);

    let time = RUN_TIMEOUT + Duration::from_secs(duration);
    cluster.api().wait_for_status(&id, "Finished", time).await;
    let output = cluster.coordinator().output();
    assert!(!output.contains("panicked"), "{output}");
    assert!(output.contains("malformed"), "some were refused");
    let log = nginx.finish().await;
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
}
