//! Dates and times of day in UTC, as pages and programs read them.
//!
//! Arguments are [`Borrow`]s because templates hand over references and code hands over values.

use std::borrow::Borrow;

use greylag_infra::WallTime;
use time::UtcDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

/// `2026-11-23 06:04:42 UTC`.
#[cfg(feature = "coordinator")]
pub(crate) fn utc(at: impl Borrow<WallTime>) -> String {
    format(
        at,
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC"),
    )
}

/// For narrow places: `Nov 23, 06:04:42`.
#[cfg(feature = "coordinator")]
pub(crate) fn day_and_time(at: impl Borrow<WallTime>) -> String {
    format(
        at,
        format_description!("[month repr:short] [day padding:none], [hour]:[minute]:[second]"),
    )
}

/// RFC 3339 to the second, for the `datetime` attribute of `<time>`: `2026-11-23T06:04:42Z`.
pub(crate) fn iso(at: impl Borrow<WallTime>) -> String {
    format(
        at,
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"),
    )
}

/// RFC 3339, with µs where there are any: `2026-11-23T06:04:42Z`, `2026-11-23T06:04:42.250000Z`.
pub fn rfc3339(at: WallTime) -> String {
    if at.as_micros().is_multiple_of(1_000_000) {
        return iso(at);
    }
    format(
        at,
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"),
    )
}

/// The time of day, `06:04:42`.
#[cfg(feature = "coordinator")]
pub(crate) fn time_of_day(at: impl Borrow<WallTime>) -> String {
    format(at, format_description!("[hour]:[minute]:[second]"))
}

/// Instants after the year 9999 are shown as its end.
fn format(at: impl Borrow<WallTime>, description: StaticFormatDescription) -> String {
    let date = UtcDateTime::from_unix_timestamp_nanos(i128::from(at.borrow().as_micros()) * 1_000)
        .unwrap_or(UtcDateTime::MAX);
    date.format(description)
        .expect("a UTC time has every part that the descriptions above name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> WallTime {
        WallTime::from_micros(micros)
    }

    #[test]
    fn dates_are_gregorian() {
        assert_eq!(utc(at(0)), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(at(951_782_400_000_000)), "2000-02-29 00:00:00 UTC");
        assert_eq!(iso(at(1_795_413_882_000_001)), "2026-11-23T06:04:42Z");
        assert_eq!(day_and_time(at(1_795_413_882_000_000)), "Nov 23, 06:04:42");
        assert_eq!(day_and_time(at(1_793_550_000_000_000)), "Nov 1, 16:20:00");
        assert_eq!(time_of_day(at(1_795_413_882_999_999)), "06:04:42");
    }

    #[test]
    fn instants_have_microseconds_only_where_there_are_any() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00Z"),
            (1_795_326_540_250_000, "2026-11-22T05:49:00.250000Z"),
            (4_102_444_799_000_000, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(at(micros)), text);
        }
    }

    #[test]
    fn no_instant_is_too_late() {
        assert_eq!(utc(WallTime::MAX), "9999-12-31 23:59:59 UTC");
    }
}
