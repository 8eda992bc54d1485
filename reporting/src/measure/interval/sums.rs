//! The numbers of an interval that simply add up: one place says how.

use std::time::Duration;

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
}

/// What an interval counts, but for histograms and errors. All times are response times in µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Bytes of response bodies, decoded.
    pub bytes: u64,
    /// Least response time, exact; 0 without requests.
    pub min_us: u64,
    /// Greatest response time, exact; 0 without requests.
    pub max_us: u64,
    /// Sum of response times, exact.
    pub sum_us: u64,
    /// Sum of times to first byte.
    pub ttfb_sum_us: u64,
    /// Requests that have a time to first byte.
    pub ttfb_count: u64,
    /// Response times from the intended start, of those requests that have one.
    pub intended: Times,
    /// Requests that were timed only until the first byte of the answer.
    pub first_byte_only: u64,
}

impl Sums {
    /// Adds others.
    pub(crate) fn merge(&mut self, other: &Sums) {
        let mut response = self.response();
        response.merge(other.response());
        self.set_response(response);
        self.intended.merge(other.intended);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.ttfb_sum_us = self.ttfb_sum_us.saturating_add(other.ttfb_sum_us);
        self.ttfb_count = self.ttfb_count.saturating_add(other.ttfb_count);
        self.first_byte_only = self.first_byte_only.saturating_add(other.first_byte_only);
    }

    /// The response times.
    pub fn response(&self) -> Times {
        Times {
            count: self.requests,
            min_us: self.min_us,
            max_us: self.max_us,
            sum_us: self.sum_us,
        }
    }

    pub(crate) fn set_response(&mut self, times: Times) {
        self.requests = times.count;
        self.min_us = times.min_us;
        self.max_us = times.max_us;
        self.sum_us = times.sum_us;
    }
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
        let mut sums = Sums {
            failures: response.len() as u64 / 2,
            bytes: response.iter().sum::<u64>() + 1,
            ttfb_sum_us: response.iter().sum::<u64>() / 2,
            ttfb_count: response.len() as u64 / 3,
            intended: naive(intended),
            first_byte_only: response.len() as u64 / 4,
            ..Sums::default()
        };
        sums.set_response(naive(response));
        sums
    }

    proptest! {
        #[test]
        fn sums_are_those_of_one_list(a in times(), b in times(), c in times(), d in times()) {
            let (one, other) = (sums(&a, &b), sums(&c, &d));
            let mut merged = one;
            merged.merge(&other);
            prop_assert_eq!(merged.response(), naive(&[a, c].concat()));
            prop_assert_eq!(merged.intended, naive(&[b, d].concat()));
            for of in [
                |sums: &Sums| sums.failures,
                |sums: &Sums| sums.bytes,
                |sums: &Sums| sums.ttfb_sum_us,
                |sums: &Sums| sums.ttfb_count,
                |sums: &Sums| sums.first_byte_only,
            ] {
                prop_assert_eq!(of(&merged), of(&one) + of(&other));
            }
        }
    }
}
