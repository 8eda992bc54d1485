//! What the values of a custom metric add up to. Sums add up over workers, agents and seconds in any order to the same.
//!
//! Values are whole millionths. How many there are of which size is counted as in histograms of times, with three significant
//! digits, but for any size and for both signs: see [`positions`].

mod packed;
mod positions;
mod wire;

use std::collections::BTreeMap;

use greylag_infra::protocol::METRIC_ONE;

pub(crate) use self::packed::{pack, unpack};
use self::positions::{middle_at, position_at};
pub(crate) use self::wire::check_stored;
pub use self::wire::{MetricError, check_metric};
use crate::measure::histogram_codec::{HistogramError, put_counts, visit_body_up_to};

/// What values add up to, but for how many there are of which size. Values are in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MetricNumbers {
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: i128,
    /// The least, 0 without any.
    pub min: i64,
    /// The greatest, 0 without any.
    pub max: i64,
    /// When the last one came, in µs of run time.
    pub last_at_us: u64,
    /// The last one; the greatest of several at the same time.
    pub last: i64,
}

/// The same with how many values there are of which size, of a histogram.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricSums {
    /// The numbers.
    pub numbers: MetricNumbers,
    counts: BTreeMap<u32, u64>,
}

/// The same with the counts as bytes: for what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedMetric {
    /// The numbers.
    pub numbers: MetricNumbers,
    counts: Box<[u8]>,
}

impl MetricNumbers {
    fn one(value: i64, at_us: u64) -> Self {
        Self {
            count: 1,
            sum: value.into(),
            min: value,
            max: value,
            last_at_us: at_us,
            last: value,
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        (self.last_at_us, self.last) =
            (self.last_at_us, self.last).max((other.last_at_us, other.last));
    }

    /// The sum in the metric's unit.
    pub fn total(&self) -> f64 {
        in_units(self.sum)
    }

    /// The average value in the metric's unit; none without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total() / self.count as f64)
    }
}

/// Millionths as the number of the unit that is nearest.
pub fn in_units(millionths: i128) -> f64 {
    let one = METRIC_ONE as f64;
    if millionths.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        return millionths as f64 / one;
    }
    // As a whole they would be rounded twice. What is above one is exact up to 2^53, and so large that the rounding of what is below
    // one does not matter: beside 10^9 a millionth is never that close to the middle of two numbers.
    let (whole, rest) = (
        millionths / i128::from(METRIC_ONE),
        millionths % i128::from(METRIC_ONE),
    );
    whole as f64 + rest as f64 / one
}

impl MetricSums {
    /// Adds a value in millionths that came at this run time; `counted` says whether it is one of a histogram.
    pub fn record(&mut self, value: i64, at_us: u64, counted: bool) {
        self.numbers.merge(&MetricNumbers::one(value, at_us));
        if counted {
            self.count(position_at(value), 1);
        }
    }

    /// About how many bytes its counts take in memory.
    pub fn count_bytes(&self) -> usize {
        /// A position and its count, and what the tree takes beside them.
        const COUNT_BYTES: usize = 24;
        self.counts.len() * COUNT_BYTES
    }

    fn count(&mut self, position: u32, count: u64) {
        let counted = self.counts.entry(position).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.numbers.merge(&other.numbers);
        for (position, count) in &other.counts {
            self.count(*position, *count);
        }
    }

    /// Adds others, whose counts have been checked.
    pub fn add(&mut self, packed: &PackedMetric) {
        self.numbers.merge(&packed.numbers);
        let added = visit_counts(&packed.counts, |position, count| {
            self.count(position, count)
        });
        debug_assert!(added.is_ok(), "{added:?}");
    }

    /// Takes away again what was added before, but for the least, the greatest and the last value.
    pub(crate) fn take_away(&mut self, other: &Self) {
        let numbers = &mut self.numbers;
        numbers.count = numbers.count.saturating_sub(other.numbers.count);
        numbers.sum = numbers.sum.saturating_sub(other.numbers.sum);
        for (position, count) in &other.counts {
            if let Some(counted) = self.counts.get_mut(position) {
                *counted = counted.saturating_sub(*count);
                if *counted == 0 {
                    self.counts.remove(position);
                }
            }
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.numbers.count == 0
    }

    /// The value in millionths below which the fraction `q` (0 to 1) of the values lies, as
    /// [`Interval::percentile_us`](crate::Interval::percentile_us) has it: within 0.1 % and never outside of the least and the
    /// greatest. None where values are not counted by size.
    pub fn percentile(&self, q: f64) -> Option<i64> {
        let [percentile] = self.percentiles([q])?;
        Some(percentile)
    }

    /// The same where the least and the greatest of the values are these.
    pub(crate) fn percentile_within(&self, q: f64, ends: (i64, i64)) -> Option<i64> {
        let [percentile] = self.percentiles_within([q], ends)?;
        Some(percentile)
    }

    /// The same of ascending fractions.
    pub fn percentiles<const N: usize>(&self, ascending: [f64; N]) -> Option<[i64; N]> {
        self.percentiles_within(ascending, (self.numbers.min, self.numbers.max))
    }

    fn percentiles_within<const N: usize>(
        &self,
        ascending: [f64; N],
        (least, greatest): (i64, i64),
    ) -> Option<[i64; N]> {
        let total = self
            .counts
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count));
        let last = total.checked_sub(1)?;
        let mut counts = self.counts.iter();
        let mut seen = 0_u64;
        let mut reached = least;
        Some(ascending.map(|q| {
            let index = ((total as f64 * q) as u64).min(last);
            if index == last {
                return greatest;
            }
            while seen <= index
                && let Some((position, count)) = counts.next()
            {
                seen = seen.saturating_add(*count);
                reached = middle_at(*position).clamp(least, greatest);
            }
            reached
        }))
    }

    fn counts_as_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_counts(
            &mut bytes,
            self.counts.iter().map(|(at, count)| (*at, *count)),
        );
        bytes
    }
}

impl PackedMetric {
    /// Bytes that its counts take in memory.
    pub(crate) fn count_bytes(&self) -> usize {
        self.counts.len()
    }
}

fn visit_counts(body: &[u8], visit: impl FnMut(u32, u64)) -> Result<(), HistogramError> {
    visit_body_up_to(body, positions::LAST, visit)
}

#[cfg(test)]
mod tests;
