//! Any part of a run is the sum of its requests, whatever came when: of some seconds, an endpoint, an agent.

mod charts;
mod checks;
pub(crate) mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use greylag_infra::protocol::{
    Endpoint, LogLine, SampleData, SampleKind, Snapshot, TagInterval, UserChange,
};
use greylag_infra::{ProcessHealth, RunPhase, RunRecord, RunTime};
use greylag_reporting::{Interval, SaveOutcome, Scope, Store};
use proptest::prelude::*;

use self::charts::check_charts;
use self::checks::{check, check_totals};
use self::events::{
    AGENTS, ERRORS, Event, NOW, Part, agent_events, arrivals_of, endpoints, intended_us,
    is_saturated, line_of, metrics, more, part, sums_of, tags_of,
};
use crate::support::{START, run, snapshot_with};

/// Counts the request of an event.
pub(crate) fn count(interval: &mut Interval, event: &Event, endpoint: &Endpoint) {
    let response = Duration::from_micros(event.response_us);
    interval.record(response, Some(response / 2), 100, ERRORS[event.error]);
    if let Some(us) = intended_us(endpoint, event.response_us) {
        interval.record_intended(Duration::from_micros(us));
    }
}

pub(crate) async fn save_all(
    store: &Store,
    record: &RunRecord,
    agents: &[Vec<Vec<Event>>],
) -> Vec<Event> {
    let endpoints = endpoints();
    let mut saved = Vec::new();
    let most = agents.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..most {
        let mut together = Vec::new();
        for (position, (agent, snapshots)) in AGENTS.iter().zip(agents).enumerate() {
            let Some(events) = snapshots.get(at) else {
                continue;
            };
            let events: Vec<Event> = events
                .iter()
                .map(|event| Event {
                    agent: position,
                    ..event.clone()
                })
                .collect();
            let requests: Vec<_> = events
                .iter()
                .map(|event| {
                    let endpoint = &endpoints[event.endpoint];
                    (
                        event.second,
                        endpoint,
                        event.response_us,
                        ERRORS[event.error],
                    )
                })
                .collect();
            let mut snapshot = snapshot_with(record.id.as_str(), at as u64 + 1, &requests, more);
            snapshot.samples = events
                .iter()
                .map(|event| {
                    let endpoint = &endpoints[event.endpoint];
                    let mut listed = snapshot.endpoints.iter();
                    let at = listed.position(|known| known == endpoint).unwrap();
                    SampleData {
                        endpoint: at as u32,
                        at_us: u64::from(event.second) * 1_000_000 + event.response_us % 1_000_000,
                        response_us: event.response_us,
                        failed: ERRORS[event.error].is_some(),
                        kind: SampleKind::Drawn,
                        ..SampleData::default()
                    }
                })
                .collect();
            let saturated = events.iter().filter(|event| is_saturated(event.second));
            snapshot.health = saturated
                .map(|event| ProcessHealth {
                    second: event.second,
                    worker: Some(position as u32),
                    core_pm: Some(950),
                    ..ProcessHealth::default()
                })
                .collect();
            snapshot.log = events
                .iter()
                .map(|event| LogLine {
                    at: START + RunTime::of_second(event.second) + Duration::from_micros(999_999),
                    source: "agent".into(),
                    text: line_of(event),
                })
                .collect();
            snapshot.user_changes = events
                .iter()
                .map(|event| {
                    let arrivals = arrivals_of(event);
                    UserChange {
                        second: event.second,
                        started: 1,
                        stopped: 0,
                        arrivals: arrivals.started,
                        late_arrivals: arrivals.late,
                        skipped_arrivals: arrivals.skipped,
                    }
                })
                .collect();
            snapshot.metrics = metrics().to_vec();
            let seconds: BTreeSet<u32> = events.iter().map(|event| event.second).collect();
            for (second, metric) in seconds
                .iter()
                .flat_map(|second| (0..4).map(move |of| (*second, of)))
            {
                let here = events.iter().filter(|event| event.second == second);
                let sums = sums_of(metric, here);
                if !sums.is_empty() {
                    snapshot
                        .metric_values
                        .push(sums.to_wire(second, metric as u32));
                }
            }
            for (tag, name) in (0..).zip(record.test.counted_tags()) {
                let tagged = events
                    .iter()
                    .filter(|event| tags_of(event).any(|tag| tag == name));
                let mut seconds: BTreeMap<u32, Interval> = BTreeMap::new();
                for event in tagged {
                    let interval = seconds.entry(event.second).or_default();
                    count(interval, event, &endpoints[event.endpoint]);
                }
                let of_tag = seconds.into_iter().map(|(second, interval)| TagInterval {
                    tag,
                    interval: interval.to_wire(second, 0),
                });
                snapshot.tag_intervals.extend(of_tag);
            }
            together.push((*agent, snapshot));
            saved.extend(events);
        }
        save_together(store, record, &together).await;
        if at == most / 2 {
            // From here on the totals are kept in memory.
            let totals = store.totals(&record.id, &Scope::default()).await.unwrap();
            check_totals(&totals, &saved, Part::default());
        }
    }
    saved
}

/// Saves snapshots of several agents together with each once more and with one that is too early.
async fn save_together(store: &Store, record: &RunRecord, snapshots: &[(&str, Snapshot)]) {
    let saves = snapshots.iter().flat_map(|(agent, snapshot)| {
        let mut early = snapshot.clone();
        early.seq += 2;
        [snapshot.clone(), snapshot.clone(), early].map(|snapshot| async {
            let agent = (*agent).into();
            store
                .save_snapshot(&record.id, &agent, snapshot)
                .await
                .unwrap()
        })
    });
    let outcomes = join_all(saves).await;
    for (outcomes, (_, snapshot)) in outcomes.chunks(3).zip(snapshots) {
        let both = [outcomes[0], outcomes[1]];
        let of = |outcome| both.iter().filter(|one| **one == outcome).count();
        assert_eq!(of(SaveOutcome::Saved), 1, "{both:?}");
        assert_eq!(of(SaveOutcome::Duplicate), 1, "{both:?}");
        let expected = [snapshot.seq, snapshot.seq + 1];
        let is_gap = expected.map(|expected| SaveOutcome::Gap { expected });
        assert!(is_gap.contains(&outcomes[2]), "{:?}", outcomes[2]);
    }
}

/// Charts are compared of every so many parts, because that takes long.
const EVERY: usize = 7;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_part_of_a_run_is_the_sum_of_its_requests(
        a in agent_events(),
        b in agent_events(),
        c in agent_events(),
        parts in prop::collection::vec(part(), 20),
        max_points in 2..500_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let mut record = store.create_run(run("r", "test", &AGENTS)).await.unwrap();
            let events = save_all(&store, &record, &[a, b, c]).await;
            let parts = parts.into_iter().chain([Part::default()]);
            for part in parts.clone() {
                check(&store, "r", &events, part, max_points).await;
            }
            for part in parts.clone().step_by(EVERY) {
                check_charts(&store, &events, part, max_points as u32).await;
            }

            record.phase = RunPhase::Finished;
            record.ended_at = Some(NOW);
            store.update_run(&record).await.unwrap();
            store.close().await;
            let store = Store::open(dir.path()).unwrap();
            for part in parts.clone() {
                check(&store, "r", &events, part, max_points).await;
            }
            for part in parts.skip(1).step_by(EVERY) {
                check_charts(&store, &events, part, max_points as u32).await;
            }
        });
    }
}
