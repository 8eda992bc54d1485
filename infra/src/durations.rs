//! Durations as Locust writes them: `90`, `90s`, `3m`, `1h20m`, `3h30m10s`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a duration; write seconds (`90`), or hours, minutes and seconds in that order, such as `90s`, `3m`, `2h`, `1h20m` or `3h30m10s`"
)]
pub struct DurationError {
    text: String,
}

/// Parses a duration in whole seconds, or in `[Nh][Nm][Ns]` in that order (Locust's `parse_timespan`).
///
/// # Errors
/// The text has another form, or the duration does not fit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError {
        text: text.chars().take(60).collect(),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(error());
    }
    let mut rest = trimmed;
    let mut total: u64 = 0;
    let mut units = [('h', 3600), ('m', 60), ('s', 1)].into_iter();
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| error())?;
        let unit = rest[digits..].chars().next();
        let factor = match unit {
            None if digits == trimmed.len() => 1,
            None => return Err(error()),
            Some(unit) => units.find(|(name, _)| *name == unit).ok_or_else(error)?.1,
        };
        total = number
            .checked_mul(factor)
            .and_then(|seconds| total.checked_add(seconds))
            .ok_or_else(error)?;
        rest = &rest[digits + unit.map_or(0, char::len_utf8)..];
    }
    Ok(Duration::from_secs(total))
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
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "s",
            "-1",
            "1.5s",
            "10s1m",
            "1m1m",
            "5x",
            "1h20",
            "99999999999999999999",
            "1ü",
            "18446744073709551615h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(seconds in 0u64..10_000_000) {
            let text = format_duration(Duration::from_secs(seconds)).replace(' ', "");
            prop_assert_eq!(parse_duration(&text), Ok(Duration::from_secs(seconds)));
        }

        #[test]
        fn never_panics(text in ".{0,20}") {
            let _ = parse_duration(&text);
        }
    }
}
