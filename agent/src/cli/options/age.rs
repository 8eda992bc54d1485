//! How long ago something was: durations, and days.

use std::time::Duration;

use greylag_infra::parse_duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The text is not an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use a number of days, such as 30d, or a duration, such as 12h")]
pub(crate) struct AgeError;

/// Reads `30d`, or a duration as it is written elsewhere.
pub(crate) fn age(text: &str) -> Result<Duration, AgeError> {
    match text.strip_suffix('d') {
        Some(days) => {
            let days = days.parse().map_err(|_| AgeError)?;
            DAY.checked_mul(days).ok_or(AgeError)
        }
        None => parse_duration(text).map_err(|_| AgeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_days_or_durations() {
        assert_eq!(age("30d"), Ok(DAY * 30));
        assert_eq!(age("12h"), Ok(DAY / 2));
        for text in ["", "d", "-1d", "1.5d", "1d12h", "old"] {
            assert_eq!(age(text), Err(AgeError), "{text}");
        }
    }
}
