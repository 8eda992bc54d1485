//! The rows of the newest seconds as they are stored, so that adding to them reads nothing.

use std::collections::BTreeMap;

use crate::measure::interval::PackedInterval;

/// Most memory of their histograms, and how many seconds they are of: results of older ones are rare.
const MAX_BYTES: usize = 16 << 20;
const MAX_SECONDS: u32 = 16;

/// Rows of single seconds, all agents together, of the newest seconds of a run.
#[derive(Debug)]
pub(super) struct RecentRows {
    /// By second and endpoint.
    rows: BTreeMap<(u32, i64), PackedInterval>,
    bytes: usize,
    /// Of this second and later ones every row that is stored is here.
    from: u32,
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
            from: last_second.map_or(0, |last| last.saturating_add(1)),
        }
    }

    /// What is known of a row.
    pub(super) fn get(&self, second: u32, endpoint: i64) -> RecentRow<'_> {
        if second < self.from {
            return RecentRow::Unknown;
        }
        match self.rows.get(&(second, endpoint)) {
            Some(row) => RecentRow::Stored(row),
            None => RecentRow::Missing,
        }
    }

    /// A row was stored so.
    pub(super) fn set(&mut self, second: u32, endpoint: i64, row: PackedInterval) {
        if second < self.from {
            return;
        }
        self.bytes += row.memory();
        if let Some(before) = self.rows.insert((second, endpoint), row) {
            self.bytes -= before.memory();
        }
        while let Some(((oldest, _), (newest, _))) = self.ends()
            && (self.bytes > MAX_BYTES || newest - oldest >= MAX_SECONDS)
        {
            self.from = oldest.saturating_add(1);
            let kept = self.rows.split_off(&(self.from, i64::MIN));
            let left = std::mem::replace(&mut self.rows, kept);
            self.bytes -= left.values().map(PackedInterval::memory).sum::<usize>();
        }
    }

    /// The places of the first and the last row.
    fn ends(&self) -> Option<((u32, i64), (u32, i64))> {
        Some((
            *self.rows.first_key_value()?.0,
            *self.rows.last_key_value()?.0,
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

    #[test]
    fn what_is_older_than_what_is_kept_is_unknown() {
        let mut rows = RecentRows::after(Some(9));
        assert_eq!(rows.get(9, 0), RecentRow::Unknown);
        assert_eq!(rows.get(10, 0), RecentRow::Missing);
        rows.set(9, 0, row());
        assert_eq!(rows.get(9, 0), RecentRow::Unknown);
        for endpoint in [0, 1] {
            rows.set(10, endpoint, row());
            rows.set(10, endpoint, row());
        }
        assert_eq!(rows.get(10, 1), RecentRow::Stored(&row()));
        assert_eq!(rows.bytes, 2 * row().memory());
        rows.set(10 + MAX_SECONDS, 0, row());
        assert_eq!(rows.get(10, 0), RecentRow::Unknown);
        assert_eq!(rows.get(11, 0), RecentRow::Missing);
        assert_eq!(rows.bytes, row().memory());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut rows = RecentRows::after(None);
        let most = MAX_BYTES / row().memory();
        let endpoints = i64::try_from(most / 2 + 1).unwrap();
        for second in 0..3 {
            for endpoint in 0..endpoints {
                rows.set(second, endpoint, row());
                assert!(rows.bytes <= MAX_BYTES);
            }
        }
        assert_eq!(rows.get(1, 0), RecentRow::Unknown);
        assert_eq!(rows.get(2, 0), RecentRow::Stored(&row()));
    }
}
