//! An interval without errors whose histograms are bytes, and adding up many of them.

use super::Interval;
use super::sparse::SparseInterval;
use super::sums::Sums;
use crate::measure::histogram_codec::HistogramError;
use crate::measure::packed_counts::{CountSum, PackedCounts, Precision};

/// Sums with the counts of the response times and of those from the intended start: for what waits and for what is
/// kept at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PackedInterval {
    pub(crate) sums: Sums,
    pub(crate) response: PackedCounts,
    pub(crate) intended: PackedCounts,
}

impl PackedInterval {
    /// Bytes that its histograms take in memory.
    pub(crate) fn histogram_bytes(&self) -> usize {
        self.response.as_bytes().len() + self.intended.as_bytes().len()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.histogram_bytes()
    }

    /// The same with an array for each histogram.
    pub(crate) fn to_interval(&self) -> Result<Interval, HistogramError> {
        let mut interval = Interval::default();
        self.add_to(&mut interval)?;
        Ok(interval)
    }

    /// Adds it to an interval.
    pub(crate) fn add_to(&self, interval: &mut Interval) -> Result<(), HistogramError> {
        interval.add(&SparseInterval {
            sums: self.sums,
            response: self.response.to_bucket_counts()?,
            intended: self.intended.to_bucket_counts()?,
        });
        Ok(())
    }
}

impl From<&SparseInterval> for PackedInterval {
    fn from(interval: &SparseInterval) -> Self {
        Self {
            sums: interval.sums,
            response: PackedCounts::from(&interval.response),
            intended: PackedCounts::from(&interval.intended),
        }
    }
}

/// A sum of intervals, whose memory is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct IntervalSum {
    sums: Sums,
    response: CountSum,
    intended: CountSum,
}

impl IntervalSum {
    /// Adds an interval.
    pub(crate) fn add(&mut self, interval: &PackedInterval) -> Result<(), HistogramError> {
        self.add_parts(
            &interval.sums,
            interval.response.as_bytes(),
            interval.intended.as_bytes(),
            Precision::Full,
        )
    }

    /// Adds the parts of an interval.
    pub(crate) fn add_parts(
        &mut self,
        sums: &Sums,
        response: &[u8],
        intended: &[u8],
        precision: Precision,
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        self.response.add(response, precision)?;
        self.intended.add(intended, precision)
    }

    /// Adds an interval whose histograms are encoded as HdrHistogram's V2, in either form.
    pub(crate) fn add_encoded(
        &mut self,
        sums: &Sums,
        response: &[u8],
        intended: &[u8],
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        self.response.add_encoded(response)?;
        self.intended.add_encoded(intended)
    }

    /// Takes the sum out and begins anew.
    pub(crate) fn take(&mut self) -> PackedInterval {
        PackedInterval {
            sums: std::mem::take(&mut self.sums),
            response: self.response.take(),
            intended: self.intended.take(),
        }
    }
}
