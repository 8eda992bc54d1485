//! How times are distributed: in buckets for a histogram, and by percentile for a curve.

use serde::Serialize;

use crate::measure::interval::{Interval, Measure, ms};

/// Buckets per factor of ten.
const BUCKETS_PER_DECADE: i32 = 20;
/// Points of the curve per nine: from 90 % to 99 %, from 99 % to 99.9 %, …
const POINTS_PER_NINE: u32 = 10;
/// The last point is at 99.9999 %, or where a single request is slower.
const MAX_NINES: u32 = 6;

/// How some times are distributed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Distribution {
    /// How many times there are.
    pub count: u64,
    /// The least, exact.
    pub min_ms: f64,
    /// The greatest, exact.
    pub max_ms: f64,
    /// Neighbouring ranges that grow evenly on a logarithmic scale, from the least time to the greatest.
    pub buckets: Vec<DistributionBucket>,
    /// Percentiles in ascending order, evenly on a scale of nines.
    pub curve: Vec<CurvePoint>,
}

/// Times in a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct DistributionBucket {
    /// From this time on.
    pub from_ms: f64,
    /// Up to this one, exclusive.
    pub to_ms: f64,
    /// How many, to 0.1 % at its ends.
    pub count: u64,
}

/// A percentile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct CurvePoint {
    /// So much of all times in per cent is at most `ms`.
    pub percentile: f64,
    /// The time.
    pub ms: f64,
}

impl Distribution {
    /// That of the times of an interval.
    pub fn of(interval: &Interval, measure: Measure) -> Self {
        let count: u64 = interval
            .distribution_of(measure)
            .map(|(_, count)| count)
            .sum();
        let fractions: Vec<f64> = fractions(count).collect();
        let (Some(least), Some(greatest), Some(curve)) = (
            interval.least_of(measure),
            interval.percentile_of(measure, 1.0),
            interval.percentiles_along(measure, fractions.iter().copied()),
        ) else {
            return Self::default();
        };
        Self {
            count,
            min_ms: ms(least),
            max_ms: ms(greatest),
            buckets: buckets(interval, measure),
            curve: fractions
                .iter()
                .zip(curve)
                .map(|(fraction, us)| CurvePoint {
                    percentile: (fraction * 1e8).round() / 1e6,
                    ms: ms(us),
                })
                .collect(),
        }
    }
}

/// The fractions at which the curve of so many times has points.
fn fractions(count: u64) -> impl Iterator<Item = f64> {
    let last = MAX_NINES * POINTS_PER_NINE;
    let nines = move |point: u32| f64::from(point) / f64::from(POINTS_PER_NINE);
    // Where less than one time is left there is nothing more to see.
    let is_there = move |point: &u32| count as f64 * 10_f64.powf(-nines(*point)) >= 1.0;
    let points = (0..=last).take_while(is_there);
    points.map(move |point| 1.0 - 10_f64.powf(-nines(point)))
}

fn buckets(interval: &Interval, measure: Measure) -> Vec<DistributionBucket> {
    let edge_us = |bucket: i32| 10_f64.powf(f64::from(bucket) / f64::from(BUCKETS_PER_DECADE));
    let bucket_of = |us: u64| {
        let guess = ((us.max(1) as f64).log10() * f64::from(BUCKETS_PER_DECADE)).floor() as i32;
        // Whatever the logarithm's rounding.
        if edge_us(guess + 1) <= us as f64 {
            guess + 1
        } else {
            guess
        }
    };
    let mut buckets: Vec<DistributionBucket> = Vec::new();
    let mut first = 0;
    for (us, count) in interval.distribution_of(measure) {
        let bucket = bucket_of(us);
        if buckets.is_empty() {
            first = bucket;
        }
        let at = usize::try_from(bucket - first).unwrap_or(0);
        while buckets.len() <= at {
            let next = first + i32::try_from(buckets.len()).unwrap_or(i32::MAX);
            buckets.push(DistributionBucket {
                from_ms: rounded(edge_us(next) / 1e3),
                to_ms: rounded(edge_us(next + 1) / 1e3),
                count: 0,
            });
        }
        buckets[at].count += count;
    }
    buckets
}

/// To four digits.
fn rounded(ms: f64) -> f64 {
    let digits = 10_f64.powi(3 - ms.log10().floor() as i32);
    (ms * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_distribution() {
        let nothing = Distribution::of(&Interval::default(), Measure::FirstByte);
        assert_eq!(nothing, Distribution::default());
    }

    #[test]
    fn the_curve_ends_where_a_single_request_is_slower() {
        for (count, last) in [(1, 0.0), (100, 99.0), (3_000, 99.960_189)] {
            let mut interval = Interval::default();
            for us in 1..=count {
                interval.record(Duration::from_micros(us), None, 0, None);
            }
            let curve = Distribution::of(&interval, Measure::Response).curve;
            let end = curve.last().expect("it has points").percentile;
            assert!((end - last).abs() < 1e-5, "{end} of {count}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_in_its_bucket_and_the_curve_is_of_percentiles(
            mut times in prop::collection::vec(0..3_600_000_000_u64, 1..500),
        ) {
            let mut interval = Interval::default();
            for us in &times {
                interval.record(Duration::from_micros(*us), None, 0, None);
            }
            times.sort_unstable();
            let distribution = Distribution::of(&interval, Measure::Response);
            let of = |sum: u64, bucket: &DistributionBucket| sum + bucket.count;
            prop_assert_eq!(distribution.count, times.len() as u64);
            prop_assert_eq!(distribution.buckets.iter().fold(0, of), distribution.count);
            prop_assert_eq!(distribution.min_ms, times[0] as f64 / 1e3);
            prop_assert_eq!(distribution.max_ms, times[times.len() - 1] as f64 / 1e3);
            for pair in distribution.buckets.windows(2) {
                prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
            }
            // Within the histogram's and the edges' precision.
            for bucket in &distribution.buckets {
                let below = |edge: f64| times.iter().filter(|us| (**us as f64) < edge * 1e3).count() as u64;
                let sure = below(bucket.to_ms * 0.998).saturating_sub(below(bucket.from_ms * 1.002));
                let possible = below(bucket.to_ms * 1.002) - below(bucket.from_ms * 0.998);
                let is_first = bucket.from_ms <= 0.001;
                prop_assert!(bucket.count >= sure, "{:?}", bucket);
                prop_assert!(is_first || bucket.count <= possible, "{:?}", bucket);
            }
            for point in &distribution.curve {
                let expected = interval.percentile_us(point.percentile / 100.0).unwrap();
                let at = times.len() as f64 * point.percentile / 100.0;
                // Where rounding decides between two times, either is right.
                if (at - at.round()).abs() > 1e-3 {
                    prop_assert_eq!(point.ms, ms(expected));
                }
            }
            prop_assert!(distribution.curve.is_sorted_by(|a, b| a.percentile < b.percentile && a.ms <= b.ms));
        }
    }
}
