//! The numbers of an interval that simply add up: one place says how.

use std::time::Duration;

use greylag_infra::protocol::IntervalData;

use super::outcome::Outcomes;

/// Times added up: how many, the least, the greatest and the sum, in µs. All 0 without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// The least, exact.
    pub min_us: u64,
    /// The greatest, exact.
    pub max_us: u64,
    /// Their sum, exact.
    pub sum_us: u64,
}

impl Times {
    /// One time.
    pub(crate) fn one(us: u64) -> Self {
        Self {
            count: 1,
            min_us: us,
            max_us: us,
            sum_us: us,
        }
    }

    /// Adds other times.
    pub(crate) fn merge(&mut self, other: Times) {
        if other.count > 0 {
            self.min_us = if self.count == 0 {
                other.min_us
            } else {
                self.min_us.min(other.min_us)
            };
            self.max_us = self.max_us.max(other.max_us);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// The mean in µs, not rounded. None without any.
    pub fn avg_us(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_us as f64 / self.count as f64)
    }

    /// The mean in ms to the µs, 0 without any.
    pub(crate) fn avg_ms(&self) -> f64 {
        self.avg_us().unwrap_or(0.0).round() / 1e3
    }
}

/// What an interval counts, but for histograms and errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Response times of all requests, failures included.
    pub response: Times,
    /// Requests that failed.
    pub failures: u64,
    /// Bytes of response bodies, decoded.
    pub bytes: u64,
    /// Times to the first byte, of those requests that have one.
    pub first_byte: Times,
    /// Response times from the intended start, of those requests that have one.
    pub intended: Times,
    /// Requests that were timed only until the first byte of the answer.
    pub first_byte_only: u64,
}

impl Sums {
    /// Requests, failures included.
    pub fn requests(&self) -> u64 {
        self.response.count
    }

    /// How its requests ended.
    pub fn outcomes(&self) -> Outcomes {
        Outcomes::of(self.requests(), self.failures)
    }

    /// The same without times to the first byte where there is no histogram of them, as in what earlier versions kept.
    pub(crate) fn measured(mut self, has_first_bytes: bool) -> Self {
        if !has_first_bytes {
            self.first_byte = Times::default();
        }
        self
    }

    /// Failures / requests, 0 without requests.
    pub fn error_rate(&self) -> f64 {
        if self.requests() == 0 {
            0.0
        } else {
            self.failures as f64 / self.requests() as f64
        }
    }

    /// Adds others.
    pub(crate) fn merge(&mut self, other: &Sums) {
        let Sums {
            response,
            failures,
            bytes,
            first_byte,
            intended,
            first_byte_only,
        } = *other;
        self.response.merge(response);
        self.failures = self.failures.saturating_add(failures);
        self.bytes = self.bytes.saturating_add(bytes);
        self.first_byte.merge(first_byte);
        self.intended.merge(intended);
        self.first_byte_only = self.first_byte_only.saturating_add(first_byte_only);
    }
}

/// The numbers of [`Sums`] as a list. A name is that of the field of an [`IntervalData`] and that of the column of
/// a stored interval. New ones come last: packed rows number them.
macro_rules! numbers {
    ($($name:ident = $($field:ident).+;)+) => {
        /// Names of the numbers of [`Sums`], in the order of [`Sums::numbers`].
        pub(crate) const NUMBER_NAMES: [&str; NUMBERS] = [$(stringify!($name)),+];

        /// How many numbers [`Sums`] have.
        pub(crate) const NUMBERS: usize = [$(stringify!($name)),+].len();

        impl Sums {
            /// Every number, in the order of [`NUMBER_NAMES`].
            pub(crate) fn numbers(&self) -> [u64; NUMBERS] {
                [$(self.$($field).+),+]
            }

            /// From every number, in the order of [`NUMBER_NAMES`].
            pub(crate) fn from_numbers([$($name),+]: [u64; NUMBERS]) -> Self {
                let mut sums = Self::default();
                $(sums.$($field).+ = $name;)+
                sums
            }

            /// Those of an interval on the wire, not checked.
            pub(super) fn of_wire(data: &IntervalData) -> Self {
                Self::from_numbers([$(data.$name),+])
            }

            /// Sets those of an interval on the wire.
            pub(super) fn write_to_wire(&self, data: &mut IntervalData) {
                $(data.$name = self.$($field).+;)+
            }
        }
    };
}

numbers! {
    requests = response.count;
    failures = failures;
    bytes = bytes;
    min_us = response.min_us;
    max_us = response.max_us;
    sum_us = response.sum_us;
    ttfb_sum_us = first_byte.sum_us;
    ttfb_count = first_byte.count;
    intended_count = intended.count;
    intended_min_us = intended.min_us;
    intended_max_us = intended.max_us;
    intended_sum_us = intended.sum_us;
    first_byte_only = first_byte_only;
    ttfb_min_us = first_byte.min_us;
    ttfb_max_us = first_byte.max_us;
}

/// µs as ms.
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// A duration in µs.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0..1_000_000_u64, 0..20)
    }

    /// The definition: everything is in one list.
    fn naive(all: &[u64]) -> Times {
        Times {
            count: all.len() as u64,
            min_us: all.iter().copied().min().unwrap_or(0),
            max_us: all.iter().copied().max().unwrap_or(0),
            sum_us: all.iter().sum(),
        }
    }

    fn sums(response: &[u64], intended: &[u64]) -> Sums {
        Sums {
            response: naive(response),
            failures: response.len() as u64 / 2,
            bytes: response.iter().sum::<u64>() + 1,
            first_byte: naive(&response[..response.len() / 3]),
            intended: naive(intended),
            first_byte_only: response.len() as u64 / 4,
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_one_list(a in times(), b in times(), c in times(), d in times()) {
            let (one, other) = (sums(&a, &b), sums(&c, &d));
            let mut merged = one;
            merged.merge(&other);
            prop_assert_eq!(merged.response, naive(&[a, c].concat()));
            prop_assert_eq!(merged.intended, naive(&[b, d].concat()));
            for of in [
                |sums: &Sums| sums.failures,
                |sums: &Sums| sums.bytes,
                |sums: &Sums| sums.first_byte.sum_us,
                |sums: &Sums| sums.first_byte.count,
                |sums: &Sums| sums.first_byte_only,
            ] {
                prop_assert_eq!(of(&merged), of(&one) + of(&other));
            }
        }

        #[test]
        fn the_list_of_numbers_has_all_of_them(a in times(), b in times()) {
            let sums = sums(&a, &b);
            prop_assert_eq!(Sums::from_numbers(sums.numbers()), sums);
            let mut data = IntervalData::default();
            sums.write_to_wire(&mut data);
            prop_assert_eq!(Sums::of_wire(&data), sums);
        }
    }
}
