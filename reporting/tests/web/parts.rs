//! The page of a part of a run against a program that knows nothing but the requests.

use std::time::Duration;

use axum::http::StatusCode;
use greylag_infra::{RunPhase, RunRecord};
use greylag_reporting::Store;

use crate::site::Site;
use crate::support::{START, endpoint, run, snapshot};

const RUN: &str = "fedcbafedcba";
const SECONDS: u32 = 40;
/// Histograms have three digits.
const PERCENTILE_TOLERANCE: f64 = 0.001;

/// One request.
#[derive(Debug, Clone)]
struct Sent {
    agent: &'static str,
    endpoint: usize,
    second: u32,
    response_us: u64,
    failed: bool,
}

const AGENTS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 3] = ["/", "/cart", "/a b?c=d&e"];

/// Requests of all agents, endpoints and seconds, the same in each run of the test.
fn sent() -> Vec<Sent> {
    let mut state = 42_u64;
    let mut next = |most: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % most
    };
    (0..900)
        .map(|_| Sent {
            agent: AGENTS[next(2) as usize],
            endpoint: next(3) as usize,
            second: next(u64::from(SECONDS)) as u32,
            response_us: 500 + next(100) * next(100) * next(50),
            failed: next(7) == 0,
        })
        .collect()
}

async fn save(store: &Store, sent: &[Sent]) {
    let record = store
        .create_run(run(RUN, "parts", &AGENTS))
        .await
        .expect("the run is kept");
    let endpoints = NAMES.map(|name| endpoint("GET", name));
    for agent in AGENTS {
        let own: Vec<_> = sent
            .iter()
            .filter(|one| one.agent == agent)
            .map(|one| {
                let error = one.failed.then_some("500");
                (one.second, &endpoints[one.endpoint], one.response_us, error)
            })
            .collect();
        store
            .save_snapshot(&record.id, &agent.into(), snapshot(RUN, 1, &own))
            .await
            .expect("the snapshot is saved");
    }
    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(START + Duration::from_secs(u64::from(SECONDS))),
        ..record
    };
    store.update_run(&over).await.expect("the run is updated");
}

#[tokio::test]
async fn the_page_says_what_has_to_be_known_about_an_agent() {
    let site = Site::start(None).await;
    let store = site.coordinator.store();
    let names: Vec<String> = (0..40).map(|number| format!("a{number}")).collect();
    let agents: Vec<&str> = names.iter().map(String::as_str).collect();
    let record = store
        .create_run(run(RUN, "parts", &agents))
        .await
        .expect("the run is kept");
    let home = endpoint("GET", "/");
    for agent in agents {
        let snapshot = snapshot(RUN, 1, &[(0, &home, 1_000, None)]);
        store
            .save_snapshot(&record.id, &agent.into(), snapshot)
            .await
            .expect("the snapshot is saved");
    }
    let page = site.get(&format!("/runs/{RUN}?agent=name%20of%20a7")).await;
    assert_eq!(number(&page.body, "total-requests"), 1.0);
    assert!(
        page.body.contains("Percentiles are within 3.2 %"),
        "{}",
        page.body
    );
    let page = site.get(&format!("/runs/{RUN}")).await;
    assert_eq!(number(&page.body, "total-requests"), 40.0);
    assert!(!page.body.contains("within 3.2 %"));
}

/// The values that the page has in these fields, of all rows of endpoints and of the cards.
fn values(page: &str, field: &str) -> Vec<String> {
    let start = format!("data-field=\"{field}\" data-value=\"");
    let found = page.split(&start).skip(1);
    found
        .map(|rest| {
            rest.split('"')
                .next()
                .expect("a value ends with a quote")
                .to_owned()
        })
        .collect()
}

fn number(page: &str, field: &str) -> f64 {
    let found = values(page, field);
    assert_eq!(found.len(), 1, "{field}");
    found[0].parse().expect("a number")
}

fn percentile_ms(sorted: &[u64], share: f64) -> f64 {
    // The first that more than this share are not above, as Locust has it.
    let at = (share * sorted.len() as f64) as usize;
    sorted[at.min(sorted.len() - 1)] as f64 / 1e3
}

fn assert_near(shown: f64, expected: f64, tolerance: f64, what: &str) {
    let off = (shown - expected).abs();
    assert!(
        off <= expected * tolerance + 1e-9,
        "{what}: {shown} instead of {expected}"
    );
}

#[tokio::test]
async fn the_page_of_any_part_has_the_numbers_of_its_requests() {
    let site = Site::start(None).await;
    let sent = sent();
    save(site.coordinator.store(), &sent).await;
    let windows = [
        None,
        Some((0, 1)),
        Some((7, 23)),
        Some((16, SECONDS)),
        Some((39, 99)),
    ];
    for window in windows {
        for endpoint in [None, Some(0), Some(2)] {
            for agent in [None, Some("b")] {
                let mut query = Vec::new();
                if let Some((from, to)) = window {
                    query.push(format!("from={from}&to={to}"));
                }
                if let Some(endpoint) = endpoint {
                    let names = ["/", "/cart", "/a%20b%3Fc%3Dd%26e"];
                    query.push(format!("endpoint=GET%20{}", names[endpoint]));
                }
                query.extend(agent.map(|agent| format!("agent=name%20of%20{agent}")));
                let query = query.join("&");
                let part: Vec<&Sent> = sent
                    .iter()
                    .filter(|one| window.is_none_or(|(from, to)| (from..to).contains(&one.second)))
                    .filter(|one| endpoint.is_none_or(|only| one.endpoint == only))
                    .filter(|one| agent.is_none_or(|only| one.agent == only))
                    .collect();
                let page = site.get(&format!("/runs/{RUN}?{query}")).await;
                assert_eq!(page.status, StatusCode::OK, "{query}");
                assert_page(&page.body, &part, window, &query);
            }
        }
    }
}

fn assert_page(page: &str, part: &[&Sent], window: Option<(u32, u32)>, query: &str) {
    let failed = part.iter().filter(|one| one.failed).count();
    assert_eq!(number(page, "total-requests"), part.len() as f64, "{query}");
    assert_eq!(number(page, "total-failures"), failed as f64, "{query}");
    let (from, to) = window.unwrap_or((0, SECONDS));
    let seconds = f64::from(to.min(SECONDS) - from);
    let rps = part.len() as f64 / seconds;
    assert_near(number(page, "requests-per-second"), rps, 1e-12, query);
    let mut times: Vec<u64> = part.iter().map(|one| one.response_us).collect();
    times.sort_unstable();
    if !times.is_empty() {
        let average = times.iter().sum::<u64>() as f64 / times.len() as f64 / 1e3;
        let shown = number(page, "avg-response-time");
        assert!(
            (shown - average).abs() < 0.000_6,
            "{query}: {shown} for {average}"
        );
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)] {
            let expected = percentile_ms(&times, share);
            assert_near(number(page, name), expected, PERCENTILE_TOLERANCE, query);
        }
    }
    // The rows: those of the endpoints in order of their names, then all together.
    let mut rows: Vec<usize> = Vec::new();
    for endpoint in [0, 2, 1] {
        let count = part.iter().filter(|one| one.endpoint == endpoint).count();
        rows.extend((count > 0).then_some(count));
    }
    rows.push(part.len());
    let rows: Vec<String> = rows.iter().map(usize::to_string).collect();
    assert_eq!(values(page, "requests"), rows, "{query}");
}
