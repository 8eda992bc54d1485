//! What the readers of a run have, and what is to be sent to them when it changes.

use serde_json::Value;

use super::dots::Dots;
use super::log_tail::LogTail;
use crate::api_types::LogRow;
use crate::measure::series_point::SeriesPoint;
use crate::results::views::run_view::RunDelta;
use crate::store::{Samples, Series};
use crate::web::live::json_patch::{patch, whole};

/// What a reader has who was given every update so far.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// None before anything was sent.
    view: Option<Value>,
    series: Series,
    dots: Dots,
    log: LogTail,
    log_lines_dropped: u64,
}

/// What there is to be shown now.
#[derive(Debug)]
pub(super) struct Now {
    pub(super) view: Value,
    pub(super) grown: Grown,
}

/// What grows of it.
#[derive(Debug)]
pub(super) struct Grown {
    pub(super) series: Series,
    /// From [`Shown::first_sample_wanted`] on.
    pub(super) samples: Samples,
    /// After [`Shown::last_log_seq`], the last ones if there are more than a reader is sent.
    pub(super) log: Vec<LogRow>,
    pub(super) log_lines_dropped: u64,
}

/// What is sent: the patch of the view (see [`crate::web::live::json_patch`]), if it changed, and what was added.
pub(super) type Change = (Option<Value>, RunDelta);

impl Shown {
    /// The first second of which samples may be new, if this is the series now.
    pub(super) fn first_sample_wanted(&mut self, series: &Series) -> u32 {
        let (reset, points) = self.new_points(series);
        if !reset && has_step_before(&points, series.step_s, self.dots.first_wanted()) {
            // Results came later than samples are looked for, so all dots are sent anew.
            self.dots = Dots::default();
        }
        self.dots.first_wanted()
    }

    /// The last line of the log that was sent.
    pub(super) fn last_log_seq(&self) -> u64 {
        self.log.last_seq()
    }

    /// Takes what there is now, and gives what readers must be sent.
    pub(super) fn update(&mut self, now: Now) -> Change {
        let view_patch = match &self.view {
            Some(old) => patch(old, &now.view),
            None => Some(whole(now.view.clone())),
        };
        self.view = Some(now.view);
        (view_patch, self.grow(now.grown))
    }

    /// The same of what grows alone.
    pub(super) fn grow(&mut self, now: Grown) -> RunDelta {
        let (reset, series) = self.new_points(&now.series);
        let step_s = now.series.step_s;
        self.log.add(&now.log);
        self.series = now.series;
        self.log_lines_dropped = now.log_lines_dropped;
        RunDelta {
            reset,
            series,
            step_s,
            dots: self.dots.update(now.samples),
            log: now.log,
            log_lines_dropped: now.log_lines_dropped,
        }
    }

    /// All that readers have, for one who has nothing.
    pub(super) fn everything(&self) -> Change {
        let delta = RunDelta {
            reset: true,
            series: self.series.points.clone(),
            step_s: self.series.step_s,
            dots: self.dots.all(),
            log: self.log.rows(),
            log_lines_dropped: self.log_lines_dropped,
        };
        (self.view.clone().map(whole), delta)
    }

    /// The points of a series that readers do not have as they are now, and whether they must forget those they have.
    fn new_points(&self, series: &Series) -> (bool, Vec<SeriesPoint>) {
        let reset = !can_be_extended_to(&self.series, series);
        let known = if reset {
            &[]
        } else {
            self.series.points.as_slice()
        };
        (reset, new_points(known, &series.points))
    }
}

/// Whether points can be added and replaced, without any to be taken away.
fn can_be_extended_to(sent: &Series, now: &Series) -> bool {
    sent.step_s == now.step_s
        && sent.points.len() <= now.points.len()
        && sent
            .points
            .iter()
            .zip(&now.points)
            .all(|(sent, now)| sent.second == now.second)
}

/// The points that the reader does not have as they are now. Late results may rewrite any of them.
fn new_points(sent: &[SeriesPoint], now: &[SeriesPoint]) -> Vec<SeriesPoint> {
    let mut sent = sent.iter();
    now.iter()
        .filter(|point| sent.next() != Some(*point))
        .copied()
        .collect()
}

/// Whether any of these steps has ended before `second`. Of a long run the last step is wide, begins long before
/// and changes all the time.
fn has_step_before(points: &[SeriesPoint], step_s: u32, second: u32) -> bool {
    points
        .iter()
        .any(|point| point.second.saturating_add(step_s) <= second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: u32, requests: u64) -> SeriesPoint {
        SeriesPoint {
            second,
            users: 1,
            requests,
            failures: 0,
            ..SeriesPoint::default()
        }
    }

    fn series(step_s: u32, points: Vec<SeriesPoint>) -> Series {
        Series { step_s, points }
    }

    #[test]
    fn only_points_that_changed_are_sent() {
        let sent = [point(0, 1), point(1, 2), point(2, 3)];
        let now = [point(0, 1), point(1, 5), point(2, 3), point(3, 4)];
        assert_eq!(new_points(&sent, &now), [point(1, 5), point(3, 4)]);
        assert_eq!(new_points(&now, &now), []);
    }

    #[test]
    fn a_series_that_lost_points_or_has_wider_ones_is_sent_anew() {
        let sent = series(1, vec![point(0, 1), point(1, 2)]);
        let extends = |step_s, points| can_be_extended_to(&sent, &series(step_s, points));
        assert!(extends(1, vec![point(0, 9), point(1, 2), point(2, 3)]));
        assert!(!extends(8, vec![point(0, 3), point(8, 2)]));
        assert!(!extends(1, vec![point(0, 1)]));
        assert!(!extends(1, vec![point(0, 1), point(2, 2)]));
        assert!(!can_be_extended_to(
            &Series::default(),
            &series(1, Vec::new())
        ));
    }
}
