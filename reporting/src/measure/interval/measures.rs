//! What the requests of an interval are counted by: the one list of histograms, and how each travels.
//!
//! A new one is an entry of the list `measures!` with a field of that name in an [`IntervalData`], a migration for the column of that
//! name, and, if it is a time, its [`Times`](super::Times) in [`Sums`](super::Sums).

use std::ops::{Index, IndexMut};

use greylag_infra::protocol::IntervalData;
use serde_bytes::ByteBuf;

use super::sums::{Sums, Times};
use crate::measure::histogram_codec::{BucketCounts, HistogramError, with_body};
use crate::measure::packed_counts::{Extent, PackedCounts, Precision};

/// The measures. A name is that of the field of an [`IntervalData`] and that of the column of a stored interval; the text is
/// what errors call it.
macro_rules! measures {
    ($($(#[$doc:meta])+ $measure:ident = $name:ident, $of:literal;)+) => {
        /// What requests are counted by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Measure {
            $($(#[$doc])+ $measure,)+
        }

        /// How many measures there are.
        pub(crate) const MEASURES: usize = [$(stringify!($name)),+].len();

        /// The name of each.
        pub(crate) const MEASURE_NAMES: [&str; MEASURES] = [$(stringify!($name)),+];

        impl Measure {
            /// Every measure, in the order of [`MEASURE_NAMES`].
            pub(crate) const ALL: [Self; MEASURES] = [$(Self::$measure),+];

            /// What errors call it.
            pub(super) fn name_in_errors(self) -> &'static str {
                match self {
                    $(Self::$measure => $of,)+
                }
            }

            /// Its counts in an interval on the wire.
            pub(super) fn of_wire(self, data: &IntervalData) -> &ByteBuf {
                match self {
                    $(Self::$measure => &data.$name,)+
                }
            }

            /// Where its counts are in an interval on the wire.
            pub(super) fn of_wire_mut(self, data: &mut IntervalData) -> &mut ByteBuf {
                match self {
                    $(Self::$measure => &mut data.$name,)+
                }
            }
        }
    };
}

measures! {
    /// Response times.
    Response = histogram, "response times";
    /// Response times from the intended start, of requests that have one.
    Intended = intended_histogram, "times from the intended start";
    /// Times to the first byte of the answer, of requests that have one. Agents of earlier versions send only their number
    /// and their sum: then they count as not measured.
    FirstByte = ttfb_histogram, "times to the first byte";
    /// Status codes, 0 where there is no answer. Agents of earlier versions do not count them.
    Status = statuses, "status codes";
}

/// Greatest status code that is counted: HTTP's have three digits.
pub(super) const MAX_STATUS: u32 = 999;

impl Measure {
    /// Its times in sums; those of what is no time have none.
    pub(crate) fn times_in(self, sums: &Sums) -> Option<Times> {
        match self {
            Self::Response => Some(sums.response),
            Self::Intended => Some(sums.intended),
            Self::FirstByte => Some(sums.first_byte),
            Self::Status => None,
        }
    }

    /// Whether values are times, which travel as HdrHistogram's V2 encoding. Others are few: only what comes after its header.
    fn is_time(self) -> bool {
        self != Self::Status
    }

    /// Reads and checks its counts.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<(PackedCounts, Extent), HistogramError> {
        if self.is_time() {
            PackedCounts::decode(bytes)
        } else {
            PackedCounts::decode_bare(bytes)
        }
    }

    /// The same as a list.
    pub(super) fn decode_sparse(
        self,
        bytes: &[u8],
    ) -> Result<(BucketCounts, Extent), HistogramError> {
        let counts = if self.is_time() {
            BucketCounts::decode(bytes)?
        } else {
            PackedCounts::from_bytes(bytes).to_bucket_counts()?
        };
        let extent = Extent {
            total: counts.total(),
            ends: counts.ends(),
        };
        Ok((counts, extent))
    }

    /// Gives `read` its counts without their header, if there are any, as they are stored.
    pub(super) fn without_header(
        self,
        stored: &[u8],
        read: impl FnOnce(&[u8]) -> Result<(), HistogramError>,
    ) -> Result<(), HistogramError> {
        if self.is_time() {
            with_body(stored, read).map(drop)
        } else {
            read(stored)
        }
    }

    /// How finely a sum of such counts tells them apart, where that of times is so fine.
    pub(super) fn precision(self, of_times: Precision) -> Precision {
        if self.is_time() {
            of_times
        } else {
            Precision::Full
        }
    }

    /// Its counts as they are stored and sent; `compress` makes a histogram smaller and costs several times as much.
    pub(crate) fn encode(self, counts: &PackedCounts, compress: bool) -> Vec<u8> {
        match (self.is_time(), compress) {
            (false, _) => counts.as_bytes().to_vec(),
            (true, false) => counts.encode(),
            (true, true) => counts.encode_compressed(),
        }
    }
}

/// Something for each measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PerMeasure<T>([T; MEASURES]);

impl<T> PerMeasure<T> {
    /// What the function gives for each.
    pub(crate) fn from_fn(mut of: impl FnMut(Measure) -> T) -> Self {
        Self(Measure::ALL.map(&mut of))
    }

    /// The same of a function that may fail.
    pub(crate) fn try_from_fn<E>(mut of: impl FnMut(Measure) -> Result<T, E>) -> Result<Self, E>
    where
        T: Default,
    {
        let mut all: [T; MEASURES] = std::array::from_fn(|_| T::default());
        for (one, measure) in all.iter_mut().zip(Measure::ALL) {
            *one = of(measure)?;
        }
        Ok(Self(all))
    }

    /// Each with its measure.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Measure, &T)> {
        Measure::ALL.into_iter().zip(&self.0)
    }

    /// Each with its measure.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Measure, &mut T)> {
        Measure::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T: Default + Copy> PerMeasure<T> {
    /// That of some measures, and of the others nothing.
    pub(crate) fn among(&self, measures: Measures) -> Self {
        Self::from_fn(|measure| {
            if measures.has(measure) {
                self[measure]
            } else {
                T::default()
            }
        })
    }
}

/// Some of the measures: whose counts are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Measures([bool; MEASURES]);

impl Measures {
    /// No counts.
    pub(crate) const NONE: Self = Self([false; MEASURES]);
    /// All of them.
    pub(crate) const ALL: Self = Self([true; MEASURES]);
    /// Those of which tables show percentiles.
    pub(crate) const IN_TABLES: Self = Self::only(Measure::Response).and(Measure::Intended);

    /// One.
    pub(crate) const fn only(measure: Measure) -> Self {
        Self::NONE.and(measure)
    }

    const fn and(mut self, measure: Measure) -> Self {
        self.0[measure as usize] = true;
        self
    }

    /// Whether it is one of them.
    pub(crate) fn has(self, measure: Measure) -> bool {
        self.0[measure as usize]
    }
}

impl<T> Index<Measure> for PerMeasure<T> {
    type Output = T;

    fn index(&self, measure: Measure) -> &T {
        &self.0[measure as usize]
    }
}

impl<T> IndexMut<Measure> for PerMeasure<T> {
    fn index_mut(&mut self, measure: Measure) -> &mut T {
        &mut self.0[measure as usize]
    }
}
