//! One threshold, second by second.

use std::ops::Range;

use greylag_infra::{
    CustomStatistic, Threshold, ThresholdMetric, ThresholdPhase, ThresholdResult, ThresholdState,
    ThresholdSubject, TimeStatistic, TimedSpan,
};

use super::extremes::SlidingExtremes;
use super::tally::{Second, Tally};
use super::{Need, ThresholdAbort};

/// Why a threshold is breached whose value is within the limit in the end.
const STOPPED_THE_RUN: &str = "the run was stopped for it";

/// One threshold as far as seconds have been taken in.
#[derive(Debug)]
pub(super) struct Judge {
    threshold: Threshold,
    need: Need,
    /// Where it is about a baseline that is not known, the reason.
    limit: Result<f64, String>,
    /// Those it is about; `u32::MAX` is the end of the run.
    seconds: Range<u32>,
    /// Windows lie before it: when the load has ended, only what was under way comes in.
    load_ends_s: u32,
    /// Whether a number of requests may be 0: of one endpoint or tag only once it has been requested, in the phase or not,
    /// because its name may be misspelled.
    may_be_zero: bool,
    /// Of the phase, or of the window.
    tally: Tally,
    extremes: SlidingExtremes,
    /// Seconds of the phase that have been taken in.
    taken_in: u32,
    /// The value of the phase so far, or the worst of all windows.
    actual: Option<f64>,
    breached_since: Option<u32>,
    /// Whether the run is over.
    is_over: bool,
}

impl Judge {
    pub(super) fn new(
        threshold: &Threshold,
        seconds: Range<u32>,
        load_ends_s: u32,
        baseline: Result<f64, &str>,
    ) -> Self {
        let limit = threshold.limit_value(baseline.ok());
        Self {
            need: Need::of(threshold),
            limit: limit.ok_or_else(|| baseline.err().unwrap_or_default().to_owned()),
            threshold: threshold.clone(),
            seconds,
            load_ends_s,
            may_be_zero: !counts_one_name(threshold),
            tally: Tally::default(),
            extremes: SlidingExtremes::default(),
            taken_in: 0,
            actual: None,
            breached_since: None,
            is_over: false,
        }
    }

    /// Whether these are its seconds, in a run whose load ends so.
    pub(super) fn is_of(&self, seconds: &Range<u32>, load_ends_s: u32) -> bool {
        self.seconds == *seconds && self.load_ends_s == load_ends_s
    }

    pub(super) fn need(&self) -> &Need {
        &self.need
    }

    /// Which of some seconds it takes in.
    pub(super) fn arriving(&self, seconds: &Range<u32>) -> Range<u32> {
        let end = match self.threshold.within_s {
            Some(_) => self.seconds.end.min(self.load_ends_s),
            None => self.seconds.end,
        };
        let from = seconds.start.max(self.seconds.start);
        from..seconds.end.min(end).max(from)
    }

    /// Which seconds leave its window meanwhile.
    pub(super) fn leaving(&self, seconds: &Range<u32>) -> Range<u32> {
        let Some(width) = self.threshold.within_s else {
            return 0..0;
        };
        let arriving = self.arriving(seconds);
        let from = |second: u32| second.saturating_sub(width).max(self.seconds.start);
        from(arriving.start)..from(arriving.end)
    }

    /// Which of some seconds say whether what it is about is ever requested, while that is not known.
    pub(super) fn looked_at(&self, seconds: &Range<u32>) -> Range<u32> {
        match self.may_be_zero {
            true => 0..0,
            false => seconds.clone(),
        }
    }

    /// Looks at these seconds for a request.
    pub(super) fn look_at(&mut self, seconds: &[Second]) {
        self.may_be_zero |= seconds.iter().any(|second| second.sums.requests() > 0);
    }

    /// Takes in seconds, each list with its first one, and lets others leave its window.
    pub(super) fn take_in(&mut self, arriving: (u32, &[Second]), leaving: (u32, &[Second])) {
        for (second, sums) in (arriving.0..).zip(arriving.1) {
            self.tally.add(sums);
            self.taken_in += 1;
            match self.threshold.within_s {
                None => self.judge_phase(second, f64::from(self.taken_in)),
                Some(width) => {
                    let from = (second + 1).saturating_sub(width);
                    if from > self.seconds.start
                        && let Some(gone) = leaving.1.get((from - 1 - leaving.0) as usize)
                    {
                        self.tally.take_away(gone);
                    }
                    if let Some(ends) = ends_of(self.threshold.metric, sums) {
                        self.extremes.add(second, ends);
                    }
                    self.extremes.begin_at(from);
                    if self.taken_in >= width {
                        self.judge_window(second, width);
                    }
                }
            }
        }
    }

    /// The value of the phase up to the end of a second, when it is so long.
    fn judge_phase(&mut self, second: u32, seconds: f64) {
        let metric = self.threshold.metric;
        self.actual = self.tally.value(metric, seconds, self.taken_in, None);
        let is_last = self.is_over || second.saturating_add(1) == self.seconds.end;
        if self.is_breached(self.actual) && (is_last || !self.may_still_hold()) {
            self.breached_since.get_or_insert(second);
        } else {
            self.breached_since = None;
        }
    }

    fn judge_window(&mut self, second: u32, width: u32) {
        let metric = self.threshold.metric;
        let ends = self.extremes.get();
        let value = self.tally.value(metric, f64::from(width), width, ends);
        let Some(value) = value else { return };
        let worst = self.actual.get_or_insert(value);
        *worst = if self.threshold.comparison.is_upper() {
            worst.max(value)
        } else {
            worst.min(value)
        };
        if self.is_breached(Some(value)) {
            // Whatever comes later, there was such a window.
            self.breached_since.get_or_insert(second);
        }
    }

    fn is_breached(&self, value: Option<f64>) -> bool {
        let both = value.zip(self.limit.as_ref().ok().copied());
        both.is_some_and(|(value, limit)| !self.threshold.holds(value, limit))
    }

    /// Whether more of the run can only bring the value nearer to where the condition holds, so that it is not judged
    /// before its end: that there are to be 1,000 requests is not breached in the first second.
    fn may_still_hold(&self) -> bool {
        let is_upper = self.threshold.comparison.is_upper();
        match self.threshold.metric {
            ThresholdMetric::Requests
            | ThresholdMetric::Failures
            | ThresholdMetric::Custom(
                CustomStatistic::Total
                | CustomStatistic::Count
                | CustomStatistic::Values(TimeStatistic::Max),
            )
            | ThresholdMetric::Time(_, TimeStatistic::Max) => !is_upper,
            ThresholdMetric::Time(_, TimeStatistic::Min)
            | ThresholdMetric::Custom(CustomStatistic::Values(TimeStatistic::Min)) => is_upper,
            _ => false,
        }
    }

    /// The run is over; it took so long.
    pub(super) fn finish(&mut self, elapsed_s: f64) {
        self.is_over = true;
        if self.threshold.within_s.is_some() || self.taken_in == 0 {
            return;
        }
        let last = self.seconds.start.saturating_add(self.taken_in - 1);
        let end = elapsed_s.min(f64::from(self.seconds.end));
        self.judge_phase(last, end - f64::from(self.seconds.start));
    }

    /// What was measured and since when that is a breach, as far as it is known that there is something to measure.
    fn measured(&self) -> (Option<f64>, Option<u32>) {
        match self.may_be_zero {
            true => (self.actual, self.breached_since),
            false => (None, None),
        }
    }

    /// Whether the run is to be stopped for it when the seconds before `next` have been taken in.
    pub(super) fn abort(&self, next: u32) -> Option<ThresholdAbort> {
        let after_s = self.threshold.abort_after_s?;
        let since_s = self.measured().1?;
        (next.saturating_sub(since_s) >= after_s).then(|| ThresholdAbort {
            threshold: self.threshold.to_string(),
            since_s,
        })
    }

    /// How it stands when the seconds before `next` have been taken in, in a run that is or was stopped for a threshold: if it
    /// was this one, it stays breached whatever came while the load ended.
    pub(super) fn result(&self, next: u32, stopped: Option<&ThresholdAbort>) -> ThresholdResult {
        let condition = self.threshold.to_string();
        let (actual, mut breached_since) = self.measured();
        let stopped_since = stopped.filter(|stopped| stopped.threshold == condition);
        let has_recovered = stopped_since.is_some() && breached_since.is_none();
        breached_since = stopped_since
            .map(|stopped| stopped.since_s)
            .or(breached_since);
        // Before the first second its phases may not be known; and what was never requested may be so after the phase.
        let is_past = next > 0 && next >= self.seconds.end;
        let is_judged = self.is_over || (is_past && self.may_be_zero);
        let limit = self.limit.as_ref().ok().copied();
        let state = match actual.zip(limit) {
            _ if breached_since.is_some() => ThresholdState::Breached,
            None if is_judged => ThresholdState::NoData,
            None => ThresholdState::Pending,
            Some((value, limit)) if self.threshold.holds(value, limit) => ThresholdState::Passed,
            Some(_) => ThresholdState::Pending,
        };
        let has_no_data = state == ThresholdState::NoData;
        ThresholdResult {
            condition,
            metric: self.threshold.metric_text(),
            unit: self.threshold.metric.unit(),
            actual,
            limit,
            state,
            breached_since_s: breached_since,
            explanation: match &self.limit {
                // It is worth knowing before the run is over, too.
                Err(why_unknown) => Some(why_unknown.clone()),
                Ok(_) if has_recovered => Some(STOPPED_THE_RUN.to_owned()),
                Ok(_) => has_no_data.then(|| self.why_no_data()),
            },
        }
    }

    fn why_no_data(&self) -> String {
        if self.taken_in == 0 {
            return match self.threshold.during {
                ThresholdPhase::Whole => "the run did not begin".to_owned(),
                ThresholdPhase::AfterRampUp => "the run did not get beyond its ramp-up".to_owned(),
                ThresholdPhase::RampUp => "the run has no ramp-up".to_owned(),
                ThresholdPhase::Steady => "the load was never steady".to_owned(),
                ThresholdPhase::RampDown => "the run has no ramp-down".to_owned(),
            };
        }
        let requests = match &self.need.of {
            ThresholdSubject::All | ThresholdSubject::Metric { .. } => "requests".to_owned(),
            ThresholdSubject::Endpoint { method, name } => format!("requests to {method} {name}"),
            ThresholdSubject::Tag { name } => format!("requests of tasks with the tag `{name}`"),
        };
        match (self.threshold.within_s, self.threshold.metric) {
            (Some(width), _) if self.taken_in < width => {
                format!("this part of the run took less than {width} s")
            }
            _ if !self.may_be_zero => format!("no {requests} ended in the run"),
            (_, ThresholdMetric::Time(TimedSpan::Intended, _)) => {
                format!("no {requests} with an intended start ended in this part of the run")
            }
            (_, ThresholdMetric::Time(TimedSpan::FirstByte, _)) => {
                format!("no {requests} with a time to the first byte ended in this part of the run")
            }
            (_, ThresholdMetric::Custom(statistic)) => {
                format!(
                    "no values of a custom metric `{}` that has a {statistic} came in this part of the run",
                    self.need.of
                )
            }
            (_, ThresholdMetric::Skipped) => {
                "no iterations of an arrival rate were due in this part of the run".to_owned()
            }
            _ => format!("no {requests} ended in this part of the run"),
        }
    }
}

/// Whether it is about how many requests of one name there were.
fn counts_one_name(threshold: &Threshold) -> bool {
    let has_name = match threshold.of {
        ThresholdSubject::Endpoint { .. } | ThresholdSubject::Tag { .. } => true,
        ThresholdSubject::All | ThresholdSubject::Metric { .. } => false,
    };
    let is_count = matches!(
        threshold.metric,
        ThresholdMetric::RequestsPerSecond | ThresholdMetric::Requests | ThresholdMetric::Failures
    );
    has_name && is_count
}

/// The least and the greatest of what a metric is about in a second, if there is any.
fn ends_of(metric: ThresholdMetric, second: &Second) -> Option<(i64, i64)> {
    match metric {
        ThresholdMetric::Time(span, _) => {
            let times = super::measure_of(span).times_in(&second.sums)?;
            let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
            (times.count > 0).then(|| (signed(times.min_us), signed(times.max_us)))
        }
        ThresholdMetric::Custom(_) => {
            let numbers = &second.metric.numbers;
            (!second.metric.is_empty()).then_some((numbers.min, numbers.max))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str, baseline: Result<f64, &str>) -> Judge {
        let threshold = text.parse().expect("the text is a threshold");
        Judge::new(&threshold, 0..u32::MAX, u32::MAX, baseline)
    }

    /// A second with so many requests and failures.
    fn second(requests: u64, failures: u64) -> Second {
        let mut second = Second::default();
        second.sums.response.count = requests;
        second.sums.failures = failures;
        second
    }

    #[test]
    fn a_run_without_failures_is_not_stopped_where_its_baseline_had_none() {
        let mut judge = judge("error_rate < baseline + 10% abort after 2s", Ok(0.0));
        judge.take_in((0, &vec![second(10, 0); 5]), (0, &[]));
        assert_eq!(judge.abort(5), None);
        assert_eq!(judge.result(5, None).state, ThresholdState::Passed);
        judge.take_in((5, &vec![second(10, 1); 2]), (0, &[]));
        let since_s = judge.abort(7).map(|abort| abort.since_s);
        assert_eq!(since_s, Some(5));
    }

    #[test]
    fn a_count_of_one_name_waits_for_its_first_request_in_the_phase_or_not() {
        let mut judge = judge("rps >= 1 for GET /a abort after 2s", Ok(0.0));
        judge.look_at(&[second(0, 0), second(0, 0), second(0, 0)]);
        judge.take_in((0, &vec![second(0, 0); 3]), (0, &[]));
        assert_eq!(judge.result(3, None).state, ThresholdState::Pending);
        assert_eq!(judge.abort(3), None, "it may be misspelled");
        // Elsewhere in the run.
        judge.look_at(&[second(1, 0)]);
        assert_eq!(judge.result(3, None).actual, Some(0.0));
        assert_eq!(judge.abort(3).map(|abort| abort.since_s), Some(0));
        assert_eq!(judge.looked_at(&(3..9)), 0..0, "it is known for good");
    }

    #[test]
    fn what_stopped_the_run_stays_breached_and_nothing_else_does() {
        let mut judge = judge("error_rate < 10% abort after 2s", Ok(0.0));
        judge.take_in((0, &[second(10, 5)]), (0, &[]));
        judge.take_in((1, &vec![second(100, 0); 3]), (0, &[]));
        judge.finish(4.0);
        let stopped = |threshold: &str| ThresholdAbort {
            threshold: threshold.to_owned(),
            since_s: 0,
        };
        let result = judge.result(4, Some(&stopped("error_rate < 10% abort after 2s")));
        assert_eq!(result.state, ThresholdState::Breached);
        assert_eq!(result.breached_since_s, Some(0));
        assert_eq!(result.explanation.as_deref(), Some(STOPPED_THE_RUN));
        let other = judge.result(4, Some(&stopped("error_rate < 10%")));
        assert_eq!(other.state, ThresholdState::Passed);
    }
}
