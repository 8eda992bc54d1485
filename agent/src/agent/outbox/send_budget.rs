//! How much may be sent and not acknowledged yet: what the connection carries in about two seconds, judged by its
//! acknowledgements. On a slow link snapshots get smaller and wait at the agent, so that pings never wait behind more than
//! a few seconds of results.

use std::time::{Duration, Instant};

/// What is sent before anything is known of the connection.
const FIRST_BYTES: usize = 16 * 1024;
/// Even the slowest connection is given this much at a time.
const LEAST_BYTES: usize = 8 * 1024;
/// When a whole snapshot is acknowledged within this time, more may be sent; a small one proves nothing.
const QUICK: Duration = Duration::from_secs(1);
/// A slow connection is given what it carries in this time.
const AIM: Duration = Duration::from_secs(2);
/// How many times the size of a snapshot may be on its way at once.
const SNAPSHOTS_ON_THE_WAY: usize = 2;

/// What a connection may be given at once.
#[derive(Debug)]
pub(crate) struct SendBudget {
    /// About the size of one snapshot, in bytes.
    bytes: usize,
    most: usize,
    last_acknowledged: Option<Instant>,
}

impl SendBudget {
    /// The budget of a connection that nothing is known of; never more than `most` bytes a snapshot.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            bytes: FIRST_BYTES.min(most),
            most,
            last_acknowledged: None,
        }
    }

    /// The size of the next snapshot.
    pub(crate) fn snapshot_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether another snapshot may be sent while so many bytes are not acknowledged.
    pub(crate) fn has_room(&self, unacknowledged: usize) -> bool {
        unacknowledged < SNAPSHOTS_ON_THE_WAY * self.bytes
    }

    /// A snapshot of this size was acknowledged, which the coordinator needed `saving` to save: that time says
    /// nothing about the connection.
    pub(crate) fn acknowledged(
        &mut self,
        bytes: usize,
        sent_at: Instant,
        now: Instant,
        saving: Duration,
    ) {
        // What was sent before it had to arrive first.
        let begun = self
            .last_acknowledged
            .map_or(sent_at, |last| last.max(sent_at));
        self.last_acknowledged = Some(now);
        let took = now.saturating_duration_since(begun).saturating_sub(saving);
        if took > QUICK {
            // So little may be late for any reason, such as a busy machine.
            if bytes < LEAST_BYTES.min(self.bytes / 2) {
                return;
            }
            let carried = bytes as f64 * AIM.as_secs_f64() / took.as_secs_f64();
            let least = LEAST_BYTES.min(self.bytes);
            self.bytes = (carried as usize).clamp(least, self.bytes);
        } else if bytes >= self.bytes / 2 {
            self.bytes = self.bytes.saturating_mul(2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 8 * 1024 * 1024;

    /// The longest that a ping had to wait behind results in a minute of sending over a link of this many bytes a second.
    fn longest_wait(bytes_per_second: f64) -> f64 {
        let mut budget = SendBudget::new(MOST);
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let (mut now, mut longest) = (0.0_f64, 0.0_f64);
        // Each on its way, with when it was sent and when it has arrived.
        let mut on_the_way: Vec<(usize, f64, f64)> = Vec::new();
        while now < 60.0 {
            let unacknowledged = on_the_way.iter().map(|(bytes, ..)| bytes).sum();
            if budget.has_room(unacknowledged) {
                let free = on_the_way.last().map_or(now, |last| last.2.max(now));
                let bytes = budget.snapshot_bytes();
                let arrives = free + bytes as f64 / bytes_per_second;
                longest = longest.max(arrives - now);
                on_the_way.push((bytes, now, arrives));
            } else {
                let (bytes, sent, arrives) = on_the_way.remove(0);
                now = arrives;
                budget.acknowledged(bytes, at(sent), at(now), Duration::ZERO);
            }
        }
        longest
    }

    #[test]
    fn a_ping_never_waits_for_long() {
        for bytes_per_second in [8e3, 30e3, 100e3, 1e6, 100e6] {
            let longest = longest_wait(bytes_per_second);
            assert!(longest < 8.0, "{longest} s at {bytes_per_second} B/s");
        }
    }

    #[test]
    fn quick_connections_get_more_and_slow_ones_less() {
        let mut budget = SendBudget::new(MOST);
        let start = Instant::now();
        budget.acknowledged(100, start, start, Duration::ZERO);
        assert_eq!(
            budget.snapshot_bytes(),
            FIRST_BYTES,
            "too small to say anything"
        );
        for _ in 0..20 {
            budget.acknowledged(budget.snapshot_bytes(), start, start, Duration::ZERO);
        }
        assert_eq!(budget.snapshot_bytes(), MOST);
        assert!(budget.has_room(MOST));
        budget.acknowledged(80_000, start, start + 10 * QUICK, Duration::ZERO);
        assert_eq!(budget.snapshot_bytes(), 16_000, "two seconds of 8 kB/s");
        budget.acknowledged(100, start, start + 20 * QUICK, Duration::ZERO);
        assert_eq!(budget.snapshot_bytes(), 16_000, "too small to say anything");
        budget.acknowledged(8_000, start, start + 1_000 * QUICK, Duration::ZERO);
        assert_eq!(budget.snapshot_bytes(), LEAST_BYTES);
        assert!(budget.has_room(0));
        assert!(!budget.has_room(SNAPSHOTS_ON_THE_WAY * LEAST_BYTES));
    }

    #[test]
    fn a_slow_store_is_not_a_slow_connection() {
        let mut budget = SendBudget::new(MOST);
        let start = Instant::now();
        let saving = 3 * QUICK;
        // Two on the way at a time: the second one waits until the first is saved.
        for number in 1..=20 {
            let sent = start + saving * u32::saturating_sub(number, 2);
            budget.acknowledged(
                budget.snapshot_bytes(),
                sent,
                start + saving * number,
                saving,
            );
        }
        assert_eq!(budget.snapshot_bytes(), MOST);
    }
}
