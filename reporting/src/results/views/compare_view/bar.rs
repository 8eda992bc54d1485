//! Intervals of confidence as small bars around zero.

use crate::compare::change_text;
use crate::compare::{Difference, Statistic};

/// Where a scale may end, relative to the reference: the least that all bars fit on is taken, and what is beyond the last is cut off.
const ENDS: [f64; 9] = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0];
/// The same of error rates, as a difference of fractions.
const ERROR_ENDS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0];
/// The least change of a ratio that has a place.
const LEAST_CHANGE: f64 = -0.999;
/// Width of a bar's drawing; zero is in its middle.
const WIDTH: f64 = 200.0;
/// What is left free beyond the end of the scale at each side.
const MARGIN: f64 = 4.0;

/// How wide bars are drawn, so that those of one kind can be compared by eye.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    relative: f64,
    error_rate: f64,
}

impl Scale {
    /// On which these fit.
    pub(crate) fn of<'a>(differences: impl Iterator<Item = &'a Difference> + Clone) -> Self {
        let end = |ends: [f64; 9], of_errors: bool| {
            let of_kind = differences
                .clone()
                .filter(|difference| (difference.statistic == Statistic::ErrorRate) == of_errors);
            let bounds = of_kind.flat_map(|difference| {
                let place = |at: f64| place(difference.statistic, at).abs();
                [difference.low.map(place), difference.high.map(place)]
            });
            let most = bounds.flatten().fold(0.0, f64::max);
            let statistic = if of_errors {
                Statistic::ErrorRate
            } else {
                Statistic::P95
            };
            let fits = ends.into_iter().find(|end| place(statistic, *end) >= most);
            fits.unwrap_or(ends[ends.len() - 1])
        };
        Self {
            relative: end(ENDS, false),
            error_rate: end(ERROR_ENDS, true),
        }
    }

    /// Where the scale of a statistic ends.
    fn end(self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::ErrorRate => self.error_rate,
            _ => self.relative,
        }
    }

    /// What stands at the ends of a statistic's scale.
    pub(crate) fn labels(self, statistic: Statistic) -> [String; 2] {
        let end = self.end(statistic);
        let low = match statistic {
            Statistic::ErrorRate => -end,
            _ => 1.0 / (1.0 + end) - 1.0,
        };
        [low, end].map(|at| change_text(statistic, at).replace('-', "−"))
    }

    /// The bar of a difference, if it has an interval.
    pub(crate) fn bar(self, difference: &Difference) -> Option<Bar> {
        let (low, high) = difference.low.zip(difference.high)?;
        let of = difference.statistic;
        let end = place(of, self.end(of));
        let x = |at: f64| {
            let share = (place(of, at) / end).clamp(-1.0, 1.0);
            let half = WIDTH / 2.0;
            format!("{:.1}", half + share * (half - MARGIN))
        };
        let is_inside = |at: &f64| place(of, *at).abs() <= end;
        Some(Bar {
            from: x(low),
            to: x(high),
            at: x(difference.change?),
            detectable: difference.detectable.filter(is_inside).map(x),
            is_cut_below: !is_inside(&low),
            is_cut_above: !is_inside(&high),
        })
    }
}

/// Where a change is on its scale: ratios are compared by their logarithms, so that twice as long and half as long are as far from zero.
fn place(statistic: Statistic, change: f64) -> f64 {
    match statistic {
        Statistic::ErrorRate => change,
        // Nothing takes less than no time.
        _ => change.max(LEAST_CHANGE).ln_1p(),
    }
}

/// An interval on its scale, in units of its drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What was measured.
    pub(crate) at: String,
    /// The least increase that would have been found, where the scale has it.
    pub(crate) detectable: Option<String>,
    /// Whether the interval goes on beyond the scale.
    pub(crate) is_cut_below: bool,
    /// The same at its other end.
    pub(crate) is_cut_above: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(statistic: Statistic, low: f64, change: f64, high: f64) -> Difference {
        Difference {
            statistic,
            reference: Some(1.0),
            value: Some(1.0),
            change: Some(change),
            low: Some(low),
            high: Some(high),
            detectable: Some(0.04),
            verdict: None,
            not_tested: None,
        }
    }

    #[test]
    fn bars_share_a_scale_and_zero_is_in_the_middle() {
        let times = difference(Statistic::P95, -0.05, 0.0, 0.1);
        let errors = difference(Statistic::ErrorRate, 0.0, 0.002, 0.004);
        let scale = Scale::of([&times, &errors].into_iter());
        assert_eq!(scale.labels(Statistic::P95), ["−9.1%", "+10.0%"]);
        assert_eq!(scale.labels(Statistic::ErrorRate), ["−0.50 pp", "+0.50 pp"]);
        let bar = scale.bar(&times).unwrap();
        assert_eq!((&*bar.from, &*bar.at, &*bar.to), ("48.3", "100.0", "196.0"));
        assert_eq!(bar.detectable.as_deref(), Some("139.5"));
        let halved = difference(Statistic::P50, -0.5, 0.0, 1.0);
        let bar = Scale::of([&halved].into_iter()).bar(&halved).unwrap();
        assert_eq!((&*bar.from, &*bar.to), ("4.0", "196.0"));
        // Beyond the greatest scale it is cut off, and says so.
        let far = difference(Statistic::P50, -0.5, 7.0, 9.0);
        let bar = Scale::of([&far].into_iter()).bar(&far).unwrap();
        assert_eq!(
            (&*bar.to, bar.is_cut_below, bar.is_cut_above),
            ("196.0", false, true)
        );
        let near = difference(Statistic::P50, -0.995, -0.9, -0.8);
        let bar = Scale::of([&near].into_iter()).bar(&near).unwrap();
        assert_eq!(
            (&*bar.from, bar.is_cut_below, bar.is_cut_above),
            ("4.0", true, false)
        );
        // What would have been found is shown where the scale has it.
        let narrow = difference(Statistic::P95, -0.01, 0.0, 0.01);
        let bar = Scale::of([&narrow].into_iter()).bar(&narrow).unwrap();
        assert_eq!(bar.detectable, None);
        let unknown = Difference { low: None, ..times };
        assert_eq!(scale.bar(&unknown), None);
    }
}
