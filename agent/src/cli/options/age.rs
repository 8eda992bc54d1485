//! How long ago something was: durations, and days.

use std::time::Duration;

use greylag_infra::parse_duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The text is not an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use a number of days, such as 30d, or a duration, such as 12h")]
pub(crate) struct AgeError;

/// Reads `30d`, or a duration as it is written elsewhere, but not without a unit and not zero: whoever writes `30` may
/// mean days, and what is older than 30 seconds is nearly everything.
pub(crate) fn age(text: &str) -> Result<Duration, AgeError> {
    let text = text.trim();
    if !text.ends_with(|end: char| end.is_ascii_alphabetic()) {
        return Err(AgeError);
    }
    let age = match text.strip_suffix('d') {
        Some(days) => {
            let days = days.parse().map_err(|_| AgeError)?;
            DAY.checked_mul(days).ok_or(AgeError)?
        }
        None => parse_duration(text).map_err(|_| AgeError)?,
    };
    if age.is_zero() {
        return Err(AgeError);
    }
    Ok(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_days_or_durations() {
        assert_eq!(age("30d"), Ok(DAY * 30));
        assert_eq!(age("12h"), Ok(DAY / 2));
        for text in [
            "", "d", "-1d", "1.5d", "1d12h", "old", "30", "1.5", "0", "0d", "0s",
        ] {
            assert_eq!(age(text), Err(AgeError), "{text}");
        }
    }
}
