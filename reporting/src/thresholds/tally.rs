//! What seconds add up to, and what is taken away again of those that leave a window.

use greylag_infra::{CustomStatistic, ThresholdMetric, TimeStatistic};

use super::measure_of;
use crate::measure::arrivals::Arrivals;
use crate::measure::custom::{MetricSums, in_units};
use crate::measure::histogram_codec::{BucketCounts, middle_of};
use crate::measure::interval::{Sums, Times, ms};

/// What a need has in one second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(crate) sums: Sums,
    /// The counts of the times that were asked for.
    pub(crate) counts: BucketCounts,
    pub(crate) arrivals: Arrivals,
    pub(crate) saturated: bool,
    /// The values of the custom metric that was asked for.
    pub(crate) metric: MetricSums,
}

/// What some seconds add up to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sums: Sums,
    /// By position in the histogram; as long as the greatest time needs.
    counts: Vec<u64>,
    arrivals: Arrivals,
    saturated: u64,
    metric: MetricSums,
    /// Whether the custom metric ever had values.
    has_metric: bool,
}

impl Tally {
    pub(super) fn add(&mut self, second: &Second) {
        self.sums.merge(&second.sums);
        for (position, count) in second.counts.iter() {
            let at = position as usize;
            if self.counts.len() <= at {
                self.counts.resize(at + 1, 0);
            }
            self.counts[at] = self.counts[at].saturating_add(count);
        }
        self.arrivals.merge(second.arrivals);
        self.saturated += u64::from(second.saturated);
        self.metric.merge(&second.metric);
        self.has_metric |= !second.metric.is_empty();
    }

    /// Takes away what was added. The least and the greatest time stay as they were.
    pub(super) fn take_away(&mut self, second: &Second) {
        let less = |from: &mut u64, by: u64| *from = from.saturating_sub(by);
        let without = |from: &mut Times, by: &Times| {
            less(&mut from.count, by.count);
            less(&mut from.sum_us, by.sum_us);
        };
        let (sums, gone) = (&mut self.sums, &second.sums);
        without(&mut sums.response, &gone.response);
        without(&mut sums.first_byte, &gone.first_byte);
        without(&mut sums.intended, &gone.intended);
        less(&mut sums.failures, gone.failures);
        for (position, count) in second.counts.iter() {
            if let Some(counted) = self.counts.get_mut(position as usize) {
                less(counted, count);
            }
        }
        less(&mut self.arrivals.started, second.arrivals.started);
        less(&mut self.arrivals.skipped, second.arrivals.skipped);
        less(&mut self.saturated, u64::from(second.saturated));
        self.metric.take_away(&second.metric);
    }

    /// A metric in its unit, of so many seconds of which `whole` have been counted; `ends` are the least and the greatest
    /// time, if they are not those of everything that was ever added. None where there is nothing that it could be of.
    pub(super) fn value(
        &self,
        metric: ThresholdMetric,
        seconds: f64,
        whole: u32,
        ends: Option<(i64, i64)>,
    ) -> Option<f64> {
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let Sums { failures, .. } = self.sums;
        let requests = self.sums.requests();
        match metric {
            ThresholdMetric::Time(span, statistic) => {
                let mut times = measure_of(span).times_in(&self.sums)?;
                if let Some((least, greatest)) = ends {
                    // Times are far below the greatest of either.
                    times.min_us = least.cast_unsigned();
                    times.max_us = greatest.cast_unsigned();
                }
                (times.count > 0).then(|| match statistic {
                    TimeStatistic::Percentile(percentile) => {
                        ms(self.percentile(times, percentile.fraction()))
                    }
                    TimeStatistic::Mean => times.avg_ms(),
                    TimeStatistic::Min => ms(times.min_us),
                    TimeStatistic::Max => ms(times.max_us),
                })
            }
            ThresholdMetric::RequestsPerSecond => {
                (seconds > 0.0).then(|| requests as f64 / seconds)
            }
            ThresholdMetric::Requests => (whole > 0).then_some(requests as f64),
            ThresholdMetric::Failures => (whole > 0).then_some(failures as f64),
            ThresholdMetric::ErrorRate => share(failures, requests),
            ThresholdMetric::Skipped => {
                let Arrivals {
                    started, skipped, ..
                } = self.arrivals;
                share(skipped, started.saturating_add(skipped))
            }
            ThresholdMetric::Saturated => share(self.saturated, whole.into()),
            ThresholdMetric::Custom(statistic) => self.custom(statistic, seconds, ends),
        }
    }

    /// A statistic of the custom metric.
    fn custom(
        &self,
        statistic: CustomStatistic,
        seconds: f64,
        ends: Option<(i64, i64)>,
    ) -> Option<f64> {
        let numbers = &self.metric.numbers;
        let units = |value: i64| in_units(value.into());
        // From the first value on there may be none in a window.
        let counted = |number: f64| self.has_metric.then_some(number);
        let (least, greatest) = ends.unwrap_or((numbers.min, numbers.max));
        match statistic {
            CustomStatistic::Total => counted(numbers.total()),
            CustomStatistic::PerSecond => {
                counted(numbers.total() / seconds).filter(|_| seconds > 0.0)
            }
            CustomStatistic::Count => counted(numbers.count as f64),
            _ if self.metric.is_empty() => None,
            CustomStatistic::Rate | CustomStatistic::Values(TimeStatistic::Mean) => numbers.mean(),
            CustomStatistic::Last => Some(units(numbers.last)),
            CustomStatistic::Values(TimeStatistic::Min) => Some(units(least)),
            CustomStatistic::Values(TimeStatistic::Max) => Some(units(greatest)),
            CustomStatistic::Values(TimeStatistic::Percentile(percentile)) => {
                let ends = (least, greatest);
                self.metric
                    .percentile_within(percentile.fraction(), ends)
                    .map(units)
            }
        }
    }

    /// As [`crate::Interval::percentile_us`] has it.
    fn percentile(&self, times: Times, q: f64) -> u64 {
        let last = times.count.saturating_sub(1);
        let index = ((times.count as f64 * q) as u64).min(last);
        if index == last {
            return times.max_us;
        }
        let mut seen = 0_u64;
        let mut counts = (0_u32..).zip(&self.counts);
        let reached = counts.find(|(_, count)| {
            seen = seen.saturating_add(**count);
            seen > index
        });
        reached.map_or(times.max_us, |(position, _)| {
            middle_of(position).clamp(times.min_us, times.max_us)
        })
    }
}
