//! Durations as people write them: `90`, `90s`, `1.5s`, `500ms`, `3m`, `1h20m`. The one reader for test files,
//! flags, the API and forms.
//!
//! Every duration is read by the same rules. Where a setting is kept in whole seconds (how long a test, a stage, a
//! ramp or a stop may take), [`parse_whole_seconds`] refuses what is finer and says so.

use std::time::Duration;

/// Units by name, with their length in ns, longest first: the order in which they may stand.
const UNITS: [(&str, u128); 4] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];
/// Most digits after the point: more are finer than a nanosecond.
const MOST_DECIMALS: usize = 9;

/// Why a text or number is not a duration that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It has another form.
    #[error(
        "`{text}` is not a valid duration; use seconds (`90`, `0.5`), or hours, minutes, seconds and milliseconds in that order, such as `90s`, `1.5s`, `500ms`, `3m`, `2h`, `1h20m` or `3h30m10s`"
    )]
    Form {
        /// What was given, cut.
        text: String,
    },
    /// It is finer than the setting can be.
    #[error(
        "this duration must be a whole number of seconds, not `{text}`; use `90`, `90s` or `1h20m`"
    )]
    NotWhole {
        /// What was given, cut.
        text: String,
    },
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Parses seconds (`90`, `0.5`), or `[Nh][Nm][Ns][Nms]` in that order, which is Locust's form with decimals and
/// milliseconds. Spaces may stand between the parts, as [`format_duration`] writes them.
///
/// # Errors
/// The text has another form, or the duration does not fit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    read(text).ok_or_else(|| DurationError::Form { text: shown(text) })
}

/// The same for a setting that is kept in whole seconds. `1500ms` and `1.5` are refused, `2000ms` and `2.0` are 2.
///
/// # Errors
/// As [`parse_duration`], or the duration is not a whole number of seconds.
pub fn parse_whole_seconds(text: &str) -> Result<u64, DurationError> {
    whole_seconds(parse_duration(text)?, text)
}

/// A number of seconds as a file or a program gives it.
///
/// # Errors
/// It is negative, not finite or does not fit.
pub fn duration_of_number(seconds: f64) -> Result<Duration, DurationError> {
    Duration::try_from_secs_f64(seconds).map_err(|_| DurationError::Form {
        text: seconds.to_string(),
    })
}

/// The whole seconds of a duration, which was written as `text`.
///
/// # Errors
/// It has a part of a second.
pub(crate) fn whole_seconds(duration: Duration, text: &str) -> Result<u64, DurationError> {
    if duration.subsec_nanos() != 0 {
        return Err(DurationError::NotWhole { text: shown(text) });
    }
    Ok(duration.as_secs())
}

fn read(text: &str) -> Option<Duration> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    let mut rest = trimmed;
    let mut total_ns: u128 = 0;
    let mut units = UNITS.into_iter();
    while !rest.is_empty() {
        let length = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(length);
        let after = after.trim_start();
        let length = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let unit_ns = match unit {
            // Seconds, when nothing else stands there.
            "" if number == trimmed => 1_000_000_000,
            _ => units.find(|(name, _)| *name == unit)?.1,
        };
        total_ns = total_ns.checked_add(times(number, unit_ns)?)?;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(total_ns / 1_000_000_000).ok()?;
    // The remainder is below 10^9.
    Some(Duration::new(seconds, (total_ns % 1_000_000_000) as u32))
}

/// A decimal number times a unit, exactly; what is finer than a nanosecond is dropped.
fn times(number: &str, unit_ns: u128) -> Option<u128> {
    let (whole, decimals) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if decimals.len() > MOST_DECIMALS || decimals.contains('.') {
        return None;
    }
    let whole_ns = u128::from(whole.parse::<u64>().ok()?).checked_mul(unit_ns)?;
    let part = match decimals {
        "" => 0,
        digits => u128::from(digits.parse::<u64>().ok()?),
    };
    // At most 9 decimals, so that the power fits.
    let scale = 10_u128.pow(decimals.len() as u32);
    whole_ns.checked_add(part.checked_mul(unit_ns)? / scale)
}

/// Writes a duration as `1h 20m 5s`; parts of a second are dropped.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let text = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect::<Vec<_>>()
        .join(" ");
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_locust_reads() {
        for (text, seconds) in [
            ("20", 20),
            ("20s", 20),
            ("3m", 180),
            ("2h", 7200),
            ("1h20m", 4800),
            ("3h30m10s", 12610),
            ("0s", 0),
            (" 90 ", 90),
            ("1h 20m 5s", 4805),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
            assert_eq!(parse_whole_seconds(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn reads_parts_of_a_second() {
        for (text, ms) in [
            ("500ms", 500),
            ("1.5s", 1_500),
            ("0.5", 500),
            ("1s500ms", 1_500),
            ("1.5h", 5_400_000),
            ("0.25m", 15_000),
            ("90 s", 90_000),
            ("1500ms", 1_500),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
            assert_eq!(parse_whole_seconds(text).is_ok(), ms % 1_000 == 0, "{text}");
        }
        assert_eq!(parse_duration("0.1ms"), Ok(Duration::from_micros(100)));
        assert_eq!(parse_whole_seconds("2000ms"), Ok(2));
        let refused = parse_whole_seconds("1500ms").unwrap_err().to_string();
        assert!(refused.contains("whole number of seconds"), "{refused}");
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "s",
            "ms",
            "-1",
            "1..5s",
            ".5",
            "5.",
            ".",
            "1e3",
            "1,5s",
            "10s1m",
            "500ms1s",
            "1m1m",
            "5x",
            "1h20",
            "10 20",
            "0.1234567890",
            "99999999999999999999",
            "1ü",
            "18446744073709551615h",
            "5S",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for number in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(duration_of_number(number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(seconds in 0u64..10_000_000) {
            let text = format_duration(Duration::from_secs(seconds));
            prop_assert_eq!(parse_duration(&text), Ok(Duration::from_secs(seconds)));
            prop_assert_eq!(parse_duration(&text.replace(' ', "")), Ok(Duration::from_secs(seconds)));
        }

        #[test]
        fn milliseconds_are_exact(ms in 0u64..10_000_000_000) {
            let expected = Ok(Duration::from_millis(ms));
            prop_assert_eq!(parse_duration(&format!("{ms}ms")), expected.clone());
            prop_assert_eq!(parse_duration(&format!("{}.{:03}", ms / 1_000, ms % 1_000)), expected);
        }

        #[test]
        fn never_panics(text in "[0-9hms. ]{0,20}|.{0,20}") {
            let _ = parse_duration(&text);
            let _ = parse_whole_seconds(&text);
        }
    }
}
