//! Thresholds say of a run what a naive evaluation of all its requests says, whatever came when and from which agent: in the
//! end, and at any second before.

use std::collections::BTreeSet;
use std::ops::Range;

use greylag_infra::{
    CustomStatistic, LoadProfile, ProfileStep, RunPhase, RunRecord, RunTime, Threshold,
    ThresholdMetric, ThresholdPhase, ThresholdResult, ThresholdState, ThresholdSubject,
    TimeStatistic, TimedSpan,
};
use greylag_reporting::{Arrivals, Interval, Measure, Store, ThresholdAbort};
use proptest::prelude::*;

use crate::scopes::events::{
    AGENTS, Event, NOW, agent_events, arrivals_of, endpoints, is_saturated, metrics, sums_of,
    tags_of,
};
use crate::scopes::{count, save_all};
use crate::support::run;

/// When the run ends, as planned, and has ended.
const ENDS_S: u32 = 600;
const ELAPSED_S: f64 = 600.5;

/// A plan with the phases that follow from it: ramp-up, steady, ramp-down.
#[derive(Debug, Clone)]
struct Plan {
    profile: LoadProfile,
    phases: [Range<u32>; 3],
}

fn plans() -> [Plan; 3] {
    let plan = |steps: &[(u32, u64, u64)], phases| {
        let steps = steps.iter().map(|(at_s, users, over_s)| ProfileStep {
            at: RunTime::of_second(*at_s),
            users: *users,
            over_us: over_s * 1_000_000,
        });
        let profile = LoadProfile {
            steps: steps.collect(),
            ends_at: RunTime::of_second(ENDS_S),
            ..LoadProfile::default()
        };
        Plan { profile, phases }
    };
    [
        plan(&[(0, 100, 40)], [0..40, 40..600, 0..0]),
        plan(
            &[(0, 100, 130), (480, 10, 100)],
            [0..130, 130..480, 480..u32::MAX],
        ),
        plan(&[(0, 100, 0)], [0..0, 0..600, 0..0]),
    ]
}

fn threshold() -> impl Strategy<Value = String> {
    let metrics = [
        ("p95", "ms", 1_000..5_000_u32),
        ("p50", "ms", 1_000..4_000),
        ("p99.9", "ms", 3_000..5_000),
        ("mean", "ms", 1_500..3_500),
        ("min", "ms", 1..500),
        ("max", "ms", 3_000..5_000),
        ("ttfb.p90", "ms", 500..2_500),
        ("ttfb.max", "ms", 1_000..2_500),
        ("intended.median", "ms", 2_000..12_000),
        ("intended.mean", "ms", 2_000..12_000),
        ("rps", "", 1..3),
        ("requests", "", 1..300),
        ("failures", "", 1..150),
        ("error_rate", "%", 20..80),
        ("skipped", "%", 20..60),
        ("generator.saturated", "%", 1..20),
        ("metric sent total", "", 1..200),
        ("metric sent per_second", "", 0..3),
        ("metric sent count", "", 1..80),
        ("metric depth last", "", 0..5),
        ("metric depth min", "", 0..3),
        ("metric depth max", "", 0..6),
        ("metric hits rate", "%", 20..80),
        ("metric \"tokens per second\" p90", "", 1..5),
        ("metric \"tokens per second\" p50", "", 0..2),
        ("metric \"tokens per second\" mean", "", 0..2),
        ("metric \"tokens per second\" max", "", 1..6),
        ("metric \"tokens per second\" count", "", 1..80),
        ("metric never count", "", 1..5),
        ("metric sent p95", "", 1..5),
    ];
    let metric = prop::sample::select(metrics.to_vec());
    let metric = metric.prop_flat_map(|(name, unit, limits)| {
        let sign = prop::sample::select(vec!["<", "<=", ">", ">="]);
        (Just(name), sign, limits, Just(unit))
    });
    let of = prop::option::of(prop::sample::select(vec![
        "GET /a",
        "GET /b",
        "POST /b",
        "GET /never",
        "tag api",
        "tag slow",
        "tag never",
    ]));
    let phases = vec!["ramp-up", "steady", "ramp-down", "whole"];
    let during = prop::option::of(prop::sample::select(phases));
    let within = prop::option::of(prop::sample::select(vec![1_u32, 7, 30, 90, 700]));
    let abort = prop::option::weighted(0.1, prop::sample::select(vec![1_u32, 20, 200]));
    let parts = (metric, of, during, within, abort);
    parts.prop_map(|((name, sign, limit, unit), of, during, within, abort)| {
        let is_of_requests =
            !matches!(name, "skipped" | "generator.saturated") && !name.starts_with("metric");
        // That no value is below 0 cannot be asked.
        let is_never = sign == "<" && limit == 0;
        let limit = limit + u32::from(is_never);
        let mut text = format!("{name} {sign} {limit}{unit}");
        if let Some(of) = of.filter(|_| is_of_requests) {
            text += &format!(" for {of}");
        }
        if let Some(during) = during {
            text += &format!(" during {during}");
        }
        if let Some(within) = within {
            text += &format!(" within {within}s");
        }
        if let Some(abort) = abort {
            text += &format!(" abort after {abort}s");
        }
        text
    })
}

/// The whole definition, of all requests of a run in a list.
struct Naive<'a> {
    events: &'a [Event],
    plan: &'a Plan,
    threshold: Threshold,
}

impl Naive<'_> {
    fn seconds(&self) -> Range<u32> {
        let [ramp_up, steady, ramp_down] = self.plan.phases.clone();
        match self.threshold.during {
            ThresholdPhase::Whole => 0..u32::MAX,
            ThresholdPhase::AfterRampUp => steady.start..u32::MAX,
            ThresholdPhase::RampUp => ramp_up,
            ThresholdPhase::Steady => steady,
            ThresholdPhase::RampDown => ramp_down,
        }
    }

    /// The metric over some seconds, which took so long.
    fn value(&self, seconds: &Range<u32>, took_s: f64) -> Option<f64> {
        let all = self.events.iter();
        let here: Vec<&Event> = all
            .filter(|event| seconds.contains(&event.second))
            .collect();
        let endpoints = endpoints();
        let is_meant = |event: &&&Event| match &self.threshold.of {
            ThresholdSubject::All | ThresholdSubject::Metric { .. } => true,
            ThresholdSubject::Endpoint { method, name } => {
                let endpoint = &endpoints[event.endpoint];
                (&endpoint.method, &endpoint.name) == (method, name)
            }
            ThresholdSubject::Tag { name } => tags_of(event).any(|tag| tag == name),
        };
        let mut interval = Interval::default();
        for event in here.iter().filter(is_meant) {
            count(&mut interval, event, &endpoints[event.endpoint]);
        }
        let sums = interval.sums();
        let is_any = took_s > 0.0;
        match self.threshold.metric {
            ThresholdMetric::Time(span, statistic) => {
                let (measure, times) = match span {
                    TimedSpan::Response => (Measure::Response, sums.response),
                    TimedSpan::FirstByte => (Measure::FirstByte, sums.first_byte),
                    TimedSpan::Intended => (Measure::Intended, sums.intended),
                };
                (times.count > 0).then(|| match statistic {
                    TimeStatistic::Percentile(percentile) => {
                        let us = interval.percentile_of(measure, percentile.fraction());
                        us.unwrap() as f64 / 1e3
                    }
                    TimeStatistic::Mean => (times.sum_us as f64 / times.count as f64).round() / 1e3,
                    TimeStatistic::Min => times.min_us as f64 / 1e3,
                    TimeStatistic::Max => times.max_us as f64 / 1e3,
                })
            }
            ThresholdMetric::RequestsPerSecond => is_any.then(|| sums.requests() as f64 / took_s),
            ThresholdMetric::Requests => is_any.then_some(sums.requests() as f64),
            ThresholdMetric::Failures => is_any.then_some(sums.failures as f64),
            ThresholdMetric::ErrorRate => (sums.requests() > 0).then(|| sums.error_rate()),
            ThresholdMetric::Skipped => {
                let mut sum = Arrivals::default();
                for event in &here {
                    sum.started += arrivals_of(event).started;
                    sum.skipped += arrivals_of(event).skipped;
                }
                let all = sum.started + sum.skipped;
                (all > 0).then(|| sum.skipped as f64 / all as f64)
            }
            ThresholdMetric::Custom(statistic) => self.custom(statistic, seconds, took_s),
            ThresholdMetric::Saturated => {
                let saturated = here.iter().filter(|event| is_saturated(event.second));
                let saturated: BTreeSet<u32> = saturated.map(|event| event.second).collect();
                let seconds = (seconds.end - seconds.start) as f64;
                (seconds > 0.0).then(|| saturated.len() as f64 / seconds)
            }
        }
    }

    /// A statistic of a custom metric over some seconds.
    fn custom(&self, statistic: CustomStatistic, seconds: &Range<u32>, took_s: f64) -> Option<f64> {
        let ThresholdSubject::Metric { name } = &self.threshold.of else {
            panic!("it names its metric");
        };
        let metrics = metrics();
        let metric = metrics.iter().position(|metric| metric.name == *name)?;
        if !statistic.is_of(metrics[metric].kind) {
            return None;
        }
        let over = |seconds: Range<u32>| {
            let all = self.events.iter();
            sums_of(metric, all.filter(|event| seconds.contains(&event.second)))
        };
        let sums = over(seconds.clone());
        let is_known = !over(self.seconds().start..seconds.end).is_empty();
        let numbers = &sums.numbers;
        let units = |value: i64| value as f64 / 1e6;
        let of_any = |value: i64| (!sums.is_empty()).then(|| units(value));
        match statistic {
            CustomStatistic::Total => is_known.then(|| numbers.sum as f64 / 1e6),
            CustomStatistic::PerSecond => {
                (is_known && took_s > 0.0).then(|| numbers.sum as f64 / 1e6 / took_s)
            }
            CustomStatistic::Count => is_known.then_some(numbers.count as f64),
            CustomStatistic::Rate | CustomStatistic::Values(TimeStatistic::Mean) => {
                (!sums.is_empty()).then(|| numbers.sum as f64 / 1e6 / numbers.count as f64)
            }
            CustomStatistic::Last => of_any(numbers.last),
            CustomStatistic::Values(TimeStatistic::Min) => of_any(numbers.min),
            CustomStatistic::Values(TimeStatistic::Max) => of_any(numbers.max),
            CustomStatistic::Values(TimeStatistic::Percentile(percentile)) => {
                sums.percentile(percentile.fraction()).map(units)
            }
        }
    }

    fn is_breached(&self, value: Option<f64>) -> bool {
        let limit = self.threshold.limit_value(None).unwrap();
        value.is_some_and(|value| !self.threshold.holds(value, limit))
    }

    /// State, since when, and the value, when the seconds before `until` are known; at the end of the run if it took so long.
    fn judged(
        &self,
        until: u32,
        elapsed_s: Option<f64>,
    ) -> (ThresholdState, Option<u32>, Option<f64>) {
        let phase = self.seconds();
        let is_done = elapsed_s.is_some() || (until > 0 && until >= phase.end);
        let (actual, since) = match self.threshold.within_s {
            Some(width) => self.windows(phase.start..phase.end.min(until).min(ENDS_S), width),
            None => self.whole(phase.start..phase.end.min(until), elapsed_s, is_done),
        };
        let state = match actual {
            None if is_done => ThresholdState::NoData,
            None => ThresholdState::Pending,
            Some(_) if since.is_some() => ThresholdState::Breached,
            Some(_) if self.is_breached(actual) => ThresholdState::Pending,
            Some(_) => ThresholdState::Passed,
        };
        (state, since, actual)
    }

    /// The worst of all windows, and the last second of the first that is breached.
    fn windows(&self, seconds: Range<u32>, width: u32) -> (Option<f64>, Option<u32>) {
        let ends = seconds.start.saturating_add(width)..=seconds.end;
        let windows = ends.filter_map(|end| {
            let value = self.value(&(end - width..end), f64::from(width))?;
            Some((end - 1, value))
        });
        let windows: Vec<(u32, f64)> = windows.collect();
        let values = windows.iter().map(|(_, value)| *value);
        let worst = if self.threshold.comparison.is_upper() {
            values.reduce(f64::max)
        } else {
            values.reduce(f64::min)
        };
        let first = windows
            .iter()
            .find(|(_, value)| self.is_breached(Some(*value)));
        (worst, first.map(|(second, _)| *second))
    }

    /// The value of the phase, and since which second it has been breached without a break.
    fn whole(
        &self,
        seconds: Range<u32>,
        elapsed_s: Option<f64>,
        is_done: bool,
    ) -> (Option<f64>, Option<u32>) {
        let Range { start, end } = seconds.clone();
        if start >= end {
            return (None, None);
        }
        let end_of_phase = f64::from(self.seconds().end);
        let took_s = match elapsed_s {
            Some(elapsed_s) => elapsed_s.min(end_of_phase) - f64::from(start),
            None => f64::from(end - start),
        };
        let actual = self.value(&seconds, took_s);
        let grows_into = match self.threshold.metric {
            ThresholdMetric::Requests
            | ThresholdMetric::Failures
            | ThresholdMetric::Custom(
                CustomStatistic::Total
                | CustomStatistic::Count
                | CustomStatistic::Values(TimeStatistic::Max),
            )
            | ThresholdMetric::Time(_, TimeStatistic::Max) => !self.threshold.comparison.is_upper(),
            ThresholdMetric::Time(_, TimeStatistic::Min)
            | ThresholdMetric::Custom(CustomStatistic::Values(TimeStatistic::Min)) => {
                self.threshold.comparison.is_upper()
            }
            _ => false,
        };
        if !self.is_breached(actual) || (grows_into && !is_done) {
            return (actual, None);
        }
        let mut since = end - 1;
        // How long the run took is known only in the end.
        let at_last = self.value(&seconds, f64::from(end - start));
        let goes_back = !grows_into && self.is_breached(at_last);
        while goes_back && since > start {
            let value = self.value(&(start..since), f64::from(since - start));
            if !self.is_breached(value) {
                break;
            }
            since -= 1;
        }
        (actual, Some(since))
    }
}

fn check(
    results: &[ThresholdResult],
    events: &[Event],
    plan: &Plan,
    until: u32,
    elapsed_s: Option<f64>,
) {
    for result in results {
        let naive = Naive {
            events,
            plan,
            threshold: result.condition.parse().unwrap(),
        };
        let (state, since, actual) = naive.judged(until, elapsed_s);
        let found = (result.state, result.breached_since_s);
        assert_eq!(found, (state, since), "{} at {until}", result.condition);
        // What is kept was written as text.
        let is_same = |(one, other): (f64, f64)| (one - other).abs() <= other.abs() * 1e-12;
        assert_eq!(result.actual.is_some(), actual.is_some());
        assert!(
            result.actual.zip(actual).is_none_or(is_same),
            "{}: {:?} instead of {actual:?}",
            result.condition,
            result.actual
        );
        let is_unexplained = result.explanation.is_none();
        assert_eq!(is_unexplained, result.state != ThresholdState::NoData);
    }
}

/// The first threshold for which the run is to be stopped when the seconds before `until` are known, and since when.
fn naive_abort(
    record: &RunRecord,
    events: &[Event],
    plan: &Plan,
    until: u32,
) -> Option<ThresholdAbort> {
    let mut thresholds = record.test.thresholds.iter();
    thresholds.find_map(|threshold| {
        let naive = Naive {
            events,
            plan,
            threshold: threshold.clone(),
        };
        let (_, since, _) = naive.judged(until, None);
        let since_s = since?;
        let is_due = until - since_s >= threshold.abort_after_s?;
        is_due.then(|| ThresholdAbort {
            threshold: threshold.to_string(),
            since_s,
        })
    })
}

/// All agents have delivered the seconds before this one.
fn delivered(record: &RunRecord, until: u32) -> RunRecord {
    let mut record = record.clone();
    for agent in &mut record.agents {
        agent.saved_until = until;
    }
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn thresholds_equal_a_naive_evaluation_of_all_requests(
        a in agent_events(),
        b in agent_events(),
        c in agent_events(),
        texts in prop::collection::vec(threshold(), 50),
        plan in prop::sample::select(plans().to_vec()),
        early in 0..300_u32,
        moments in prop::collection::btree_set(0..700_u32, 3),
        is_restarted in any::<bool>(),
        closely in 0..200_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let mut new = run("r", "test", &AGENTS);
            new.profile = plan.profile.clone();
            new.test.thresholds = texts.iter().map(|text| text.parse().unwrap()).collect();
            let mut record = store.create_run(new).await.unwrap();
            // Judged when hardly anything is there: what comes later of these seconds counts in the end.
            store.judge(&delivered(&record, early)).await.unwrap();
            let events = save_all(&store, &record, &[a, b, c]).await;

            // In progress, by a coordinator that begins anew.
            let store = if is_restarted {
                store.close().await;
                let store = Store::open(dir.path()).unwrap();
                // Second by second for a while, because the run must be stopped in the right one.
                let closely = closely..closely + 30;
                for until in closely.chain(moments.into_iter().filter(|moment| *moment >= 230)) {
                    let judgement = store.judge(&delivered(&record, until)).await.unwrap();
                    check(&judgement.results, &events, &plan, until, None);
                    let abort = naive_abort(&record, &events, &plan, until);
                    prop_assert_eq!(judgement.abort, abort, "at {}", until);
                }
                store
            } else {
                store
            };

            record.phase = RunPhase::Finished;
            record.ended_at = Some(NOW);
            store.update_run(&record).await.unwrap();
            let results = store.threshold_results(&record).await.unwrap();
            let last = events.iter().map(|event| event.second + 1).max().unwrap_or(0);
            let until = last.max(ELAPSED_S as u32);
            check(&results, &events, &plan, until, Some(ELAPSED_S));

            // Kept, whoever asks.
            store.close().await;
            let store = Store::open(dir.path()).unwrap();
            prop_assert_eq!(&store.threshold_results(&record).await.unwrap(), &results);
            Ok(())
        })?;
    }
}
