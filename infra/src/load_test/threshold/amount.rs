//! What limits are measured in: units, and amounts that are written and read without rounding.

use serde::{Deserialize, Serialize};

use crate::base::parse_duration;

/// The unit of a metric, in which its values and limits are given to programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ThresholdUnit {
    /// Milliseconds.
    Ms,
    /// A fraction from 0 to 1, written as a percentage.
    Share,
    /// A number per second.
    PerSecond,
    /// A number.
    Count,
    /// A number of the unit of a custom metric, with decimals.
    Number,
}

/// An amount of something, in fixed-point steps of its unit: what was written is kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// Steps of a percentage in one percent; 7 decimals.
const PERCENT_STEPS: u64 = 10_000_000;
const PERCENT_DECIMALS: usize = 7;
/// Steps of a number in 1; 6 decimals.
const NUMBER_STEPS: u64 = 1_000_000;
const NUMBER_DECIMALS: usize = 6;
/// Steps of a time in one ms: µs.
const MS_STEPS: u64 = 1_000;
const MS_DECIMALS: usize = 3;

/// Longest time in µs: what histograms hold.
const MAX_TIME_US: u64 = 3_600_000_000;
/// Largest number.
const MAX_NUMBER: u64 = 1_000_000_000_000;
/// Largest percentage of a change.
const MAX_PERCENT: u64 = 1_000_000;

impl ThresholdUnit {
    /// The largest limit, as an amount and in words.
    pub(super) fn most(self) -> (Amount, &'static str) {
        match self {
            Self::Ms => (Amount(MAX_TIME_US), "1h"),
            Self::Share => (Amount(100 * PERCENT_STEPS), "100%"),
            Self::PerSecond | Self::Count | Self::Number => {
                (Amount(MAX_NUMBER * NUMBER_STEPS), "1000000000000")
            }
        }
    }

    /// The least and the greatest value that there can be, where there are any.
    pub(super) fn bounds(self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Ms | Self::PerSecond | Self::Count => (Some(0.0), None),
            Self::Share => (Some(0.0), Some(1.0)),
            Self::Number => (None, None),
        }
    }

    /// What a limit looks like, for messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Ms => "a duration such as 500ms or 2s",
            Self::Share => "a percentage such as 1%",
            Self::PerSecond => "a number per second such as 200",
            Self::Count => "a number such as 1000",
            Self::Number => "a number such as 20.5 or -3, without a unit",
        }
    }

    /// How a value of this unit reads.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Ms if value >= 10_000.0 => format!("{} s", rounded(value / 1e3, 1)),
            Self::Ms if value >= 100.0 => format!("{value:.0} ms"),
            Self::Ms => format!("{} ms", rounded(value, 2)),
            Self::Share => format!("{} %", rounded(value * 100.0, 3)),
            Self::PerSecond => format!("{}/s", rounded(value, 1)),
            Self::Count => rounded(value, 0),
            Self::Number if value.abs() >= 1.0 => rounded(value, 3),
            Self::Number => rounded(value, 6),
        }
    }
}

/// With at most so many decimals, without zeros at the end.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Amount {
    pub(super) const ZERO: Self = Self(0);

    /// Reads an amount of a unit as a limit is written: `500ms`, `1%`, `200`.
    pub(super) fn read(text: &str, unit: ThresholdUnit) -> Option<Self> {
        match unit {
            ThresholdUnit::Ms => Self::read_time(text),
            ThresholdUnit::Share => Self::read_percent(text),
            ThresholdUnit::PerSecond | ThresholdUnit::Count | ThresholdUnit::Number => {
                fixed(text, NUMBER_DECIMALS)
            }
        }
    }

    /// A duration with its unit: what `500` is of remains open.
    fn read_time(text: &str) -> Option<Self> {
        if !text.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let duration = parse_duration(text).ok()?;
        if duration.subsec_nanos() % 1_000 != 0 {
            return None;
        }
        u64::try_from(duration.as_micros()).ok().map(Self)
    }

    pub(super) fn read_percent(text: &str) -> Option<Self> {
        fixed(text.strip_suffix('%')?.trim_end(), PERCENT_DECIMALS)
    }

    /// The percentage that a number most likely means: below 1 it is a fraction.
    pub(super) fn percent_of_number(text: &str) -> Option<String> {
        let percent = fixed(text, PERCENT_DECIMALS)?;
        let is_fraction = percent.0 < PERCENT_STEPS && percent.0 > 0;
        let percent = if is_fraction {
            Self(percent.0 * 100)
        } else {
            percent
        };
        Some(percent.percent_text())
    }

    /// Percentage points, which are added to a share: `0.5pp`.
    pub(super) fn read_points(text: &str) -> Option<Self> {
        fixed(text.strip_suffix("pp")?.trim_end(), PERCENT_DECIMALS)
    }

    /// Whether a percentage is within the limits of a change.
    pub(super) fn is_possible_change(self) -> bool {
        self.0 <= MAX_PERCENT * PERCENT_STEPS
    }

    /// The amount in the unit.
    pub(super) fn value(self, unit: ThresholdUnit) -> f64 {
        match unit {
            ThresholdUnit::Ms => self.0 as f64 / MS_STEPS as f64,
            ThresholdUnit::Share => self.fraction(),
            ThresholdUnit::PerSecond | ThresholdUnit::Count | ThresholdUnit::Number => {
                self.0 as f64 / NUMBER_STEPS as f64
            }
        }
    }

    /// A percentage as a fraction.
    pub(super) fn fraction(self) -> f64 {
        self.0 as f64 / (100 * PERCENT_STEPS) as f64
    }

    /// As it is read.
    pub(super) fn text(self, unit: ThresholdUnit) -> String {
        match unit {
            ThresholdUnit::Ms => self.time_text(),
            ThresholdUnit::Share => self.percent_text(),
            ThresholdUnit::PerSecond | ThresholdUnit::Count | ThresholdUnit::Number => {
                fixed_text(self.0, NUMBER_STEPS, NUMBER_DECIMALS)
            }
        }
    }

    pub(super) fn percent_text(self) -> String {
        format!("{}%", self.hundredths_text())
    }

    pub(super) fn points_text(self) -> String {
        format!("{}pp", self.hundredths_text())
    }

    fn hundredths_text(self) -> String {
        fixed_text(self.0, PERCENT_STEPS, PERCENT_DECIMALS)
    }

    fn time_text(self) -> String {
        let whole_seconds = u32::try_from(self.0 / 1_000_000).ok();
        match whole_seconds {
            Some(seconds) if self.0.is_multiple_of(1_000_000) => seconds_text(seconds),
            _ => format!("{}ms", fixed_text(self.0, MS_STEPS, MS_DECIMALS)),
        }
    }
}

/// Whole seconds in the largest unit of which they are a multiple.
pub(super) fn seconds_text(seconds: u32) -> String {
    match seconds {
        0 => "0s".to_owned(),
        s if s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// A decimal number in steps of so many decimals; none if it is finer or too large for any unit.
pub(super) fn fixed(text: &str, decimals: usize) -> Option<Amount> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > decimals {
        return None;
    }
    let digits = format!("{whole}{part:0<decimals$}");
    digits.parse().ok().map(Amount)
}

pub(super) fn fixed_text(amount: u64, steps: u64, decimals: usize) -> String {
    let (whole, part) = (amount / steps, amount % steps);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{part:0>decimals$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// The steps of an amount.
pub(super) fn steps(amount: Amount) -> u64 {
    amount.0
}
