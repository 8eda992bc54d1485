//! SQLite's integers are signed; ours are counts.

use greylag_infra::WallTime;

/// A count as SQLite keeps it; what is beyond 2^63 (no real count is) becomes that.
pub(super) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A time for SQLite, likewise.
pub(super) fn time_to_sql(time: WallTime) -> i64 {
    to_sql(time.as_micros())
}

/// A time from SQLite, likewise.
pub(super) fn time_from_sql(value: i64) -> WallTime {
    WallTime::from_micros(from_sql(value))
}

/// A count from SQLite; a negative one, which is never written, reads as 0.
pub(super) fn from_sql(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A second, position or index from SQLite; one that does not fit, which is never written, reads as the
/// largest.
pub(super) fn small_from_sql(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}
