//! Whether the conditions of a run hold: pure, second by second, over all agents together.
//!
//! One evaluation serves a run in progress and one that is over. It is given the seconds of run time in order, each once it is
//! complete, so that what it says of a moment never depends on when that was asked, or by which process. Memory is bounded
//! by the number of thresholds, not by time: what leaves a window is read again.

mod extremes;
mod judge;
mod load;
mod tally;

use std::collections::BTreeSet;
use std::ops::Range;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{
    CustomStatistic, FailureReason, RunRecord, Threshold, ThresholdMetric, ThresholdResult,
    ThresholdSubject, TimeStatistic, TimedSpan,
};

use self::judge::Judge;
use self::load::load_ends_s;
pub(crate) use self::load::loaded_seconds;
pub(crate) use self::tally::Second;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::Measure;

/// What has to be read of each second for a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// Of what.
    pub(crate) of: ThresholdSubject,
    pub(crate) what: Needed,
}

/// Which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// How many requests there were, and how many failed.
    Counts,
    /// The sums of requests.
    Sums,
    /// The same with the histogram of these times.
    Times(Measure),
    /// Iterations of an arrival rate.
    Arrivals,
    /// Whether the load generator was saturated.
    Saturated,
    /// The values of the custom metric, if it is of a kind that has this statistic.
    Custom(CustomStatistic),
}

impl Need {
    fn of(threshold: &Threshold) -> Self {
        let what = match threshold.metric {
            ThresholdMetric::Time(span, TimeStatistic::Percentile(_)) => {
                Needed::Times(measure_of(span))
            }
            ThresholdMetric::Time(..) => Needed::Sums,
            ThresholdMetric::RequestsPerSecond
            | ThresholdMetric::Requests
            | ThresholdMetric::Failures
            | ThresholdMetric::ErrorRate => Needed::Counts,
            ThresholdMetric::Skipped => Needed::Arrivals,
            ThresholdMetric::Saturated => Needed::Saturated,
            ThresholdMetric::Custom(statistic) => Needed::Custom(statistic),
        };
        Self {
            of: threshold.of.clone(),
            what,
        }
    }
}

/// What thresholds are about of which the counts of all requests say nothing, by name.
#[derive(Debug, Default)]
pub(crate) struct CountedApart {
    /// Custom metrics.
    pub(crate) metrics: BTreeSet<String>,
    /// Tags.
    pub(crate) tags: BTreeSet<String>,
}

/// The only endpoint that a threshold is about; none for another subject.
pub(crate) fn endpoint_of(subject: &ThresholdSubject) -> Option<Endpoint> {
    match subject {
        ThresholdSubject::Endpoint { method, name } => Some(Endpoint {
            method: method.clone(),
            name: name.clone(),
        }),
        ThresholdSubject::All | ThresholdSubject::Tag { .. } | ThresholdSubject::Metric { .. } => {
            None
        }
    }
}

/// The tag of the tasks whose requests a threshold is about; none for another subject.
pub(crate) fn tag_of(subject: &ThresholdSubject) -> Option<String> {
    match subject {
        ThresholdSubject::Tag { name } => Some(name.clone()),
        _ => None,
    }
}

fn measure_of(span: TimedSpan) -> Measure {
    match span {
        TimedSpan::Response => Measure::Response,
        TimedSpan::FirstByte => Measure::FirstByte,
        TimedSpan::Intended => Measure::Intended,
    }
}

/// A run is to be stopped, because a threshold has been breached for as long as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdAbort {
    /// The threshold, as text.
    pub threshold: String,
    /// Since which second of run time it has been breached.
    pub since_s: u32,
}

impl ThresholdAbort {
    /// The one for which a run is or was stopped.
    pub(crate) fn of(run: &RunRecord) -> Option<Self> {
        match run.phase.failure_reason() {
            Some(FailureReason::ThresholdBreached { threshold, since_s }) => Some(Self {
                threshold: threshold.clone(),
                since_s: *since_s,
            }),
            _ => None,
        }
    }
}

/// What a run had up to some second: whether an evaluation knows all that is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) arrivals: Arrivals,
    /// Values of the custom metrics that thresholds are about.
    pub(crate) values: u64,
    /// Requests of the tags that thresholds are about, for each of them.
    pub(crate) tagged: u64,
}

/// The thresholds of a run as far as its seconds have been taken in.
#[derive(Debug)]
pub(crate) struct Evaluation {
    judges: Vec<Judge>,
    next: u32,
    counted: Counted,
}

impl Evaluation {
    /// Of a run of which nothing has been taken in. Of a threshold that is about a baseline, `baselines` has what its metric
    /// was there, and `why_unknown` says why it is not known where it is not.
    pub(crate) fn new(run: &RunRecord, baselines: &[Option<f64>], why_unknown: &str) -> Self {
        let baselines = baselines.iter().copied().chain(std::iter::repeat(None));
        let judges = run.test.thresholds.iter().zip(baselines);
        let load_ends_s = load_ends_s(run);
        Self {
            judges: judges
                .map(|(threshold, baseline)| {
                    let seconds = threshold.during.seconds(&run.profile);
                    Judge::new(threshold, seconds, load_ends_s, baseline.ok_or(why_unknown))
                })
                .collect(),
            next: 0,
            counted: Counted::default(),
        }
    }

    /// Whether it is that of a run as this is now, so that it can go on: a change of its users changes its phases.
    pub(crate) fn is_of(&self, run: &RunRecord) -> bool {
        let load_ends_s = load_ends_s(run);
        let is_same = |(judge, threshold): (&Judge, &Threshold)| {
            judge.is_of(&threshold.during.seconds(&run.profile), load_ends_s)
        };
        self.judges.iter().zip(&run.test.thresholds).all(is_same)
    }

    /// What thresholds are about beside requests of all tasks, endpoints and arrivals.
    pub(crate) fn counted_apart(&self) -> CountedApart {
        let mut apart = CountedApart::default();
        for need in self.judges.iter().map(Judge::need) {
            let (names, name) = match &need.of {
                ThresholdSubject::Metric { name } => (&mut apart.metrics, name),
                ThresholdSubject::Tag { name } => (&mut apart.tags, name),
                ThresholdSubject::All | ThresholdSubject::Endpoint { .. } => continue,
            };
            names.insert(name.clone());
        }
        apart
    }

    /// The second that comes next.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// What the run had in the seconds before [`Self::next`], as far as it was there when they were taken in.
    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }

    /// Takes in the seconds up to `until`, no more than some hundred. `read` gives what a need has in each of some seconds.
    ///
    /// # Errors
    /// Those of `read`; then this is of no use any more.
    pub(crate) fn take_in<E>(
        &mut self,
        until: u32,
        counted: Counted,
        mut read: impl FnMut(&Need, Range<u32>) -> Result<Vec<Second>, E>,
    ) -> Result<(), E> {
        let seconds = self.next..until.max(self.next);
        // Most thresholds of a test are about the same few things.
        let mut known: Vec<(Need, Range<u32>, Vec<Second>)> = Vec::new();
        for judge in &mut self.judges {
            let arriving = judge.arriving(&seconds);
            let leaving = judge.leaving(&seconds);
            let looked_at = judge.looked_at(&seconds);
            for part in [&arriving, &leaving, &looked_at] {
                let is_known =
                    |known: &(Need, Range<u32>, _)| known.0 == *judge.need() && known.1 == *part;
                if !part.is_empty() && !known.iter().any(is_known) {
                    let read = read(judge.need(), part.clone())?;
                    known.push((judge.need().clone(), part.clone(), read));
                }
            }
            let of = |part: &Range<u32>| {
                let mut known = known.iter();
                let found = known.find(|known| known.0 == *judge.need() && known.1 == *part);
                found.map_or(&[][..], |(_, _, seconds)| seconds)
            };
            let (arriving_seconds, leaving_seconds) = (of(&arriving), of(&leaving));
            let seconds_looked_at = of(&looked_at);
            judge.look_at(seconds_looked_at);
            judge.take_in(
                (arriving.start, arriving_seconds),
                (leaving.start, leaving_seconds),
            );
        }
        self.next = seconds.end;
        self.counted.requests = self.counted.requests.saturating_add(counted.requests);
        self.counted.failures = self.counted.failures.saturating_add(counted.failures);
        self.counted.arrivals.merge(counted.arrivals);
        self.counted.values = self.counted.values.saturating_add(counted.values);
        self.counted.tagged = self.counted.tagged.saturating_add(counted.tagged);
        Ok(())
    }

    /// The run is over, everything of it has been taken in, and it took so long.
    pub(crate) fn finish(&mut self, elapsed_s: f64) {
        for judge in &mut self.judges {
            judge.finish(elapsed_s);
        }
    }

    /// How the thresholds of this run stand.
    pub(crate) fn results(&self, run: &RunRecord) -> Vec<ThresholdResult> {
        let stopped = ThresholdAbort::of(run);
        let judges = self.judges.iter();
        judges
            .map(|judge| judge.result(self.next, stopped.as_ref()))
            .collect()
    }

    /// The first threshold for which the run is to be stopped.
    pub(crate) fn abort(&self) -> Option<ThresholdAbort> {
        let mut judges = self.judges.iter();
        judges.find_map(|judge| judge.abort(self.next))
    }
}
