//! Compares what the store answers with the events themselves.

use std::collections::BTreeMap;

use greylag_infra::protocol::Endpoint;
use greylag_reporting::{Arrivals, Measure, RunTotals, Store, Summary, Sums};

use super::events::{
    ERRORS, Event, NOW, Part, arrivals_of, counted_status, endpoints, intended_us,
    is_first_byte_only, line_of,
};

/// What a part of a run must hold of one endpoint.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    responses: Vec<u64>,
    intended: Vec<u64>,
    first_byte_only: u64,
    statuses: BTreeMap<u64, u64>,
    failures: u64,
    errors: BTreeMap<String, u64>,
}

pub(crate) fn check_totals(totals: &RunTotals, events: &[Event], part: Part) {
    let endpoints = endpoints();
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    let mut arrivals = Arrivals::default();
    let here = |event: &&Event| part.has_user(event) && !part.is_left_out(event);
    for event in events.iter().filter(here) {
        let more = arrivals_of(event);
        arrivals.started += more.started;
        arrivals.late += more.late;
        arrivals.skipped += more.skipped;
    }
    for event in events.iter().filter(|event| part.has(event)) {
        let endpoint = &endpoints[event.endpoint];
        let sum = sums
            .entry((endpoint.name.clone(), endpoint.method.clone()))
            .or_default();
        sum.responses.push(event.response_us);
        sum.intended
            .extend(intended_us(endpoint, event.response_us));
        sum.first_byte_only += u64::from(is_first_byte_only(event.response_us));
        if let Some(status) = counted_status(event.response_us) {
            *sum.statuses
                .entry(u64::from(status.unwrap_or(0)))
                .or_default() += 1;
        }
        if let Some(error) = ERRORS[event.error] {
            sum.failures += 1;
            *sum.errors.entry(error.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(totals.arrivals, arrivals, "{part:?}");
    let names: Vec<_> = totals
        .endpoints
        .iter()
        .map(|(endpoint, _)| (endpoint.name.clone(), endpoint.method.clone()))
        .collect();
    assert_eq!(names, sums.keys().cloned().collect::<Vec<_>>(), "{part:?}");
    for ((endpoint, interval), (_, mut sum)) in totals.endpoints.iter().zip(sums) {
        sum.responses.sort_unstable();
        let requests = sum.responses.len() as u64;
        let what = format!("{endpoint:?} in {part:?}");
        let Sums {
            response,
            failures,
            bytes,
            first_byte,
            intended,
            first_byte_only,
        } = *interval.sums();
        assert_eq!(response.count, requests, "{what}");
        assert_eq!(failures, sum.failures, "{what}");
        assert_eq!(bytes, requests * 100, "{what}");
        let statuses = interval.distribution_of(Measure::Status);
        assert_eq!(statuses.collect::<BTreeMap<_, _>>(), sum.statuses, "{what}");
        // Half of the response time.
        let first_bytes: Vec<u64> = sum.responses.iter().map(|us| us / 2).collect();
        assert_eq!(first_byte.count, requests, "{what}");
        assert_eq!(first_byte.sum_us, first_bytes.iter().sum::<u64>(), "{what}");
        assert_eq!(first_byte.min_us, first_bytes[0], "{what}");
        assert_eq!(first_byte.max_us, *first_bytes.last().unwrap(), "{what}");
        check_percentiles(
            &first_bytes,
            |q| interval.percentile_of(Measure::FirstByte, q),
            &format!("to the first byte, {what}"),
        );
        assert_eq!(response.sum_us, sum.responses.iter().sum::<u64>(), "{what}");
        assert_eq!(response.min_us, sum.responses[0], "{what}");
        assert_eq!(response.max_us, *sum.responses.last().unwrap(), "{what}");
        assert_eq!(interval.errors, sum.errors, "{what}");
        assert_eq!(first_byte_only, sum.first_byte_only, "{what}");
        check_percentiles(&sum.responses, |q| interval.percentile_us(q), &what);
        sum.intended.sort_unstable();
        assert_eq!(intended.count, sum.intended.len() as u64, "{what}");
        assert_eq!(intended.sum_us, sum.intended.iter().sum::<u64>(), "{what}");
        let ends = (sum.intended.first(), sum.intended.last());
        assert_eq!(intended.min_us, *ends.0.unwrap_or(&0), "{what}");
        assert_eq!(intended.max_us, *ends.1.unwrap_or(&0), "{what}");
        check_percentiles(
            &sum.intended,
            |q| interval.intended_percentile_us(q),
            &format!("from the intended start, {what}"),
        );
    }
}

fn check_percentiles(sorted: &[u64], percentile: impl Fn(f64) -> Option<u64>, what: &str) {
    for q in [0.5, 0.9, 0.99] {
        let value = percentile(q);
        let Some(last) = sorted.len().checked_sub(1) else {
            assert_eq!(value, None, "{what}");
            continue;
        };
        let exact = sorted[((sorted.len() as f64 * q) as usize).min(last)];
        let value = value.unwrap();
        assert!(
            value.abs_diff(exact) as f64 <= exact as f64 * 0.001,
            "{what}: {value} {exact}"
        );
    }
}

/// Everything that the store answers about a part of a run.
pub(crate) async fn check(
    store: &Store,
    run_id: &str,
    events: &[Event],
    part: Part,
    max_points: usize,
) {
    let scope = part.scope();
    let is_known = |at| events.iter().any(|event| event.endpoint == at);
    if part.endpoint.is_some_and(|at| !is_known(at)) {
        let error = store.totals(&run_id.into(), &scope).await.unwrap_err();
        assert!(error.to_string().contains("has no endpoint"), "{error}");
        return;
    }
    let totals = store.totals(&run_id.into(), &scope).await.unwrap();
    check_totals(&totals, events, part);
    check_series(store, events, part, max_points).await;
    check_samples(store, events, part, max_points).await;
    check_log(store, events, part).await;
    check_summary(store, events, part).await;
}

async fn check_series(store: &Store, events: &[Event], part: Part, max_points: usize) {
    let series = store
        .series(&"r".into(), &part.scope(), max_points)
        .await
        .unwrap();
    let over = store
        .run(&"r".into())
        .await
        .unwrap()
        .unwrap()
        .phase
        .is_over();
    let last = events.iter().map(|event| event.second).max();
    let end = last.map_or(0, |last| last + 1);
    let (from, to) = (part.seconds().start.min(end), part.seconds().end.min(end));
    let step = series.step_s;
    let first = from - from % step;
    let mut expected: Vec<u32> = (first..to)
        .step_by(step as usize)
        .filter(|_| from < to)
        .map(|second| second.max(from))
        .collect();
    if over && let Some(last) = expected.last() {
        let after = last - last % step + step;
        if after < part.seconds().end {
            expected.push(after);
        }
    }
    let window = part.seconds();
    assert!(
        expected.iter().all(|second| window.contains(second)),
        "{part:?}"
    );
    let seconds: Vec<u32> = series.points.iter().map(|point| point.second).collect();
    assert_eq!(seconds, expected, "{part:?}");
    assert!(seconds.len() <= max_points.max(3), "{part:?} {max_points}");
    let left_out = part.left_out(events);
    for point in &series.points {
        let step_end = (point.second - point.second % step + step).min(to);
        let seconds = point.second..step_end.max(point.second);
        let expected = seconds.filter(|second| left_out.contains(second)).count();
        assert_eq!(point.left_out as usize, expected, "{part:?} {point:?}");
        let next = point.second - point.second % step + step;
        let here = |event: &&Event| (point.second..next).contains(&event.second);
        let here = || events.iter().filter(here).filter(|event| part.has(event));
        let failed = here().filter(|event| ERRORS[event.error].is_some());
        assert_eq!(point.requests, here().count() as u64, "{part:?}");
        assert_eq!(point.failures, failed.count() as u64, "{part:?}");
        // One user starts with each event, and none stops before the end.
        let before = |event: &&Event| event.second < point.second && part.has_agent(event);
        let users = if point.second >= end {
            0
        } else {
            events.iter().filter(before).count()
        };
        assert_eq!(point.users, users as u64, "{part:?} {point:?}");
    }
}

async fn check_samples(store: &Store, events: &[Event], part: Part, max_points: usize) {
    let samples = store
        .samples(&"r".into(), &part.scope(), 0, 10_000)
        .await
        .unwrap();
    let here: Vec<&Event> = events.iter().filter(|event| part.has(event)).collect();
    assert_eq!(samples.of, here.len() as u64, "{part:?}");
    let mut shown: Vec<(u32, u64)> = samples
        .points
        .iter()
        .map(|point| (point.at_s as u32, (point.response_ms * 1e3).round() as u64))
        .collect();
    let mut expected: Vec<(u32, u64)> = here
        .iter()
        .map(|event| (event.second, event.response_us))
        .collect();
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected, "{part:?}");
    let few = store
        .samples(&"r".into(), &part.scope(), 0, max_points)
        .await;
    for point in few.unwrap().points {
        let one = (point.at_s as u32, (point.response_ms * 1e3).round() as u64);
        assert!(expected.contains(&one), "{part:?} {point:?}");
    }
}

async fn check_log(store: &Store, events: &[Event], part: Part) {
    let log = store
        .log(&"r".into(), &part.scope(), 0, 10_000)
        .await
        .unwrap();
    let mut lines: Vec<String> = log.into_iter().map(|line| line.text).collect();
    let here = events.iter().filter(|event| part.has_user(event));
    let mut expected: Vec<String> = here.map(line_of).collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{part:?}");
}

async fn check_summary(store: &Store, events: &[Event], part: Part) {
    let scope = part.scope();
    let summary = Summary::read(store, &"r".into(), &scope, NOW)
        .await
        .unwrap();
    let requests = events.iter().filter(|event| part.has(event)).count();
    assert_eq!(summary.totals.stats.requests, requests as u64, "{part:?}");
    let seconds = part.seconds();
    let left_out = part.left_out(events);
    let of_left_out = |end: f64| {
        let parts = left_out
            .iter()
            .map(|second| (end - f64::from(*second)).clamp(0.0, 1.0));
        parts.sum::<f64>()
    };
    let end = f64::from(seconds.end).min(600.5);
    let elapsed_s = end - f64::from(seconds.start) - of_left_out(end);
    let rps = if elapsed_s > 0.0 {
        requests as f64 / elapsed_s
    } else {
        0.0
    };
    assert_eq!(summary.totals.rps, rps, "{part:?}");
    assert_eq!(summary.scope.is_some(), !scope.is_whole());

    let mut errors: BTreeMap<(String, String, String), (u64, u32, u32)> = BTreeMap::new();
    for event in events.iter().filter(|event| part.has(event)) {
        let Some(error) = ERRORS[event.error] else {
            continue;
        };
        let Endpoint { method, name } = endpoints()[event.endpoint].clone();
        let sum = errors.entry((method, name, error.to_owned()));
        let sum = sum.or_insert((0, event.second, event.second));
        *sum = (sum.0 + 1, sum.1.min(event.second), sum.2.max(event.second));
    }
    let found: BTreeMap<_, _> = summary
        .errors
        .into_iter()
        .map(|error| {
            let seen = (
                error.occurrences,
                error.first_second.unwrap(),
                error.last_second.unwrap(),
            );
            ((error.method, error.name, error.error), seen)
        })
        .collect();
    assert_eq!(found, errors, "{part:?}");

    let window = 600 - 2;
    let end = window.min(seconds.end);
    let start = end.saturating_sub(10).max(seconds.start);
    if !store
        .run(&"r".into())
        .await
        .unwrap()
        .unwrap()
        .phase
        .is_over()
    {
        let seconds = (start..end).filter(|second| !left_out.contains(second));
        let seconds = seconds.count().max(1) as f64;
        for endpoint in &summary.endpoints {
            let here = events.iter().filter(|event| {
                let known = &endpoints()[event.endpoint];
                part.has(event)
                    && (start..end).contains(&event.second)
                    && known.method == endpoint.method
                    && known.name == endpoint.name
            });
            let rate = here.clone().count() as f64 / seconds;
            assert_eq!(endpoint.current_rps, rate, "{part:?}");
            let failed = here.filter(|event| ERRORS[event.error].is_some());
            let rate = failed.count() as f64 / seconds;
            assert_eq!(endpoint.current_failures_per_s, rate, "{part:?}");
        }
    }
}
