//! Agents that send as much as they can: they are slowed down or cut off, and neither the others nor the coordinator's
//! memory suffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greylag_infra::protocol::{
    AgentEnd, Endpoint, IntervalData, LogLine, MAX_MESSAGE_BYTES, Snapshot, ToAgent, ToCoordinator,
    encode,
};
use greylag_infra::{RunId, RunTime, WallTime};
use greylag_reporting::Interval;
use greylag_reporting::coordinator::MAX_RECEIVED_BYTES;
use greylag_tests::wait::until_true;
use greylag_tests::{AgentSocket, Cluster, Heard, ProcessId, alone, hello};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::support::{RUN_TIMEOUT, greylag, test};

/// How many snapshots the agent sends that does not flood, and how often.
const SNAPSHOTS: u64 = 15;
const EVERY: Duration = Duration::from_millis(200);
/// How many snapshots the flood of results consists of, whose numbers are known when they come again.
const DIFFERENT: u64 = 4;
/// How much the coordinator's memory may grow beside what may be received: 64 MiB for what waits for the writer, 16 MiB of what
/// has been checked, what each thread reads meanwhile, the buffers of each connection, and what the allocator keeps. The
/// crowd makes it about 130 MiB while the disk is fast; without the bound of what is received it makes the whole about 500.
const MARGIN: u64 = 256 << 20;
const MAX_GROWTH: u64 = MAX_RECEIVED_BYTES as u64 + MARGIN;
/// How many connections the crowd has: one message of each is more than the memory may grow by.
const CROWD: u64 = 60;
/// How many messages they send in all. What is sent of the first ones may wait in the operating system.
const CROWD_SENDS: u64 = CROWD * 6 / 5;
/// How long that may take: they are slowed down to about half a minute.
const CROWD_TIMEOUT: Duration = Duration::from_secs(300);
/// How much of one connection is read per second; what may come faster, with the message that goes beyond it; and what the
/// operating systems at both ends of a connection may hold.
const READ_PER_SECOND: u64 = 4 << 20;
const READ_AT_ONCE: u64 = 16 << 20;
const UNREAD: u64 = 16 << 20;

/// An agent that sends as fast as the coordinator takes it.
struct Flood {
    name: &'static str,
    begun: Instant,
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Flood {
    /// Sends these snapshots, and then again and again.
    fn begin(name: &'static str, mut socket: AgentSocket, snapshots: Vec<Snapshot>) -> Self {
        let sent = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&sent);
        let frames: Vec<Bytes> = snapshots.into_iter().map(frame).collect();
        let task = tokio::spawn(async move {
            for frame in frames.iter().cycle() {
                let bytes = frame.len();
                assert!(bytes < MAX_MESSAGE_BYTES, "{bytes}");
                let sent = socket.try_send(frame.clone()).await;
                sent.expect("the connection stays");
                counted.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        });
        Self {
            name,
            begun: Instant::now(),
            sent,
            task,
        }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// It was slowed down, and not cut off. A slow machine makes no difference: it sends less in more time.
    fn end(self) {
        let sent = self.sent();
        let lasted = self.begun.elapsed();
        let may = READ_PER_SECOND as f64 * lasted.as_secs_f64();
        let may = may as u64 + READ_AT_ONCE + UNREAD;
        println!("{}: {} MiB in {lasted:?}", self.name, sent >> 20);
        assert!(
            sent < may,
            "{}: {} MiB in {lasted:?}",
            self.name,
            sent >> 20
        );
        assert!(!self.task.is_finished(), "{} was cut off", self.name);
        self.task.abort();
    }
}

/// What is quickly read and never saved: lines of the console log for a run that is not there.
fn snapshot_of_no_run() -> Snapshot {
    let line = LogLine {
        at: WallTime::from_micros(1),
        source: "agent".to_owned(),
        text: "x".repeat(4_000),
    };
    Snapshot {
        run_id: "0".into(),
        seq: 1,
        log: vec![line; 1_900],
        ..Snapshot::default()
    }
}

/// A snapshot of nearly the largest size: many seconds of many endpoints with wide histograms.
fn large_snapshot(run_id: &RunId, seq: u64) -> Snapshot {
    const SECONDS: u32 = 10;
    const ENDPOINTS: u32 = 560;
    let mut interval = Interval::default();
    for step in 0..600_u64 {
        let time = Duration::from_micros(1_000 + step * step * 37);
        interval.record(time, Some(time), 100, None);
    }
    let one = interval.to_wire(0, 0);
    let all = (0..SECONDS).flat_map(|second| (0..ENDPOINTS).map(move |at| (second, at)));
    Snapshot {
        run_id: run_id.clone(),
        seq,
        endpoints: (0..ENDPOINTS)
            .map(|at| Endpoint {
                method: "GET".to_owned(),
                name: format!("/{at}"),
            })
            .collect(),
        intervals: all
            .map(|(second, endpoint)| IntervalData {
                second,
                endpoint,
                ..one.clone()
            })
            .collect(),
        ..Snapshot::default()
    }
}

fn small_snapshot(run_id: &RunId, seq: u64) -> Snapshot {
    let mut interval = Interval::default();
    interval.record(Duration::from_millis(5), None, 100, None);
    Snapshot {
        run_id: run_id.clone(),
        seq,
        endpoints: vec![Endpoint {
            method: "GET".to_owned(),
            name: "/good".to_owned(),
        }],
        intervals: vec![interval.to_wire(0, 0)],
        ..Snapshot::default()
    }
}

fn frame(snapshot: Snapshot) -> Bytes {
    encode(&ToCoordinator::Snapshot(Box::new(snapshot))).into()
}

async fn join(url: &str, name: &str) -> AgentSocket {
    let mut socket = AgentSocket::connect(url, &[]).await.expect("it is open");
    socket
        .send(&ToCoordinator::Hello(hello(name, "crowd")))
        .await;
    let heard = socket.hear().await;
    assert!(
        matches!(heard, Heard::Message(ToAgent::Welcome(_))),
        "{heard:?}"
    );
    socket
}

/// Takes part in the run that begins.
async fn get_ready(socket: &mut AgentSocket) -> RunId {
    let Heard::Message(ToAgent::Prepare(prepare)) = socket.hear().await else {
        panic!("it should be asked to prepare");
    };
    socket
        .send(&ToCoordinator::Ready {
            run_id: prepare.run_id.clone(),
            shape: None,
            set_up_data: None,
        })
        .await;
    prepare.run_id
}

async fn until_acknowledged(socket: &mut AgentSocket, number: u64) {
    let acknowledged = async {
        loop {
            match socket.hear().await {
                Heard::Message(ToAgent::Ack { seq, .. }) if seq == number => return,
                Heard::Message(_) => {}
                Heard::Closed => panic!("the connection should stay"),
            }
        }
    };
    tokio::time::timeout(RUN_TIMEOUT, acknowledged)
        .await
        .unwrap_or_else(|_| panic!("snapshot {number} should be acknowledged"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_flood_are_slowed_down_and_hold_up_no_other() {
    let _turn = alone().await;
    let cluster = Cluster::start(&greylag()).await;
    let url = cluster.api().url().to_owned();
    let mut floods = join(&url, "floods").await;
    let mut good = join(&url, "good").await;
    let id = cluster
        .api()
        .start(&test(
            "http://127.0.0.1:9",
            "crowd",
            json!({ "duration": 600 }),
        ))
        .await;
    let run_id = get_ready(&mut floods).await;
    assert_eq!(run_id.as_str(), id);
    get_ready(&mut good).await;

    let saved = (1..=DIFFERENT).map(|seq| large_snapshot(&run_id, seq));
    let results = Flood::begin("results", floods, saved.collect());
    let other = join(&url, "other").await;
    let no_run = Flood::begin("no run", other, vec![snapshot_of_no_run()]);
    // Another one sends what is larger than any message may be, as often as it gets a connection.
    let too_large = Bytes::from(vec![0xc0; 10 << 20]);
    let refused_at = url.clone();
    let oversized = tokio::spawn(async move {
        loop {
            let mut socket = join(&refused_at, "oversized").await;
            socket.send_frame(Message::Binary(too_large.clone())).await;
            socket.wait_until_closed().await;
        }
    });
    for flood in [&results, &no_run] {
        until_true("the floods to begin", RUN_TIMEOUT, || flood.sent() > 0).await;
    }

    let mut slowest = Duration::ZERO;
    for seq in 1..=SNAPSHOTS {
        let begun = Instant::now();
        let snapshot = frame(small_snapshot(&run_id, seq));
        good.send_frame(Message::Binary(snapshot)).await;
        until_acknowledged(&mut good, seq).await;
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(EVERY).await;
    }
    let end = AgentEnd {
        requests: SNAPSHOTS,
        ended_at: RunTime::of_second(1),
        ..AgentEnd::default()
    };
    let last = Snapshot {
        run_id,
        seq: SNAPSHOTS + 1,
        end: Some(end),
        ..Snapshot::default()
    };
    good.send_frame(Message::Binary(frame(last))).await;
    until_acknowledged(&mut good, SNAPSHOTS + 1).await;
    println!("acknowledged within {slowest:?}");
    results.end();
    no_run.end();
    assert!(!oversized.is_finished(), "it is refused time and again");
    oversized.abort();

    let path = format!("/api/v1/runs/{id}/summary?endpoint=GET%20/good");
    let summary = cluster.api().get(&path).await.json();
    assert_eq!(summary["totals"]["requests"], SNAPSHOTS, "{summary}");
}

/// One of many that send as much as they can. Those that are cut off come again.
async fn send_for_ever(url: String, number: u64, message: Bytes, sent: Arc<AtomicU64>) {
    for time in 0.. {
        let mut socket = join(&url, &format!("crowd-{number}-{time}")).await;
        while socket.try_send(message.clone()).await.is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Each of them is slowed down, and has one message in memory; what they have together must be bounded, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_floods_takes_bounded_memory() {
    let _turn = alone().await;
    let mut cluster = Cluster::start(&greylag()).await;
    let url = cluster.api().url().to_owned();
    let process = ProcessId::of(cluster.coordinator().pid()).expect("it runs");
    let before = process.resident_bytes();

    let message = frame(large_snapshot(&"0".into(), 1));
    let bytes = message.len() as u64;
    assert!(CROWD * bytes > MAX_GROWTH, "{bytes} are too few");
    let sent = Arc::<AtomicU64>::default();
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (message, sent) = (message.clone(), Arc::clone(&sent));
        crowd.spawn(send_for_ever(url.clone(), number, message, sent));
    }
    until_true("the crowd to send", CROWD_TIMEOUT, || {
        sent.load(Ordering::Relaxed) >= CROWD_SENDS
    })
    .await;
    let growth = process.peak_resident_bytes().saturating_sub(before);
    println!("grown by {} MiB", growth >> 20);
    assert!(growth < MAX_GROWTH, "grown by {} MiB", growth >> 20);
    // Another one still gets in.
    join(&url, "other").await;
}
