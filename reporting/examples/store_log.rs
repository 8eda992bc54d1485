//! How long it takes to save and to search a log of a million lines.
//!
//! `cargo run --release -p greylag-reporting --example store_log`

use std::time::Instant;

use greylag_infra::protocol::{LogLine, Snapshot};
use greylag_infra::{
    AgentId, BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord,
    WallTime,
};
use greylag_reporting::{LogFilter, LogLevel, LogOrder, LogPattern, LogRange, Scope, Store};

const LINES: u64 = 1_000_000;
const LINES_OF_A_SNAPSHOT: u64 = 1_000;
/// One line in so many holds what is rare.
const RARE: u64 = 333_333;
const RUN: &str = "r";

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(dir.path()).expect("a new store");
    create(&store).await;
    let began = Instant::now();
    for seq in 1..=LINES / LINES_OF_A_SNAPSHOT {
        let first = (seq - 1) * LINES_OF_A_SNAPSHOT;
        let snapshot = Snapshot {
            run_id: RUN.into(),
            seq,
            log: (first..first + LINES_OF_A_SNAPSHOT).map(line).collect(),
            ..Snapshot::default()
        };
        let (run, agent) = (RUN.into(), AgentId::from("a"));
        let saved = store.save_snapshot(&run, &agent, snapshot).await;
        saved.expect("it is saved");
    }
    println!(
        "{LINES} lines saved in {:.1} s",
        began.elapsed().as_secs_f64()
    );

    let text = |text: &str| LogPattern::text(text).expect("a text");
    let regex = |text: &str| LogPattern::regex(text).expect("a regular expression");
    for (what, pattern, level) in [
        ("the last lines", None, None),
        ("a text of every line", Some(text("basket")), None),
        ("a text of few lines", Some(text("RARE")), None),
        ("a text of none", Some(text("nothing like it")), None),
        (
            "a regular expression of few lines",
            Some(regex(r"rare \d+$")),
            None,
        ),
        (
            "an expensive one of none",
            Some(regex(r"(\w+\s){1,9}\d+x")),
            None,
        ),
        ("errors", None, Some(LogLevel::Error)),
    ] {
        let filter = LogFilter {
            pattern,
            level,
            ..LogFilter::of(Scope::default())
        };
        walk(&store, what, &filter).await;
    }
    let began = Instant::now();
    let position = store.log_position_at(&RUN.into(), 500.0).await;
    println!(
        "a moment: {:?} in {:?}",
        position.expect("a position"),
        began.elapsed()
    );
}

/// Pages back to the first line, or until there are 500 lines.
async fn walk(store: &Store, what: &str, filter: &LogFilter) {
    let mut range = LogRange {
        after: 0,
        before: None,
        order: LogOrder::Last,
        limit: 500,
    };
    let (began, mut longest, mut answers, mut lines) = (Instant::now(), 0.0_f64, 0, 0);
    loop {
        let asked = Instant::now();
        let page = store
            .log_page(&RUN.into(), filter, range)
            .await
            .expect("a page");
        longest = longest.max(asked.elapsed().as_secs_f64());
        answers += 1;
        lines += page.rows.len();
        range.before = page.more;
        if lines >= range.limit || page.more.is_none() {
            break;
        }
    }
    println!(
        "{what}: {lines} lines by {answers} answers in {:.0} ms, the longest {:.0} ms",
        began.elapsed().as_secs_f64() * 1e3,
        longest * 1e3
    );
}

fn line(number: u64) -> LogLine {
    let text = match number {
        number if number % RARE == RARE - 1 => format!("ERROR what is rare {number}"),
        number => format!(
            "2026-11-26T19:00:00.000000Z  INFO my_load::checkout: basket={number} items=3 total=17.20 the customer looks around and goes on"
        ),
    };
    LogLine {
        at: WallTime::from_micros(number * 1_000),
        source: format!("a/worker-{}", number % 8),
        text,
    }
}

async fn create(store: &Store) {
    let record = RunRecord {
        id: RUN.into(),
        number: 0,
        test: LoadTest::default(),
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: vec![RunAgent {
            id: AgentId::from("a"),
            name: "a".to_owned(),
            build: BuildInfo::default(),
            workers: vec![0],
            last_seq: 0,
            saved_until: 0,
            end: None,
        }],
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    store.create_run(record).await.expect("a new run");
}
