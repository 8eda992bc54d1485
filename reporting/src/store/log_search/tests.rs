use greylag_infra::protocol::{LogLine, Snapshot};
use greylag_infra::{AgentId, Completeness, LoadProfile, RunAgent, RunPhase, RunRecord, WallTime};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::page::read_page_within;
use super::*;
use crate::api_types::{LogLevel, LogRow};
use crate::store::schema::DATABASE_FILE;
use crate::store::{Scope, Store, Window};

const START_US: u64 = 1_800_000_000_000_000;
const AGENTS: [&str; 2] = ["east", "west"];
/// What is said, and how serious it is.
const TEXTS: [(&str, Option<LogLevel>); 5] = [
    ("ok 1", None),
    ("Boom", None),
    ("WARN slow boom", Some(LogLevel::Warning)),
    ("ERROR: boom (1)", Some(LogLevel::Error)),
    ("\u{1b}[31mthread panicked\u{1b}[m", Some(LogLevel::Error)),
];
/// What is searched for, whether as a regular expression, and what that means.
type Meaning = fn(&str) -> bool;
const PATTERNS: [(&str, bool, Meaning); 6] = [
    ("BOOM", false, |text| text.to_lowercase().contains("boom")),
    ("(1)", false, |text| text.contains("(1)")),
    ("worker-1", false, |text| text.contains("worker-1")),
    ("boom$", true, |text| text.ends_with("boom")),
    ("^(ok|thread)", true, |text| {
        text.starts_with("ok") || text.starts_with("thread")
    }),
    ("nowhere", true, |_| false),
];

/// A line as it was saved.
#[derive(Debug, Clone)]
struct Said {
    agent: Option<usize>,
    worker: Option<u32>,
    text: usize,
    second: u64,
}

impl Said {
    fn source(&self) -> String {
        match (self.agent, self.worker) {
            (None, _) => "coordinator".to_owned(),
            (Some(agent), None) => AGENTS[agent].to_owned(),
            (Some(agent), Some(worker)) => format!("{}/worker-{worker}", AGENTS[agent]),
        }
    }

    fn line(&self) -> LogLine {
        LogLine {
            at: WallTime::from_micros(START_US + self.second * 1_000_000),
            source: self.source(),
            text: TEXTS[self.text].0.to_owned(),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
struct Asked {
    window: Option<(u32, u32)>,
    agent: Option<usize>,
    worker: Option<u32>,
    source: Option<&'static str>,
    level: Option<LogLevel>,
    pattern: Option<usize>,
}

impl Asked {
    fn filter(&self) -> LogFilter {
        let (window, agent) = (self.window, self.agent);
        let pattern = self.pattern.map(|at| match PATTERNS[at] {
            (text, false, _) => LogPattern::text(text).unwrap(),
            (text, true, _) => LogPattern::regex(text).unwrap(),
        });
        LogFilter {
            scope: Scope {
                window: window.map(|(from, to)| Window::new(from, to).unwrap()),
                agent: agent.map(|agent| AGENTS[agent].to_owned()),
                ..Scope::default()
            },
            pattern,
            level: self.level,
            source: self.source.map(str::to_owned),
            worker: self.worker,
        }
    }

    fn takes(&self, said: &Said) -> bool {
        let (text, level) = TEXTS[said.text];
        let shown = text.replace("\u{1b}[31m", "").replace("\u{1b}[m", "");
        let second = u32::try_from(said.second).unwrap();
        self.window
            .is_none_or(|(from, to)| (from..to).contains(&second))
            && self.agent.is_none_or(|agent| said.agent == Some(agent))
            && self
                .worker
                .is_none_or(|worker| said.agent.is_some() && said.worker == Some(worker))
            && self.source.is_none_or(|name| {
                let source = said.source();
                source == name || source.split('/').next() == Some(name)
            })
            && self.level.is_none_or(|least| level >= Some(least))
            && self.pattern.is_none_or(|at| {
                let means = PATTERNS[at].2;
                means(&shown) || means(&said.source())
            })
    }
}

fn any_said() -> impl Strategy<Value = Said> {
    let agent = prop::option::weighted(0.8, 0..AGENTS.len());
    let worker = prop::option::of(0..3u32);
    (agent, worker, 0..TEXTS.len(), 0..20u64).prop_map(|(agent, worker, text, second)| Said {
        agent,
        worker,
        text,
        second,
    })
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let window = (0..20u32, 1..20u32).prop_map(|(from, seconds)| (from, from + seconds));
    let levels = select(vec![LogLevel::Warning, LogLevel::Error]);
    (
        prop::option::of(window),
        prop::option::weighted(0.3, 0..AGENTS.len()),
        prop::option::weighted(0.3, 0..4u32),
        prop::option::weighted(
            0.3,
            select(vec!["coordinator", "east", "west/worker-1", "we"]),
        ),
        prop::option::weighted(0.3, levels),
        prop::option::of(0..PATTERNS.len()),
    )
        .prop_map(|(window, agent, worker, source, level, pattern)| Asked {
            window,
            agent,
            worker,
            source,
            level,
            pattern,
        })
}

async fn store_with(dir: &std::path::Path, said: &[Said]) -> Store {
    let store = Store::open(dir).unwrap();
    let agents = AGENTS.map(|name| RunAgent {
        id: AgentId::from(name),
        name: name.to_owned(),
        build: greylag_infra::BuildInfo::default(),
        workers: vec![0],
        last_seq: 0,
        saved_until: 0,
        end: None,
    });
    let record = RunRecord {
        id: "r".into(),
        number: 0,
        test: greylag_infra::LoadTest::default(),
        phase: RunPhase::Running,
        created_at: WallTime::from_micros(START_US),
        started_at: Some(WallTime::from_micros(START_US)),
        ended_at: None,
        agents: agents.to_vec(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    store.create_run(record).await.unwrap();
    let mut seqs = [0; AGENTS.len()];
    for said in said {
        match said.agent {
            None => store
                .append_log(&"r".into(), vec![said.line()])
                .await
                .unwrap(),
            Some(agent) => {
                seqs[agent] += 1;
                let snapshot = Snapshot {
                    run_id: "r".into(),
                    seq: seqs[agent],
                    log: vec![said.line()],
                    ..Snapshot::default()
                };
                let agent_id = AgentId::from(AGENTS[agent]);
                store
                    .save_snapshot(&"r".into(), &agent_id, snapshot)
                    .await
                    .unwrap();
            }
        }
    }
    store
}

/// All pages, one after the other.
fn all_pages(
    filter: &LogFilter,
    order: LogOrder,
    (limit, most_looked_at): (usize, u64),
    connection: &rusqlite::Connection,
) -> Vec<LogRow> {
    let mut range = LogRange {
        after: 0,
        before: None,
        order,
        limit,
    };
    let mut all: Vec<LogRow> = Vec::new();
    loop {
        let page = read_page_within(connection, &"r".into(), filter, range, most_looked_at);
        let mut page = page.unwrap();
        assert!(page.rows.len() <= limit);
        match order {
            LogOrder::First => all.append(&mut page.rows),
            LogOrder::Last => {
                page.rows.append(&mut all);
                all = page.rows;
            }
        }
        let Some(more) = page.more else {
            return all;
        };
        // It goes on.
        match order {
            LogOrder::First => {
                assert!(more > range.after);
                range.after = more;
            }
            LogOrder::Last => {
                assert!(range.before.is_none_or(|before| more < before));
                range.before = Some(more);
            }
        }
    }
}

/// Whatever is asked for, page after page in either direction are just the lines that a look at every line finds.
#[test]
fn pages_are_what_a_look_at_every_line_finds() {
    let mut runner = TestRunner::default();
    let saids = prop::collection::vec(any_said(), 120..=120);
    let said = saids.new_tree(&mut runner).unwrap().current();
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(store_with(dir.path(), &said));
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    let asking = (any_asked(), 1..30usize, 1..40u64, any::<bool>());
    let compared = runner.run(&asking, |(asked, limit, most_looked_at, is_first)| {
        let order = match is_first {
            true => LogOrder::First,
            false => LogOrder::Last,
        };
        let bounds = (limit, most_looked_at);
        let found = all_pages(&asked.filter(), order, bounds, &connection);
        let expected: Vec<u64> = (1..)
            .zip(&said)
            .filter(|(_, said)| asked.takes(said))
            .map(|(seq, _)| seq)
            .collect();
        let positions: Vec<u64> = found.iter().map(|row| row.seq).collect();
        prop_assert_eq!(positions, expected);
        for row in &found {
            let said = &said[usize::try_from(row.seq).unwrap() - 1];
            prop_assert_eq!(
                (&row.source, row.level),
                (&said.source(), TEXTS[said.text].1)
            );
        }
        Ok(())
    });
    compared.unwrap();
    runtime.block_on(async { drop(store) });
}

#[tokio::test]
async fn a_moment_is_found_in_lines_that_are_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let said = (0..50).map(|number| Said {
        agent: None,
        worker: None,
        text: 0,
        second: number / 5,
    });
    let said: Vec<Said> = said.collect();
    let store = store_with(dir.path(), &said).await;
    for (second, position) in [
        (0.0, 0),
        (0.1, 5),
        (1.0, 5),
        (9.0, 45),
        (9.1, 50),
        (1e9, 50),
    ] {
        let found = store.log_position_at(&"r".into(), second).await.unwrap();
        assert_eq!(found, Some(position), "{second}");
    }
}
