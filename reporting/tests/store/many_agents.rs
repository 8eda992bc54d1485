//! Runs of more agents than each is kept of exactly: all together stay exact, each one's percentiles are near.

use crate::support::{Request, endpoint, run, snapshot};
use futures_util::future::join_all;
use greylag_infra::WallTime;
use greylag_infra::protocol::{Endpoint, UserChange};
use greylag_reporting::{RunTotals, SaveOutcome, Scope, Store, Summary, Window};

const AGENTS: usize = 40;
const SECONDS: u32 = 150;
/// How far a percentile of a single agent may be from the true one: half a step of 16 per doubling, and the histograms' own
/// width.
const NEAR: f64 = 0.0322;
const FRACTIONS: [f64; 5] = [0.1, 0.5, 0.9, 0.95, 0.99];

/// A request of an agent.
#[derive(Debug, Clone, Copy)]
struct Event {
    agent: usize,
    second: u32,
    endpoint: usize,
    response_us: u64,
    fails: bool,
}

/// Response times of 0.1 ms to 2 s, different for each agent.
fn events() -> Vec<Event> {
    let mut random = 7_u64;
    let mut next = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        random >> 33
    };
    let mut events = Vec::new();
    for second in 0..SECONDS {
        for agent in 0..AGENTS {
            for _ in 0..next() % 4 {
                let magnitude = next() % 14;
                events.push(Event {
                    agent,
                    second,
                    endpoint: (next() % 2) as usize,
                    response_us: 100 + (1 << magnitude) * (next() % 200) + agent as u64,
                    fails: next() % 5 == 0,
                });
            }
        }
    }
    events
}

fn name_of(agent: usize) -> String {
    format!("agent-{agent:02}")
}

/// Saves the seconds, those of all agents together, and some again.
async fn save(
    store: &Store,
    endpoints: &[Endpoint; 2],
    events: &[Event],
    seconds: std::ops::Range<u32>,
) {
    for second in seconds {
        let saves = (0..AGENTS).map(|agent| {
            let requests: Vec<Request<'_>> = events
                .iter()
                .filter(|event| event.agent == agent && event.second == second)
                .map(|event| {
                    let error = event.fails.then_some("refused");
                    (second, &endpoints[event.endpoint], event.response_us, error)
                })
                .collect();
            let mut snapshot = snapshot("r", u64::from(second) + 1, &requests);
            snapshot.user_changes.push(UserChange {
                second,
                started: 1,
                ..UserChange::default()
            });
            async move {
                let agent = name_of(agent).as_str().into();
                store
                    .save_snapshot(&"r".into(), &agent, snapshot)
                    .await
                    .unwrap()
            }
        });
        let outcomes = join_all(saves).await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| *outcome == SaveOutcome::Saved)
        );
    }
}

fn check(totals: &RunTotals, endpoints: &[Endpoint; 2], events: &[Event], near: f64, what: &str) {
    for (at, endpoint) in endpoints.iter().enumerate() {
        let mut times: Vec<u64> = events
            .iter()
            .filter(|event| event.endpoint == at)
            .map(|event| event.response_us)
            .collect();
        let failures = events
            .iter()
            .filter(|event| event.endpoint == at && event.fails);
        let failures = failures.count() as u64;
        let found = totals.endpoints.iter().find(|(known, _)| known == endpoint);
        let Some((_, interval)) = found else {
            assert!(times.is_empty(), "{what}");
            continue;
        };
        times.sort_unstable();
        let sums = interval.sums();
        assert_eq!(sums.response.count, times.len() as u64, "{what}");
        assert_eq!(sums.response.sum_us, times.iter().sum::<u64>(), "{what}");
        assert_eq!(sums.response.min_us, times[0], "{what}");
        assert_eq!(Some(&sums.response.max_us), times.last(), "{what}");
        assert_eq!(sums.failures, failures, "{what}");
        assert_eq!(interval.errors.values().sum::<u64>(), failures, "{what}");
        for q in FRACTIONS {
            let true_one = times[((times.len() as f64 * q) as usize).min(times.len() - 1)];
            let value = interval.percentile_us(q).unwrap();
            let error = value.abs_diff(true_one) as f64 / true_one as f64;
            assert!(error <= near, "{what}: {value} for {true_one} at {q}");
        }
    }
}

async fn check_scopes(store: &Store, endpoints: &[Endpoint; 2], events: &[Event]) {
    let windows = [
        None,
        Some((0, 1)),
        Some((3, 90)),
        Some((64, 128)),
        Some((17, 400)),
    ];
    for window in windows {
        let here =
            |event: &&Event| window.is_none_or(|(from, to)| (from..to).contains(&event.second));
        let here: Vec<Event> = events.iter().filter(here).copied().collect();
        let mut scope = Scope {
            window: window.map(|(from, to)| Window::new(from, to).unwrap()),
            ..Scope::default()
        };
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        check(&totals, endpoints, &here, 0.001, &format!("{window:?}"));
        for agent in [0, 7, AGENTS - 1] {
            let own: Vec<Event> = here
                .iter()
                .filter(|event| event.agent == agent)
                .copied()
                .collect();
            scope.agent = Some(format!("name of {}", name_of(agent)));
            let totals = store.totals(&"r".into(), &scope).await.unwrap();
            let what = format!("agent {agent} in {window:?}");
            check(&totals, endpoints, &own, NEAR, &what);
            let series = store.series(&"r".into(), &scope, 1_000).await.unwrap();
            let requests: u64 = series.points.iter().map(|point| point.requests).sum();
            assert_eq!(requests, own.len() as u64, "{what}");
            for point in &series.points {
                assert_eq!(point.users, u64::from(point.second), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn counts_of_single_agents_are_exact_and_percentiles_near() {
    let (dir, store) = crate::support::store().await;
    let names: Vec<String> = (0..AGENTS).map(name_of).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.create_run(run("r", "test", &names)).await.unwrap();
    let endpoints = [endpoint("GET", "/a"), endpoint("GET", "/b")];
    let events = events();
    save(&store, &endpoints, &events, 0..SECONDS / 2).await;
    let half: Vec<Event> = events
        .iter()
        .filter(|event| event.second < SECONDS / 2)
        .copied()
        .collect();
    check_scopes(&store, &endpoints, &half).await;
    // continued by another process
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    save(&store, &endpoints, &events, SECONDS / 2..SECONDS).await;
    check_scopes(&store, &endpoints, &events).await;

    let of_agent = Scope {
        agent: Some("name of agent-00".into()),
        ..Scope::default()
    };
    let summary = |scope: Scope| {
        let store = &store;
        async move {
            Summary::read(store, &"r".into(), &scope, WallTime::default())
                .await
                .unwrap()
        }
    };
    let remark = summary(of_agent).await.scope.unwrap().remark;
    assert_eq!(
        remark.as_deref(),
        Some(
            "percentiles are within 3.2 %: in a run of so many agents each one's histograms are kept in coarse steps"
        )
    );
    let errors = summary(Scope::default()).await.errors;
    let failures = events.iter().filter(|event| event.fails).count() as u64;
    assert_eq!(
        errors.iter().map(|error| error.occurrences).sum::<u64>(),
        failures
    );
}
