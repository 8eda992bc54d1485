//! What a run page has not seen yet: everything at first, then what was added or rewritten since.

use std::collections::HashMap;

use super::error::WebError;
use super::state::find_run;
use crate::coordinator::Coordinator;
use crate::page_text::count;
use crate::store::Series;
use crate::view::{LogRow, RunDelta, RunView, SamplePoint, SeriesPoint};
use crate::view_builder::run_view;

/// Most points of the time series on a page; longer runs have wider points.
const MAX_SERIES_POINTS: usize = 1_200;
/// Most dots of the scatter plot in a first update.
const MAX_SAMPLES: usize = 4_000;
/// Dots a browser may have collected before it is sent a thinned set anew.
const SAMPLES_BEFORE_THINNING: usize = 2 * MAX_SAMPLES;
/// Most log lines in one update; of more, the last ones after a line that says so.
const MAX_LOG_LINES: usize = 2_000;
/// Seconds of run time for which late samples are looked for.
const LATE_SAMPLES_S: u32 = 15;

/// Follows one run for one reader.
#[derive(Debug)]
pub(super) struct RunFeed {
    coordinator: Coordinator,
    id: String,
    sent: Option<Sent>,
}

/// One update: to be sent as `view` and `delta`.
#[derive(Debug)]
pub(super) struct RunUpdate {
    pub(super) view: RunView,
    pub(super) delta: RunDelta,
    /// The run is over and this is all.
    pub(super) is_last: bool,
}

/// What the reader has.
#[derive(Debug, Default)]
struct Sent {
    step_s: u32,
    points: Vec<SeriesPoint>,
    samples: SentSamples,
    log_seq: u64,
}

impl RunFeed {
    /// A feed for a reader that has nothing yet.
    pub(super) fn new(coordinator: Coordinator, id: String) -> Self {
        Self {
            coordinator,
            id,
            sent: None,
        }
    }

    /// What is new now.
    ///
    /// # Errors
    /// There is no such run, or the store failed.
    pub(super) async fn next(&mut self) -> Result<RunUpdate, WebError> {
        let store = self.coordinator.store();
        // The phase is read before the results, so that a run that is over has all of them in its last
        // update.
        let run = find_run(&self.coordinator, &self.id).await?;
        let view = run_view(&self.coordinator, &run).await?;
        let series = store.series(&self.id, 0, MAX_SERIES_POINTS).await?;
        let sent = match self.sent.take() {
            Some(sent) if sent.can_be_extended_to(&series) => Some(sent),
            _ => None,
        };
        let reset = sent.is_none();
        let mut sent = sent.unwrap_or_default();

        let first_wanted = if reset {
            0
        } else {
            sent.samples.first_wanted()
        };
        let samples = store.samples(&self.id, first_wanted, MAX_SAMPLES).await?;
        let mut log = store
            .last_log_lines(&self.id, sent.log_seq, MAX_LOG_LINES)
            .await?;
        if let Some(notice) = notice_of_skipped(sent.log_seq, &log) {
            log.insert(0, notice);
        }
        sent.log_seq = log.last().map_or(sent.log_seq, |row| row.seq);

        let delta = RunDelta {
            reset,
            series: new_points(&sent.points, &series.points),
            step_s: series.step_s,
            samples: sent.samples.new_among(samples.points),
            samples_of: samples.of,
            log,
            log_lines_dropped: store.log_lines_dropped(&self.id).await?,
        };
        sent.step_s = series.step_s;
        sent.points = series.points;
        self.sent = Some(sent);
        Ok(RunUpdate {
            view,
            delta,
            is_last: run.phase.is_over(),
        })
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
        at_us: first.at_us,
        source: "coordinator".to_owned(),
        text: match skipped {
            1 => "… 1 older line is in the download".to_owned(),
            _ => format!("… {} earlier lines: see the download", count(skipped)),
        },
    })
}

impl Sent {
    /// Whether points can be added and replaced, without any to be taken away, and the dots are not too
    /// many.
    fn can_be_extended_to(&self, series: &Series) -> bool {
        self.step_s == series.step_s
            && self.points.len() <= series.points.len()
            && self
                .points
                .iter()
                .zip(&series.points)
                .all(|(sent, now)| sent.second == now.second)
            && self.samples.in_browser <= SAMPLES_BEFORE_THINNING
    }
}

/// The points that the reader does not have as they are now. Late results may rewrite any of them.
fn new_points(sent: &[SeriesPoint], now: &[SeriesPoint]) -> Vec<SeriesPoint> {
    let mut sent = sent.iter();
    now.iter()
        .filter(|point| sent.next() != Some(*point))
        .copied()
        .collect()
}

/// Which dots the reader has: counted for the last seconds, in which more may come late; older ones are
/// forgotten.
#[derive(Debug, Default)]
struct SentSamples {
    last_second: u32,
    recent: HashMap<SampleKey, u32>,
    in_browser: usize,
}

/// A dot: time and response time in µs, endpoint, outcome.
type SampleKey = (u64, u64, String, String, bool);

impl SentSamples {
    fn first_wanted(&self) -> u32 {
        self.last_second.saturating_sub(LATE_SAMPLES_S)
    }

    /// Keeps what the reader does not have and notes that it will.
    fn new_among(&mut self, samples: Vec<SamplePoint>) -> Vec<SamplePoint> {
        let mut known = self.recent.clone();
        let new: Vec<SamplePoint> = samples
            .into_iter()
            .filter(|sample| match known.get_mut(&key(sample)) {
                Some(copies) if *copies > 0 => {
                    *copies -= 1;
                    false
                }
                _ => true,
            })
            .collect();
        for sample in &new {
            *self.recent.entry(key(sample)).or_default() += 1;
            self.last_second = self.last_second.max(sample.at_s as u32);
        }
        self.in_browser += new.len();
        let first_wanted = u64::from(self.first_wanted()) * 1_000_000;
        self.recent.retain(|(at_us, ..), _| *at_us >= first_wanted);
        new
    }
}

fn key(sample: &SamplePoint) -> SampleKey {
    (
        (sample.at_s * 1e6).round() as u64,
        (sample.response_ms * 1e3).round() as u64,
        sample.method.clone(),
        sample.name.clone(),
        sample.failed,
    )
}

#[cfg(test)]
mod tests {
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

    fn sample(at_ms: u64, name: &str) -> SamplePoint {
        SamplePoint {
            at_s: at_ms as f64 / 1e3,
            response_ms: 1.5,
            method: "GET".into(),
            name: name.into(),
            failed: false,
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
        let sent = Sent {
            step_s: 1,
            points: vec![point(0, 1), point(1, 2)],
            ..Sent::default()
        };
        assert!(sent.can_be_extended_to(&series(1, vec![point(0, 9), point(1, 2), point(2, 3)])));
        assert!(!sent.can_be_extended_to(&series(8, vec![point(0, 3), point(8, 2)])));
        assert!(!sent.can_be_extended_to(&series(1, vec![point(0, 1)])));
        assert!(!sent.can_be_extended_to(&series(1, vec![point(0, 1), point(2, 2)])));
    }

    #[test]
    fn lines_left_out_are_told_in_their_place() {
        let lines = |first: u64| -> Vec<LogRow> {
            (first..first + 3)
                .map(|seq| LogRow {
                    seq,
                    at_us: seq * 10,
                    source: "agent".into(),
                    text: "a line".into(),
                })
                .collect()
        };
        assert_eq!(notice_of_skipped(0, &lines(1)), None);
        assert_eq!(notice_of_skipped(41, &lines(42)), None);
        assert_eq!(notice_of_skipped(41, &[]), None);
        let notice = notice_of_skipped(0, &lines(12_346)).expect("12,345 are left out");
        assert_eq!((notice.seq, notice.at_us), (12_345, 123_460));
        assert_eq!(notice.text, "… 12,345 earlier lines: see the download");
        let notice = notice_of_skipped(40, &lines(42)).expect("one is left out");
        assert_eq!(notice.text, "… 1 older line is in the download");
    }

    #[test]
    fn each_dot_is_sent_once_late_ones_and_twins_too() {
        let mut sent = SentSamples::default();
        let first = vec![
            sample(20_000, "/a"),
            sample(20_000, "/a"),
            sample(20_500, "/b"),
        ];
        assert_eq!(sent.new_among(first.clone()).len(), 3);
        let mut again = first;
        again.push(sample(19_000, "/late"));
        again.push(sample(20_000, "/a"));
        let new = sent.new_among(again.clone());
        assert_eq!(new, [sample(19_000, "/late"), sample(20_000, "/a")]);
        assert!(sent.new_among(again).is_empty());
        assert_eq!(sent.in_browser, 5);
        assert_eq!(sent.first_wanted(), 20 - LATE_SAMPLES_S);
    }

    #[test]
    fn what_is_remembered_of_dots_is_bounded_by_the_late_seconds() {
        let mut sent = SentSamples::default();
        for second in 0..1_000 {
            sent.new_among(vec![sample(second * 1_000, "/a")]);
        }
        assert!(sent.recent.len() <= LATE_SAMPLES_S as usize + 1);
    }
}
