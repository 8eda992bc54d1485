//! What a run page has not seen yet: everything at first, then what was added or rewritten since.

mod dots;

use greylag_infra::RunId;
use serde_json::Value;

use self::dots::{Dots, MAX_DOTS};
use crate::api_types::LogRow;
use crate::coordinator::Coordinator;
use crate::measure::series_point::SeriesPoint;
use crate::results::page_text::count;
use crate::results::views::run_view::{RunDelta, RunView};
use crate::results::views::view_builder::run_view;
use crate::store::{Scope, Series};
use crate::web::error::WebError;
use crate::web::live::json_patch::{patch, whole};
use crate::web::state::find_run;

/// Most points of the time series on a page; longer runs have wider points.
const MAX_SERIES_POINTS: usize = 1_200;
/// Most log lines in one update; of more, the last ones after a line that says so.
const MAX_LOG_LINES: usize = 1_000;

/// Follows one run, or a part of it, for one reader.
#[derive(Debug)]
pub(in crate::web) struct RunFeed {
    coordinator: Coordinator,
    id: RunId,
    /// Which part of the run it shows.
    scope: Scope,
    sent: Sent,
}

/// One update.
#[derive(Debug)]
pub(in crate::web) struct RunUpdate {
    pub(in crate::web) view: RunView,
    /// What changed of the view since the last update (see [`super::json_patch`]).
    pub(in crate::web) view_patch: Option<Value>,
    pub(in crate::web) delta: RunDelta,
    /// The run is over, no late results are awaited, and this is all.
    pub(in crate::web) is_last: bool,
}

/// What the reader has.
#[derive(Debug)]
struct Sent {
    /// None before anything was sent.
    view: Option<RunView>,
    series: Series,
    dots: Dots,
    log_seq: u64,
}

impl RunFeed {
    /// A feed of a part of a run for a reader that has nothing yet.
    pub(in crate::web) fn new(coordinator: Coordinator, id: RunId, scope: Scope) -> Self {
        Self {
            coordinator,
            id,
            scope,
            sent: Sent {
                view: None,
                series: Series::default(),
                dots: Dots::new(),
                log_seq: 0,
            },
        }
    }

    /// The run that it follows.
    pub(in crate::web) fn run_id(&self) -> &RunId {
        &self.id
    }

    /// What is new now.
    ///
    /// # Errors
    /// There is no such run, or the store failed.
    pub(in crate::web) async fn next(&mut self) -> Result<RunUpdate, WebError> {
        let store = self.coordinator.store();
        // The phase is read before the results, so that a run that is over has all of them in its last
        // update.
        let run = find_run(&self.coordinator, &self.id).await?;
        let view = run_view(&self.coordinator, &run, &self.scope).await?;
        let series = store
            .series(&self.id, &self.scope, MAX_SERIES_POINTS)
            .await?;
        let sent = &mut self.sent;
        let reset = !can_be_extended_to(&sent.series, &series);
        let known = if reset {
            &[]
        } else {
            sent.series.points.as_slice()
        };
        let new_points = new_points(known, &series.points);
        if !reset && has_step_before(&new_points, series.step_s, sent.dots.first_wanted()) {
            // Results came later than samples are looked for, so all dots are sent anew.
            sent.dots = Dots::new();
        }
        let samples = store
            .samples(&self.id, &self.scope, sent.dots.first_wanted(), MAX_DOTS)
            .await?;
        let mut log = store
            .last_log_lines(&self.id, &self.scope, sent.log_seq, MAX_LOG_LINES)
            .await?;
        // Of a part of a run the lines have gaps anyway.
        if self.scope.is_whole()
            && let Some(notice) = notice_of_skipped(sent.log_seq, &log)
        {
            log.insert(0, notice);
        }
        let log_lines_dropped = store.log_lines_dropped(&self.id).await?;

        let delta = RunDelta {
            reset,
            series: new_points,
            step_s: series.step_s,
            dots: sent.dots.update(samples),
            log,
            log_lines_dropped,
        };
        let takes_late = run.completeness.takes_late_results(self.coordinator.now());
        let view_patch = patch_of(sent.view.as_ref(), &view)?;
        sent.log_seq = delta.log.last().map_or(sent.log_seq, |row| row.seq);
        sent.series = series;
        sent.view = Some(view.clone());
        Ok(RunUpdate {
            view,
            view_patch,
            delta,
            is_last: run.phase.is_over() && !takes_late,
        })
    }
}

/// What the reader of the old view must be sent; none when it is the same.
fn patch_of(old: Option<&RunView>, new: &RunView) -> Result<Option<Value>, WebError> {
    let json = |view: &RunView| {
        serde_json::to_value(view)
            .map_err(|error| WebError::internal("writing a live update", &error))
    };
    let new = json(new)?;
    match old {
        Some(old) => Ok(patch(&json(old)?, &new)),
        None => Ok(Some(whole(new))),
    }
}

/// A line in place of those between what the reader has and these, if there are any: a run's lines are
/// numbered without gaps. It takes the number of the last one that it stands for.
fn notice_of_skipped(last_sent: u64, log: &[LogRow]) -> Option<LogRow> {
    let first = log.first()?;
    let skipped = first
        .seq
        .checked_sub(last_sent + 1)
        .filter(|skipped| *skipped > 0)?;
    Some(LogRow {
        seq: first.seq - 1,
        at: first.at,
        source: "coordinator".to_owned(),
        text: match skipped {
            1 => "… 1 earlier line: see the download".to_owned(),
            _ => format!("… {} earlier lines: see the download", count(skipped)),
        },
    })
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
    use greylag_infra::WallTime;

    use super::*;
    use proptest::prelude::*;

    fn point(second: u32, requests: u64) -> SeriesPoint {
        SeriesPoint {
            second,
            users: 1,
            requests,
            failures: 0,
        }
    }

    fn series(step_s: u32, points: Vec<SeriesPoint>) -> Series {
        Series { step_s, points }
    }

    proptest! {
        /// A reader that replaces points by second has the server's series after any rewriting and adding.
        #[test]
        fn the_reader_ends_up_with_the_series(
            before in prop::collection::vec(0u64..3, 0..30),
            rewritten in prop::collection::vec(0u64..3, 0..40),
        ) {
            let numbered = |requests: &[u64]| -> Vec<SeriesPoint> {
                requests.iter().enumerate().map(|(second, n)| point(second as u32, *n)).collect()
            };
            let mut now = rewritten;
            now.extend_from_slice(before.get(now.len()..).unwrap_or_default());
            let (before, now) = (numbered(&before), numbered(&now));
            let mut reader: std::collections::BTreeMap<u32, SeriesPoint> =
                before.iter().map(|point| (point.second, *point)).collect();
            let changes = new_points(&before, &now);
            reader.extend(changes.iter().map(|point| (point.second, *point)));
            prop_assert_eq!(reader.into_values().collect::<Vec<_>>(), now);
            prop_assert!(changes.iter().all(|change| !before.contains(change)));
        }
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

    #[test]
    fn lines_left_out_are_reported_in_their_place() {
        let lines = |first: u64| -> Vec<LogRow> {
            (first..first + 3)
                .map(|seq| LogRow {
                    seq,
                    at: WallTime::from_micros(seq * 10),
                    source: "agent".into(),
                    text: "a line".into(),
                })
                .collect()
        };
        assert_eq!(notice_of_skipped(0, &lines(1)), None);
        assert_eq!(notice_of_skipped(41, &lines(42)), None);
        assert_eq!(notice_of_skipped(41, &[]), None);
        let notice = notice_of_skipped(0, &lines(12_346)).expect("12,345 are left out");
        assert_eq!(
            (notice.seq, notice.at),
            (12_345, WallTime::from_micros(123_460))
        );
        assert_eq!(notice.text, "… 12,345 earlier lines: see the download");
        let notice = notice_of_skipped(40, &lines(42)).expect("one is left out");
        assert_eq!(notice.text, "… 1 earlier line: see the download");
    }
}
