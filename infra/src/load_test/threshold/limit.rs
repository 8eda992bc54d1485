//! What a metric is compared with.

use super::ThresholdUnit;
use super::amount::Amount;
use super::error::{ThresholdProblem, shown};

/// The word for what another run measured.
const BASELINE: &str = "baseline";

/// What a metric is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThresholdLimit {
    /// A fixed amount.
    Fixed(Amount),
    /// A fixed amount below 0: only values of custom metrics may be negative.
    Negative(Amount),
    /// What the same metric was in the run that the test is compared with.
    Baseline(Option<BaselineChange>),
}

/// What is added to a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BaselineChange {
    /// Whether it is subtracted.
    is_less: bool,
    by: ChangeBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ChangeBy {
    /// A percentage of the baseline.
    Percent(Amount),
    /// An amount of the metric's unit; of a share percentage points.
    Absolute(Amount),
}

impl ThresholdLimit {
    /// Whether it needs another run.
    pub fn is_of_baseline(self) -> bool {
        matches!(self, Self::Baseline(_))
    }

    pub(super) fn value(self, unit: ThresholdUnit, baseline: Option<f64>) -> Option<f64> {
        match self {
            Self::Fixed(amount) => Some(amount.value(unit)),
            Self::Negative(amount) => Some(-amount.value(unit)),
            Self::Baseline(None) => baseline,
            Self::Baseline(Some(change)) => Some(change.changed(baseline?, unit)),
        }
    }

    pub(super) fn text(self, unit: ThresholdUnit) -> String {
        match self {
            Self::Fixed(amount) => amount.text(unit),
            Self::Negative(amount) => format!("-{}", amount.text(unit)),
            Self::Baseline(None) => BASELINE.to_owned(),
            Self::Baseline(Some(change)) => {
                let sign = if change.is_less { '-' } else { '+' };
                let by = match change.by {
                    ChangeBy::Percent(percent) => percent.percent_text(),
                    ChangeBy::Absolute(points) if unit == ThresholdUnit::Share => {
                        points.points_text()
                    }
                    ChangeBy::Absolute(amount) => amount.text(unit),
                };
                format!("{BASELINE} {sign} {by}")
            }
        }
    }

    /// Reads a limit; none if the text is none of this unit.
    pub(super) fn read(text: &str, unit: ThresholdUnit) -> Result<Option<Self>, ThresholdProblem> {
        if let Some(change) = text.strip_prefix(BASELINE) {
            return BaselineChange::read(change.trim(), text, unit)
                .map(|change| Some(Self::Baseline(change)));
        }
        let below_zero = text
            .strip_prefix('-')
            .filter(|_| unit == ThresholdUnit::Number);
        let amount = Amount::read(below_zero.unwrap_or(text), unit);
        let (most, most_text) = unit.most();
        if amount.is_some_and(|amount| amount > most) {
            return Err(ThresholdProblem::TooLarge {
                found: shown(text),
                most: most_text,
            });
        }
        Ok(amount.map(match below_zero {
            Some(_) => Self::Negative,
            None => Self::Fixed,
        }))
    }

    pub(super) fn is_zero(self) -> bool {
        self == Self::Fixed(Amount::ZERO)
    }

    pub(super) fn is_most(self, unit: ThresholdUnit) -> bool {
        self == Self::Fixed(unit.most().0)
    }
}

impl BaselineChange {
    /// Reads what stands behind the word, which is all of `limit`.
    fn read(
        text: &str,
        limit: &str,
        unit: ThresholdUnit,
    ) -> Result<Option<Self>, ThresholdProblem> {
        if text.is_empty() {
            return Ok(None);
        }
        let problem = || ThresholdProblem::Change {
            found: shown(limit),
            unit,
        };
        let is_less = text.starts_with('-');
        let by = text
            .strip_prefix(['+', '-'])
            .ok_or_else(problem)?
            .trim_start();
        let percent = Amount::read_percent(by).filter(|percent| percent.is_possible_change());
        let absolute = match unit {
            ThresholdUnit::Share => Amount::read_points(by),
            unit => Amount::read(by, unit),
        };
        let absolute = absolute.filter(|amount| *amount <= unit.most().0);
        let by = percent
            .map(ChangeBy::Percent)
            .or(absolute.map(ChangeBy::Absolute))
            .ok_or_else(problem)?;
        Ok(Some(Self { is_less, by }))
    }

    /// Never beyond what can be measured: not below 0, and of a share not above 100 %.
    fn changed(self, baseline: f64, unit: ThresholdUnit) -> f64 {
        let by = match self.by {
            ChangeBy::Percent(percent) => baseline.abs() * percent.fraction(),
            ChangeBy::Absolute(amount) => amount.value(unit),
        };
        let changed = if self.is_less {
            baseline - by
        } else {
            baseline + by
        };
        let (least, greatest) = unit.bounds();
        let changed = least.map_or(changed, |least| changed.max(least));
        greatest.map_or(changed, |greatest| changed.min(greatest))
    }
}
