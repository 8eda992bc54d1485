//! The three percentiles that are compared.

use std::time::Duration;

/// In µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

/// Of N sorted times the one at index `int(N * q)`, as Locust and Greylag define it.
pub(super) fn of_sorted(times: &[Duration]) -> Percentiles {
    let at = |q: f64| {
        let index = (times.len() as f64 * q) as usize;
        times[index.min(times.len() - 1)].as_secs_f64() * 1e6
    };
    Percentiles {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
    }
}

impl Percentiles {
    /// Reads `percentiles: a b c`, in µs.
    pub(super) fn read(output: &str) -> Option<Self> {
        let (_, rest) = output.split_once("percentiles: ")?;
        let mut numbers = rest.lines().next()?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            p50: next()?,
            p99: next()?,
            p999: next()?,
        })
    }

    pub(super) fn all(self) -> [f64; 3] {
        [self.p50, self.p99, self.p999]
    }
}
