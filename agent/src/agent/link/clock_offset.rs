//! How far the coordinator's clock is ahead of ours, measured by pings.
//!
//! A pong carries what the coordinator's clock showed at some time between our sending and our receiving. The middle is
//! the best guess, and it is wrong by at most half of the round trip, so the ping with the shortest round trip among the
//! last [`KEPT`] since the last reconnect is used.

use std::collections::VecDeque;
use std::time::Duration;

use greylag_infra::WallTime;

/// Pings remembered. At one a second the offset follows a clock that drifts within this many seconds.
const KEPT: usize = 30;

/// The offset as measured so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClockOffset {
    measured: VecDeque<Measurement>,
    /// Whether all of them are of an earlier connection.
    is_outdated: bool,
}

#[derive(Debug, Clone, Copy)]
struct Measurement {
    round_trip: Duration,
    offset_us: i64,
}

impl ClockOffset {
    /// Takes in a pong: our clock when the ping was sent and the pong received, and the coordinator's in
    /// between. A pong from before its ping is ignored.
    pub(crate) fn record(
        &mut self,
        sent_at: WallTime,
        coordinator: WallTime,
        received_at: WallTime,
    ) {
        if received_at < sent_at {
            return;
        }
        let round_trip = received_at - sent_at;
        if std::mem::take(&mut self.is_outdated) {
            self.measured.clear();
        }
        let middle = sent_at + round_trip / 2;
        if self.measured.len() == KEPT {
            self.measured.pop_front();
        }
        self.measured.push_back(Measurement {
            round_trip,
            // Also right for clocks that are centuries apart: the difference wraps into an i64.
            offset_us: coordinator.as_micros().wrapping_sub(middle.as_micros()) as i64,
        });
    }

    /// There is a new connection: the coordinator may be another process with another clock, so the first pong
    /// on it takes the place of all earlier ones.
    pub(crate) fn reconnected(&mut self) {
        self.is_outdated = true;
    }

    /// What to add to our clock to get the coordinator's, in µs; 0 before the first pong.
    pub(crate) fn offset_us(&self) -> i64 {
        self.measured
            .iter()
            .rev()
            .min_by_key(|measurement| measurement.round_trip)
            .map_or(0, |measurement| measurement.offset_us)
    }

    /// The coordinator's clock when ours shows `local`.
    pub(crate) fn coordinator_time(&self, local: WallTime) -> WallTime {
        moved(local, self.offset_us())
    }

    /// Our clock when the coordinator's shows `coordinator`.
    pub(crate) fn local_time(&self, coordinator: WallTime) -> WallTime {
        moved(coordinator, self.offset_us().saturating_neg())
    }
}

fn moved(time: WallTime, by_us: i64) -> WallTime {
    WallTime::from_micros(time.as_micros().saturating_add_signed(by_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: u64) -> WallTime {
        WallTime::from_micros(micros)
    }

    fn record(clock: &mut ClockOffset, sent: u64, coordinator: u64, received: u64) {
        clock.record(at(sent), at(coordinator), at(received));
    }

    #[test]
    fn the_shortest_round_trip_counts() {
        let mut clock = ClockOffset::default();
        assert_eq!(clock.offset_us(), 0);
        record(&mut clock, 1_000, 5_900, 3_000);
        assert_eq!(clock.offset_us(), 3_900);
        record(&mut clock, 10_000, 14_050, 10_100);
        assert_eq!(clock.offset_us(), 4_000);
        record(&mut clock, 20_000, 29_000, 21_000);
        assert_eq!(clock.offset_us(), 4_000);
        assert_eq!(
            (clock.coordinator_time(at(50)), clock.local_time(at(4_050))),
            (at(4_050), at(50))
        );
    }

    #[test]
    fn a_clock_behind_ours_has_a_negative_offset() {
        let mut clock = ClockOffset::default();
        record(&mut clock, 10_000, 2_000, 10_000);
        assert_eq!(clock.offset_us(), -8_000);
        assert_eq!(
            clock.coordinator_time(at(1_000)),
            at(0),
            "a time before 1970 is cut"
        );
    }

    #[test]
    fn after_a_reconnect_the_first_pong_counts() {
        let mut clock = ClockOffset::default();
        record(&mut clock, 1_000, 5_000, 1_000);
        clock.reconnected();
        assert_eq!(clock.offset_us(), 4_000, "until it has come");
        record(&mut clock, 2_000, 9_000, 4_000);
        assert_eq!(clock.offset_us(), 6_000, "however long its round trip");
        record(&mut clock, 5_000, 11_200, 5_400);
        assert_eq!(clock.offset_us(), 6_000);
    }

    #[test]
    fn old_measurements_are_forgotten() {
        let mut clock = ClockOffset::default();
        record(&mut clock, 0, 1_000_000, 0);
        for ping in 0..KEPT as u64 {
            record(
                &mut clock,
                ping * 1_000,
                ping * 1_000 + 505,
                ping * 1_000 + 10,
            );
        }
        assert_eq!(clock.offset_us(), 500);
    }

    proptest! {
        /// Whatever the delays each way, the error is at most half of the shortest round trip.
        #[test]
        fn the_error_is_at_most_half_the_round_trip(
            offset in -1_000_000i64..1_000_000,
            delays in prop::collection::vec((0u64..50_000, 0u64..50_000), 1..KEPT),
        ) {
            let mut clock = ClockOffset::default();
            for (ping, (there, back)) in delays.iter().enumerate() {
                let sent = 10_000_000 + ping as u64 * 1_000_000;
                let coordinator = (sent + there).saturating_add_signed(offset);
                record(&mut clock, sent, coordinator, sent + there + back);
            }
            let shortest = delays.iter().map(|(there, back)| there + back).min().unwrap();
            prop_assert!(clock.offset_us().abs_diff(offset) <= shortest.div_ceil(2));
        }

        #[test]
        fn never_panics(pongs in prop::collection::vec(any::<(u64, u64, u64)>(), 0..5), now: u64) {
            let mut clock = ClockOffset::default();
            for (sent, coordinator, received) in pongs {
                record(&mut clock, sent, coordinator, received);
            }
            clock.coordinator_time(at(now));
            clock.local_time(at(now));
        }
    }
}
