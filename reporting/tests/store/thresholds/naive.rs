//! The whole definition of thresholds, of all requests of a run in a list: whole numbers over the requests themselves, and none of the
//! product's intervals, histograms or thresholds.

use std::collections::BTreeSet;
use std::ops::Range;

use greylag_infra::ThresholdState;

use super::condition::{Condition, Custom, Limit, Metric, Of};
use super::{ENDS_S, Plan};
use crate::scopes::events::{
    ERRORS, Event, arrivals_of, endpoints, is_saturated, tags_of, value_of,
};

/// A condition on a run.
pub(super) struct Naive<'a> {
    pub(super) condition: &'a Condition,
    pub(super) phase: Range<u32>,
    /// Those that the condition is about, by second.
    pub(super) events: Vec<&'a Event>,
    /// None where the baseline is unknown.
    pub(super) limit: Option<f64>,
}

/// How a condition stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stands {
    pub(super) state: ThresholdState,
    pub(super) since_s: Option<u32>,
    pub(super) actual: Option<f64>,
}

/// Those of a run's events that a condition is about.
fn meant<'a>(condition: &Condition, events: &'a [Event]) -> Vec<&'a Event> {
    let endpoints = endpoints();
    let is_meant = |event: &&Event| match condition.of {
        None => true,
        Some(of) => match of.strip_prefix("tag ") {
            Some(name) => tags_of(event).any(|tag| tag == name),
            None => {
                let endpoint = &endpoints[event.endpoint];
                format!("{} {}", endpoint.method, endpoint.name) == of
            }
        },
    };
    let mut meant: Vec<&Event> = events.iter().filter(is_meant).collect();
    meant.sort_by_key(|event| event.second);
    meant
}

/// What the histogram says instead of a value: the middle of its bucket. Those of three digits are 1 wide up to 2,047, and from each
/// power of two on 1,024 of them are as wide as each other.
fn in_bucket(size: u64) -> u64 {
    let mut width = 1;
    while size / width > 2_047 {
        width *= 2;
    }
    let middle = size / width * width + width / 2;
    assert!(middle.abs_diff(size) <= size / 1_000, "{middle} for {size}");
    middle
}

/// The value below which so many of a thousand are. The greatest is exact, and none is beyond it or the least.
fn percentile(mut values: Vec<i64>, thousandths: u64) -> i64 {
    values.sort_unstable();
    let (least, greatest) = (values[0], values[values.len() - 1]);
    let at = values.len() as u64 * thousandths / 1_000;
    match values.get(at as usize) {
        Some(value) if at + 1 < values.len() as u64 => {
            let size = in_bucket(value.unsigned_abs()) as i64;
            (size * value.signum()).clamp(least, greatest)
        }
        _ => greatest,
    }
}

fn is_share(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ErrorRate | Metric::Skipped | Metric::Saturated | Metric::Custom(_, Custom::Rate)
    )
}

fn may_be_negative(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Custom(_, Custom::Total | Custom::Last | Custom::Of(_))
    )
}

impl<'a> Naive<'a> {
    pub(super) fn new(
        condition: &'a Condition,
        plan: &Plan,
        events: &'a [Event],
        baseline: Option<f64>,
    ) -> Self {
        let [ramp_up, steady, ramp_down] = plan.phases.clone();
        let phase = match condition.during {
            None => ramp_up.end..u32::MAX,
            Some("ramp-up") => ramp_up,
            Some("steady") => steady,
            Some("ramp-down") => ramp_down,
            Some(whole) => {
                assert_eq!(whole, "whole");
                0..u32::MAX
            }
        };
        let changed = |by: &dyn Fn(f64) -> f64| {
            let changed = baseline.map(|baseline| baseline + by(baseline))?;
            // What never is negative has no negative limit, and no share is more than the whole.
            let may_be_negative = may_be_negative(condition.metric);
            Some(match may_be_negative {
                true => changed,
                false if is_share(condition.metric) => changed.clamp(0.0, 1.0),
                false => changed.max(0.0),
            })
        };
        let limit = match condition.limit {
            Limit::Fixed(limit) => Some(limit),
            // Towards the greater for +, whichever sign the baseline has.
            Limit::Relative(by) => changed(&|baseline| baseline.abs() * by),
            Limit::Absolute(by) => changed(&|_| by),
        };
        Self {
            condition,
            phase,
            events: meant(condition, events),
            limit,
        }
    }

    fn within(&self, seconds: &Range<u32>) -> &[&'a Event] {
        let at = |second: u32| self.events.partition_point(|event| event.second < second);
        &self.events[at(seconds.start)..at(seconds.end)]
    }

    /// The metric over some seconds, which took so long.
    fn value(&self, seconds: &Range<u32>, took_s: f64) -> Option<f64> {
        let here = self.within(seconds);
        let is_any = took_s > 0.0;
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        let requests = here.len() as u64;
        let failed = here.iter().filter(|event| ERRORS[event.error].is_some());
        let failures = failed.count() as u64;
        match self.condition.metric {
            Metric::Time(time, of) => {
                let times = here.iter().filter_map(|event| time(event));
                let times: Vec<i64> = times.map(|us| us as i64).collect();
                let us = match (of, times.len() as i64) {
                    (_, 0) => return None,
                    (Of::Percentile(thousandths), _) => percentile(times, thousandths),
                    // To the nearest µs.
                    (Of::Mean, count) => (2 * times.iter().sum::<i64>() + count) / (2 * count),
                    (Of::Min, _) => times.into_iter().min()?,
                    (Of::Max, _) => times.into_iter().max()?,
                };
                Some(us as f64 / 1e3)
            }
            Metric::Rps => is_any.then(|| requests as f64 / took_s),
            Metric::Requests => is_any.then_some(requests as f64),
            Metric::Failures => is_any.then_some(failures as f64),
            Metric::ErrorRate => share(failures, requests),
            Metric::Skipped => {
                let arrivals = here.iter().map(|event| arrivals_of(event));
                let (started, skipped) = arrivals.fold((0, 0), |(started, skipped), one| {
                    (started + one.started, skipped + one.skipped)
                });
                share(skipped, started + skipped)
            }
            Metric::Saturated => {
                let saturated = here.iter().map(|event| event.second);
                let saturated: BTreeSet<u32> =
                    saturated.filter(|second| is_saturated(*second)).collect();
                share(
                    saturated.len() as u64,
                    u64::from(seconds.end - seconds.start),
                )
            }
            Metric::Custom(metric, statistic) => self.custom(metric?, statistic, seconds, took_s),
        }
    }

    /// A statistic of a custom metric over some seconds.
    fn custom(
        &self,
        metric: usize,
        statistic: Custom,
        seconds: &Range<u32>,
        took_s: f64,
    ) -> Option<f64> {
        let over = |seconds: &Range<u32>| -> Vec<(u64, i64)> {
            let all = self.within(seconds).iter().map(|event| value_of(event));
            let of_it = all.filter(|(of, _, _)| *of == metric);
            of_it.map(|(_, at_us, value)| (at_us, value)).collect()
        };
        let timed = over(seconds);
        let count = timed.len() as f64;
        let sum: i64 = timed.iter().map(|(_, value)| value).sum();
        let values = timed.iter().map(|(_, value)| *value);
        let millionths = |value: i64| value as f64 / 1e6;
        // From the first value on there may be none in a window.
        let is_known = !over(&(self.phase.start..seconds.end)).is_empty();
        match statistic {
            Custom::Total => is_known.then(|| millionths(sum)),
            Custom::PerSecond => (is_known && took_s > 0.0).then(|| millionths(sum) / took_s),
            Custom::Count => is_known.then_some(count),
            _ if timed.is_empty() => None,
            Custom::Rate | Custom::Of(Of::Mean) => Some(millionths(sum) / count),
            // The greatest of several at the same time.
            Custom::Last => timed.iter().max().map(|(_, value)| millionths(*value)),
            Custom::Of(Of::Min) => values.min().map(millionths),
            Custom::Of(Of::Max) => values.max().map(millionths),
            Custom::Of(Of::Percentile(thousandths)) => {
                Some(millionths(percentile(values.collect(), thousandths)))
            }
        }
    }

    pub(super) fn is_breached(&self, value: Option<f64>) -> bool {
        let both = value.zip(self.limit);
        let sign = self.condition.sign;
        // No failures are not fewer than none, but as few as there can be.
        let is_perfect = |limit: f64| match sign.is_upper {
            true => limit == 0.0 && !may_be_negative(self.condition.metric),
            false => limit == 1.0 && is_share(self.condition.metric),
        };
        both.is_some_and(|(value, limit)| {
            let is_as_good =
                self.condition.limit.is_of_baseline() && value == limit && is_perfect(limit);
            !is_as_good && !sign.holds(value, limit)
        })
    }

    /// Whether it counts requests of a name that was never requested before a second, and may be misspelled.
    fn is_unheard_of(&self, until: u32) -> bool {
        let counts = matches!(
            self.condition.metric,
            Metric::Rps | Metric::Requests | Metric::Failures
        );
        let is_requested = || self.events.iter().any(|event| event.second < until);
        counts && self.condition.of.is_some() && !is_requested()
    }

    /// When the seconds before `until` are known; at the end of the run if it took so long.
    pub(super) fn stands(&self, until: u32, elapsed_s: Option<f64>) -> Stands {
        let phase = &self.phase;
        let is_done = elapsed_s.is_some() || (until > 0 && until >= phase.end);
        let (actual, since_s) = match self.condition.within_s {
            Some(width) => self.windows(phase.start..phase.end.min(until).min(ENDS_S), width),
            None => self.whole(phase.start..phase.end.min(until), elapsed_s, is_done),
        };
        if self.is_unheard_of(until) {
            let state = match elapsed_s {
                Some(_) => ThresholdState::NoData,
                None => ThresholdState::Pending,
            };
            return Stands {
                state,
                since_s: None,
                actual: None,
            };
        }
        let state = match actual.and(self.limit) {
            None if is_done => ThresholdState::NoData,
            None => ThresholdState::Pending,
            Some(_) if since_s.is_some() => ThresholdState::Breached,
            Some(_) if self.is_breached(actual) => ThresholdState::Pending,
            Some(_) => ThresholdState::Passed,
        };
        Stands {
            state,
            since_s,
            actual,
        }
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
        let worst = match self.condition.sign.is_upper {
            true => values.reduce(f64::max),
            false => values.reduce(f64::min),
        };
        let mut windows = windows.iter();
        let first = windows.find(|(_, value)| self.is_breached(Some(*value)));
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
        let took_s = match elapsed_s {
            Some(elapsed_s) => elapsed_s.min(f64::from(self.phase.end)) - f64::from(start),
            None => f64::from(end - start),
        };
        let actual = self.value(&seconds, took_s);
        let is_upper = self.condition.sign.is_upper;
        // More of the run can only bring these nearer to their limit.
        let grows_into = match self.condition.metric {
            Metric::Requests
            | Metric::Failures
            | Metric::Custom(_, Custom::Total | Custom::Count | Custom::Of(Of::Max))
            | Metric::Time(_, Of::Max) => !is_upper,
            Metric::Time(_, Of::Min) | Metric::Custom(_, Custom::Of(Of::Min)) => is_upper,
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
