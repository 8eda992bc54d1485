//! How long things took, as a cell of the table.

use std::fmt;
use std::time::Duration;

/// Durations, ascending.
#[derive(Debug, Default)]
pub(super) struct Delays(Vec<Duration>);

impl FromIterator<Duration> for Delays {
    fn from_iter<T: IntoIterator<Item = Duration>>(delays: T) -> Self {
        let mut delays: Vec<Duration> = delays.into_iter().collect();
        delays.sort_unstable();
        Self(delays)
    }
}

impl Delays {
    fn percentile_ms(&self, percent: usize) -> u128 {
        let last = self.0.len().saturating_sub(1);
        let delay = self.0.get(last * percent / 100);
        delay.map_or(0, Duration::as_millis)
    }
}

/// Median, 99 % and greatest in ms.
impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [middle, high, most] = [50, 99, 100].map(|percent| self.percentile_ms(percent));
        write!(f, "{middle} / {high} / {most} ms")
    }
}
