//! The rows of the newest seconds as they are stored, so that adding to them reads nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::interval::{Outcome, Outcomes, PackedInterval};

/// Most memory of their histograms, over all runs, and how many seconds they are of: results of older ones are rare.
const MAX_BYTES: usize = 16 << 20;
const MAX_SECONDS: u32 = 16;
/// Seconds ahead of the run that are noted before nothing is known of any.
const MAX_AHEAD: usize = 4_096;

/// Rows of single seconds, all agents together, of the newest seconds of a run.
#[derive(Debug)]
pub(super) struct RecentRows {
    rows: BTreeMap<RecentPlace, PackedInterval>,
    bytes: usize,
    /// What they may have.
    most_bytes: usize,
    /// Of this second and later ones every row that is stored is here.
    from: u32,
    /// But for these seconds, which were ahead of the run when results of them came.
    ahead: BTreeSet<u32>,
}

/// Which row: second, endpoint and how its requests ended.
pub(super) type RecentPlace = (u32, i64, Outcomes);

/// The place before all of these seconds.
fn before(second: u32) -> RecentPlace {
    (second, i64::MIN, Outcomes::All(Outcome::Ok))
}

/// What is known of a row.
#[derive(Debug, PartialEq)]
pub(super) enum RecentRow<'a> {
    /// It is stored so.
    Stored(&'a PackedInterval),
    /// There is none yet.
    Missing,
    /// Only the database knows.
    Unknown,
}

impl RecentRows {
    /// None are known of a run that has results up to this second.
    pub(super) fn after(last_second: Option<u32>) -> Self {
        Self {
            rows: BTreeMap::new(),
            bytes: 0,
            most_bytes: MAX_BYTES,
            from: last_second.map_or(0, |last| last.saturating_add(1)),
            ahead: BTreeSet::new(),
        }
    }

    /// From here on they are those of one of so many runs.
    pub(super) fn share_between(&mut self, runs: usize) {
        self.most_bytes = MAX_BYTES / runs.max(1);
        self.leave_oldest();
    }

    /// Most memory that they may have.
    #[cfg(test)]
    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// What is known of a row.
    pub(super) fn get(&self, place: RecentPlace) -> RecentRow<'_> {
        let second = place.0;
        if second < self.from || self.ahead.contains(&second) {
            return RecentRow::Unknown;
        }
        match self.rows.get(&place) {
            Some(row) => RecentRow::Stored(row),
            None => RecentRow::Missing,
        }
    }

    /// A row was stored so, in a run that has come to the second `now`. One of a later second would push out those that
    /// the other agents add to.
    pub(super) fn set(&mut self, place: RecentPlace, row: PackedInterval, now: u32) {
        let second = place.0;
        if second < self.from || self.ahead.contains(&second) {
            return;
        }
        let next = self.rows.range(before(second)..).next();
        let is_first = next.is_none_or(|(place, _)| place.0 > second);
        if second > now && is_first {
            self.ahead.insert(second);
            if self.ahead.len() > MAX_AHEAD {
                let most_bytes = self.most_bytes;
                *self = Self {
                    most_bytes,
                    ..Self::after(Some(u32::MAX))
                };
            }
            return;
        }
        self.bytes += row.memory();
        if let Some(before) = self.rows.insert(place, row) {
            self.bytes -= before.memory();
        }
        self.leave_oldest();
    }

    fn leave_oldest(&mut self) {
        while let Some((oldest, newest)) = self.ends()
            && (self.bytes > self.most_bytes || newest - oldest >= MAX_SECONDS)
        {
            self.from = oldest.saturating_add(1);
            let kept = self.rows.split_off(&before(self.from));
            let left = std::mem::replace(&mut self.rows, kept);
            self.bytes -= left.values().map(PackedInterval::memory).sum::<usize>();
            self.ahead = self.ahead.split_off(&self.from);
        }
    }

    /// The seconds of the first and the last row.
    fn ends(&self) -> Option<(u32, u32)> {
        Some((
            self.rows.first_key_value()?.0.0,
            self.rows.last_key_value()?.0.0,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::interval::{Interval, SparseInterval};

    fn row() -> PackedInterval {
        let mut interval = Interval::default();
        interval.record(Duration::from_millis(1), None, 0, None);
        PackedInterval::from(&SparseInterval::from(&interval))
    }

    fn at(second: u32, endpoint: i64) -> RecentPlace {
        (second, endpoint, Outcomes::All(Outcome::Ok))
    }

    #[test]
    fn what_is_older_than_what_is_kept_is_unknown() {
        let mut rows = RecentRows::after(Some(9));
        assert_eq!(rows.get(at(9, 0)), RecentRow::Unknown);
        assert_eq!(rows.get(at(10, 0)), RecentRow::Missing);
        rows.set(at(9, 0), row(), 9);
        assert_eq!(rows.get(at(9, 0)), RecentRow::Unknown);
        for endpoint in [0, 1] {
            rows.set(at(10, endpoint), row(), 10);
            rows.set(at(10, endpoint), row(), 10);
        }
        assert_eq!(rows.get(at(10, 1)), RecentRow::Stored(&row()));
        assert_eq!(rows.bytes, 2 * row().memory());
        let later = 10 + MAX_SECONDS;
        rows.set(at(later, 0), row(), later);
        assert_eq!(rows.get(at(10, 0)), RecentRow::Unknown);
        assert_eq!(rows.get(at(11, 0)), RecentRow::Missing);
        assert_eq!(rows.bytes, row().memory());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut rows = RecentRows::after(None);
        let most = MAX_BYTES / row().memory();
        let endpoints = i64::try_from(most / 2 + 1).unwrap();
        for second in 0..3 {
            for endpoint in 0..endpoints {
                rows.set(at(second, endpoint), row(), second);
                assert!(rows.bytes <= MAX_BYTES);
            }
        }
        assert_eq!(rows.get(at(1, 0)), RecentRow::Unknown);
        assert_eq!(rows.get(at(2, 0)), RecentRow::Stored(&row()));
        rows.share_between(4);
        assert!(rows.bytes <= MAX_BYTES / 4);
        assert_eq!(rows.get(at(2, 0)), RecentRow::Unknown);
        rows.set(at(3, 0), row(), 3);
        assert_eq!(rows.get(at(3, 0)), RecentRow::Stored(&row()));
    }

    #[test]
    fn a_second_ahead_of_the_run_pushes_out_no_other_and_is_never_taken_to_be_missing() {
        const HOUR: u32 = 3_600;
        let mut rows = RecentRows::after(None);
        rows.set(at(1, 0), row(), 1);
        rows.set(at(HOUR, 0), row(), 1);
        assert_eq!(rows.get(at(1, 0)), RecentRow::Stored(&row()));
        assert_eq!(rows.get(at(HOUR, 0)), RecentRow::Unknown);
        // When the run is there, too.
        rows.set(at(HOUR, 1), row(), HOUR);
        rows.set(at(HOUR + 1, 0), row(), HOUR + 1);
        assert_eq!(rows.get(at(HOUR, 0)), RecentRow::Unknown);
        assert_eq!(rows.get(at(HOUR, 1)), RecentRow::Unknown);
        for second in 2 * HOUR.. {
            rows.set(at(second, 0), row(), HOUR + 1);
            assert_eq!(rows.get(at(second, 0)), RecentRow::Unknown);
            if rows.ahead.is_empty() {
                break;
            }
            assert!(rows.ahead.len() <= MAX_AHEAD);
        }
        assert_eq!(rows.get(at(HOUR + 2, 0)), RecentRow::Unknown);
    }
}
