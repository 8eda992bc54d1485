//! An interval without errors whose counts are bytes, and adding up many of them.

use super::Interval;
use super::measures::PerMeasure;
use super::sparse::SparseInterval;
use super::sums::Sums;
use crate::measure::count_sum::CountSum;
use crate::measure::histogram_codec::HistogramError;
use crate::measure::packed_counts::{PackedCounts, Precision};

/// Sums with the counts of each measure: for what waits and for what is kept at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PackedInterval {
    pub(crate) sums: Sums,
    pub(crate) counts: PerMeasure<PackedCounts>,
}

impl PackedInterval {
    /// Bytes that its counts take in memory.
    pub(crate) fn histogram_bytes(&self) -> usize {
        let bytes = self
            .counts
            .iter()
            .map(|(_, counts)| counts.as_bytes().len());
        bytes.sum()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.histogram_bytes()
    }

    /// The bytes of its counts.
    pub(crate) fn parts(&self) -> PerMeasure<&[u8]> {
        PerMeasure::from_fn(|measure| self.counts[measure].as_bytes())
    }

    /// Adds it to an interval.
    pub(crate) fn add_to(&self, interval: &mut Interval) -> Result<(), HistogramError> {
        interval.add_parts(&self.sums, &self.parts())
    }
}

impl From<&SparseInterval> for PackedInterval {
    fn from(interval: &SparseInterval) -> Self {
        Self {
            sums: interval.sums,
            counts: PerMeasure::from_fn(|measure| PackedCounts::from(&interval.counts[measure])),
        }
    }
}

/// A sum of intervals, whose memory is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct IntervalSum {
    sums: Sums,
    counts: PerMeasure<CountSum>,
}

impl IntervalSum {
    /// Adds an interval.
    pub(crate) fn add(&mut self, interval: &PackedInterval) -> Result<(), HistogramError> {
        self.add_parts(&interval.sums, &interval.parts(), Precision::Full)
    }

    /// Adds the parts of an interval.
    pub(crate) fn add_parts(
        &mut self,
        sums: &Sums,
        counts: &PerMeasure<&[u8]>,
        precision: Precision,
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        for (measure, sum) in self.counts.iter_mut() {
            sum.add(counts[measure], measure.precision(precision))?;
        }
        Ok(())
    }

    /// Adds an interval whose counts are encoded as they are stored.
    pub(crate) fn add_encoded(
        &mut self,
        sums: &Sums,
        counts: &PerMeasure<&[u8]>,
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        for (measure, sum) in self.counts.iter_mut() {
            let add = |body: &[u8]| sum.add(body, Precision::Full);
            measure.without_header(counts[measure], add)?;
        }
        Ok(())
    }

    /// Takes the sum out and begins anew.
    pub(crate) fn take(&mut self) -> PackedInterval {
        PackedInterval {
            sums: std::mem::take(&mut self.sums),
            counts: PerMeasure::from_fn(|measure| self.counts[measure].take()),
        }
    }
}
