//! Readers of all kinds end up with the same, whatever happens to the run.

use std::collections::BTreeMap;

use greylag_infra::WallTime;
use greylag_infra::protocol::SampleKind;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::dots::tests::Browser;
use super::shown::{Change, Grown, Now, Shown};
use crate::api_types::LogRow;
use crate::measure::samples::Complete;
use crate::measure::series_point::SeriesPoint;
use crate::store::{SamplePoint, Samples, Series};
use crate::web::live::json_patch::tests::apply;

/// A run as the store has it.
#[derive(Debug, Clone, Default)]
struct Run {
    /// Requests by second; the samples are one of each ten.
    seconds: Vec<u64>,
    samples: Vec<SamplePoint>,
    lines: u64,
    step_s: u32,
    changes: u64,
}

/// What may happen to it between two updates.
#[derive(Debug, Clone)]
enum Happening {
    /// Requests in seconds after the last one.
    Seconds(Vec<u64>),
    /// Requests in an earlier second.
    Late(Index, u64),
    Lines(u64),
    WiderSteps,
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => prop::collection::vec(0..80_u64, 1..30).prop_map(Happening::Seconds),
        2 => (any::<Index>(), 1..50_u64).prop_map(|(at, requests)| Happening::Late(at, requests)),
        2 => (1..1_500_u64).prop_map(Happening::Lines),
        1 => Just(Happening::WiderSteps),
        1 => Just(Happening::Nothing),
    ]
}

impl Run {
    fn new() -> Self {
        Self {
            step_s: 1,
            ..Self::default()
        }
    }

    fn happen(&mut self, happening: &Happening) {
        self.changes += 1;
        match happening {
            Happening::Seconds(requests) => {
                for requests in requests {
                    self.seconds.push(0);
                    self.add(self.seconds.len() - 1, *requests);
                }
            }
            // In a wide step what is late cannot be distinguished from what is new, and its dots come with the next page.
            Happening::Late(at, requests) if !self.seconds.is_empty() && self.step_s == 1 => {
                self.add(at.index(self.seconds.len()), *requests);
            }
            Happening::Lines(lines) => self.lines += lines,
            Happening::WiderSteps => self.step_s *= 2,
            Happening::Late(..) | Happening::Nothing => {}
        }
    }

    fn add(&mut self, second: usize, requests: u64) {
        let before = self.seconds[second];
        for number in (before..before + requests).filter(|number| number.is_multiple_of(10)) {
            self.samples.push(SamplePoint {
                at_s: second as f64 + (number % 1_000) as f64 / 1e3,
                response_ms: 1.0 + (number * 7 % 13) as f64,
                method: "GET".to_owned(),
                name: format!("/{}", (number / 10 + second as u64) % 5),
                failed: number.is_multiple_of(30),
                kind: SampleKind::Drawn,
            });
        }
        self.seconds[second] += requests;
    }

    fn requests(&self) -> u64 {
        self.seconds.iter().sum()
    }

    /// What a feed reads from the store.
    fn read(&self, shown: &mut Shown) -> Now {
        let points = self.seconds.chunks(self.step_s as usize).enumerate();
        let series = Series {
            step_s: self.step_s,
            points: points
                .map(|(step, requests)| SeriesPoint {
                    second: step as u32 * self.step_s,
                    users: 1,
                    requests: requests.iter().sum(),
                    failures: 0,
                    ..SeriesPoint::default()
                })
                .collect(),
        };
        let first = f64::from(shown.first_sample_wanted(&series));
        let samples = self.samples.iter().filter(|sample| sample.at_s >= first);
        let first_line = (shown.last_log_seq() + 1).max((self.lines + 1).saturating_sub(1_000));
        Now {
            view: json!({ "changes": self.changes, "rows": self.seconds, "users": 1 }),
            grown: Grown {
                series,
                samples: Samples {
                    points: samples.cloned().collect(),
                    complete: Complete::ALL,
                    of: self.requests(),
                },
                log: (first_line..=self.lines).map(line).collect(),
                log_lines_dropped: self.lines / 2_000,
            },
        }
    }
}

fn line(seq: u64) -> LogRow {
    LogRow {
        seq,
        at: WallTime::from_micros(seq),
        source: "agent".to_owned(),
        text: format!("line {seq}"),
        ..LogRow::default()
    }
}

/// What a page does with what it is sent.
#[derive(Debug, Default)]
struct Reader {
    view: Value,
    points: BTreeMap<u32, SeriesPoint>,
    step_s: u32,
    dots: Browser,
    lines: BTreeMap<u64, String>,
}

impl Reader {
    fn apply(&mut self, (view, delta): &Change) {
        if let Some(patch) = view {
            self.view = apply(self.view.take(), patch);
        }
        if delta.reset {
            self.points.clear();
        }
        let points = delta.series.iter();
        self.points
            .extend(points.map(|point| (point.second, *point)));
        self.step_s = delta.step_s;
        self.dots.apply(&delta.dots);
        let last = self.lines.last_key_value().map_or(0, |(seq, _)| *seq);
        let new = delta.log.iter().filter(|row| row.seq > last);
        self.lines
            .extend(new.map(|row| (row.seq, row.text.clone())));
    }

    fn assert_same(&self, other: &Self) {
        assert_eq!(self.view, other.view);
        assert_eq!((self.step_s, &self.points), (other.step_s, &other.points));
        assert_eq!(self.dots.sorted(), other.dots.sorted());
        // One that followed has earlier lines, too.
        let newest = |reader: &Self| {
            let lines = reader.lines.iter().rev().take(1_000);
            lines
                .map(|(seq, text)| (*seq, text.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(newest(self), newest(other));
    }
}

/// How a reader reads.
#[derive(Debug, Clone)]
struct Manner {
    /// After which of the happenings it comes.
    joins_at: Index,
    /// After which of those it reads what is new, by turns.
    reads: Vec<bool>,
    /// How many updates it may lack until it is sent everything anew.
    patience: usize,
}

fn manner() -> impl Strategy<Value = Manner> {
    (
        any::<Index>(),
        prop::collection::vec(any::<bool>(), 1..6),
        0..6_usize,
    )
        .prop_map(|(joins_at, reads, patience)| Manner {
            joins_at,
            reads,
            patience,
        })
}

proptest! {
    #[test]
    fn late_and_slow_readers_end_up_with_what_a_new_one_is_sent(
        happenings in prop::collection::vec(happening(), 1..25),
        manners in prop::collection::vec(manner(), 1..5),
    ) {
        let mut run = Run::new();
        let mut shown = Shown::default();
        let mut updates: Vec<Change> = Vec::new();
        let mut readers: Vec<Option<(Reader, usize)>> = manners.iter().map(|_| None).collect();
        for (at, happening) in happenings.iter().enumerate() {
            run.happen(happening);
            let now = run.read(&mut shown);
            updates.push(shown.update(now));
            let is_last = at + 1 == happenings.len();
            for (reader, manner) in readers.iter_mut().zip(&manners) {
                match reader {
                    None if at < manner.joins_at.index(happenings.len()) => {}
                    None => {
                        let mut new = Reader::default();
                        new.apply(&shown.everything());
                        *reader = Some((new, updates.len()));
                    }
                    Some((reader, has)) if is_last || manner.reads[at % manner.reads.len()] => {
                        if updates.len() - *has > manner.patience {
                            reader.apply(&shown.everything());
                        } else {
                            updates[*has..].iter().for_each(|update| reader.apply(update));
                        }
                        *has = updates.len();
                    }
                    Some(_) => {}
                }
            }
        }
        let mut newest = Reader::default();
        let mut feed = Shown::default();
        let now = run.read(&mut feed);
        newest.apply(&feed.update(now));
        let mut first = Reader::default();
        updates.iter().for_each(|update| first.apply(update));
        first.assert_same(&newest);
        for (reader, _) in readers.iter().flatten() {
            reader.assert_same(&newest);
        }
    }
}
