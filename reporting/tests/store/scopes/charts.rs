//! Compares charts with the events themselves.

use std::collections::BTreeMap;
use std::ops::Range;

use greylag_reporting::{Chart, ChartData, ChartSteps, Measure, Store};

use super::events::{
    AGENTS, ERRORS, Event, Part, arrivals_of, counted_status, endpoints, intended_us,
};

/// Every chart of a part of a run, whole and from a second on.
pub(crate) async fn check_charts(store: &Store, events: &[Event], part: Part, since: u32) {
    for steps in [
        ChartSteps::default(),
        ChartSteps {
            step_s: Some(5),
            since,
        },
    ] {
        let read = async |chart| {
            let run = store.run(&"r".into()).await.unwrap().unwrap();
            let data = store
                .chart(&run, &part.scope(), chart, steps)
                .await
                .unwrap();
            check_steps(&data, events, part, steps);
            data
        };
        for measure in [Measure::Response, Measure::Intended, Measure::FirstByte] {
            check_percentiles(
                &read(Chart::Percentiles(measure)).await,
                events,
                part,
                measure,
            );
        }
        let of_part = |event: &&Event| part.has(event);
        let statuses = counts(&read(Chart::Statuses).await);
        assert_eq!(
            statuses,
            naive(&read(Chart::Statuses).await, events, of_part, |event| {
                let name = match counted_status(event.response_us) {
                    None => "not measured".to_owned(),
                    Some(None) => "no answer".to_owned(),
                    Some(Some(status)) => status.to_string(),
                };
                (name, 1)
            })
        );
        let errors = read(Chart::Errors).await;
        let has_error = |event: &&Event| part.has(event) && ERRORS[event.error].is_some();
        assert_eq!(
            counts(&errors),
            naive(&errors, events, has_error, |event| {
                (ERRORS[event.error].unwrap().to_owned(), 1)
            })
        );
        let requests = read(Chart::AgentRequests).await;
        assert_eq!(
            without_zeros(&requests),
            naive(&requests, events, of_part, |event| {
                (format!("name of {}", AGENTS[event.agent]), 1)
            })
        );
        check_users(&read(Chart::AgentUsers).await, events, part);
        let arrivals = read(Chart::Arrivals).await;
        if !arrivals.lines.is_empty() {
            let of = |name: &str, of: fn(&Event) -> u64| {
                let of_user = |event: &&Event| part.has_user(event) && !part.is_left_out(event);
                let expected = naive(&arrivals, events, of_user, |event| {
                    (String::new(), of(event))
                });
                let line = arrivals
                    .lines
                    .iter()
                    .find(|line| line.name == name)
                    .unwrap();
                assert_eq!(
                    Some(&line.values),
                    expected.values().next(),
                    "{name} {part:?}"
                );
            };
            of("started", |event| arrivals_of(event).started);
            of("late", |event| arrivals_of(event).late);
            of("skipped", |event| arrivals_of(event).skipped);
        }
    }
}

/// The seconds of each step.
fn steps_of(data: &ChartData) -> Vec<Range<u32>> {
    let ends = data.seconds.iter().skip(1).copied().chain([data.end_s]);
    data.seconds
        .iter()
        .zip(ends)
        .map(|(from, to)| *from..to)
        .collect()
}

fn check_steps(data: &ChartData, events: &[Event], part: Part, steps: ChartSteps) {
    let last = events.iter().map(|event| event.second).max();
    let end = last.map_or(0, |last| last + 1);
    let (from, to) = (part.seconds().start.min(end), part.seconds().end.min(end));
    if let Some(step) = steps.step_s {
        assert_eq!(data.step_s, step);
    }
    let asked = from.max(steps.since.min(to));
    let first = (asked - asked % data.step_s).max(from);
    assert_eq!(data.end_s, to, "{part:?}");
    if first >= to {
        assert!(data.seconds.is_empty(), "{part:?}");
        return;
    }
    assert_eq!(data.seconds[0], first, "{part:?} {steps:?}");
    for (at, step) in steps_of(data).into_iter().enumerate() {
        assert!(at == 0 || step.start % data.step_s == 0, "{part:?}");
        assert_eq!(
            step.end,
            (step.start - step.start % data.step_s + data.step_s).min(to)
        );
    }
    for line in &data.lines {
        assert_eq!(line.values.len(), data.seconds.len());
    }
}

type Counts = BTreeMap<String, Vec<Option<f64>>>;

fn counts(data: &ChartData) -> Counts {
    let lines = data.lines.iter();
    lines
        .map(|line| (line.name.clone(), line.values.clone()))
        .collect()
}

/// The same without lines of nothing: agents have one in any case.
fn without_zeros(data: &ChartData) -> Counts {
    let mut counts = counts(data);
    counts.retain(|_, values| values.iter().any(|value| *value != Some(0.0)));
    counts
}

/// What a chart must have.
fn naive(
    data: &ChartData,
    events: &[Event],
    is_in: impl Fn(&&Event) -> bool,
    line_of: impl Fn(&Event) -> (String, u64),
) -> Counts {
    let steps = steps_of(data);
    let mut counts = Counts::new();
    for event in events.iter().filter(is_in) {
        let Some(at) = steps.iter().position(|step| step.contains(&event.second)) else {
            continue;
        };
        let (name, count) = line_of(event);
        let line = counts
            .entry(name)
            .or_insert_with(|| vec![Some(0.0); steps.len()]);
        line[at] = line[at].map(|sum| sum + count as f64);
    }
    counts
}

fn check_users(data: &ChartData, events: &[Event], part: Part) {
    for line in &data.lines {
        for (step, value) in steps_of(data).into_iter().zip(&line.values) {
            // One user starts with each event, and none stops.
            let before = events.iter().filter(|event| {
                event.second < step.start && line.name == format!("name of {}", AGENTS[event.agent])
            });
            assert_eq!(*value, Some(before.count() as f64), "{part:?}");
        }
    }
}

fn check_percentiles(data: &ChartData, events: &[Event], part: Part, measure: Measure) {
    let endpoints = endpoints();
    for (at, step) in steps_of(data).into_iter().enumerate() {
        let here = events
            .iter()
            .filter(|event| part.has(event) && step.contains(&event.second));
        let mut times: Vec<u64> = here
            .filter_map(|event| match measure {
                Measure::Response => Some(event.response_us),
                Measure::Intended => intended_us(&endpoints[event.endpoint], event.response_us),
                Measure::FirstByte => Some(event.response_us / 2),
                Measure::Status => None,
            })
            .collect();
        times.sort_unstable();
        for (name, q) in [
            ("50%", 0.5),
            ("95%", 0.95),
            ("99.99%", 0.9999),
            ("100%", 1.0),
        ] {
            let line = data.lines.iter().find(|line| line.name == name).unwrap();
            let what = format!("{name} of {measure:?} in {step:?} of {part:?}");
            let Some(last) = times.len().checked_sub(1) else {
                assert_eq!(line.values[at], None, "{what}");
                continue;
            };
            let exact = times[((times.len() as f64 * q) as usize).min(last)] as f64 / 1e3;
            let value = line.values[at].unwrap();
            assert!(
                (value - exact).abs() <= exact * 0.001,
                "{what}: {value} {exact}"
            );
        }
    }
}
