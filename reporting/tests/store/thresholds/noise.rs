//! What the documentation says of noise, of all requests of both runs: `rps`, `error_rate`, `mean`, `p50`, `p95` and `p99` of a phase are
//! weighed when the run is over, and are breached only where the whole interval of the change that was found is beyond the change
//! that the limit allows. The intervals are those of Compare, whose statistics have tests of their own; what is compared is put together here.

use std::ops::Range;

use greylag_infra::ThresholdState;
use greylag_infra::protocol::Endpoint;
use greylag_reporting::{MeasuredRun, NotTested, SparseInterval, Statistic, change_text, compare};

use super::ENDS_S;
use super::condition::Condition;
use super::naive::{Naive, Stands};
use crate::scopes::events::{ERRORS, Event, endpoints};

/// Fewer say nothing of noise.
const MIN_BLOCKS: u32 = 10;
/// More are put together in twos.
const MAX_BLOCKS: u32 = 512;

/// What Compare calls a metric that it knows.
fn statistic_of(condition: &Condition) -> Option<Statistic> {
    match condition.text.split(' ').next()? {
        "rps" => Some(Statistic::Rate),
        "error_rate" => Some(Statistic::ErrorRate),
        "mean" => Some(Statistic::Average),
        "p50" | "median" => Some(Statistic::P50),
        "p95" => Some(Statistic::P95),
        "p99" => Some(Statistic::P99),
        _ => None,
    }
}

fn requests(events: &[&Event]) -> SparseInterval {
    let times = events.iter().map(|event| event.response_us).collect();
    let failed = events.iter().filter(|event| ERRORS[event.error].is_some());
    SparseInterval::of_times_us(times, failed.count() as u64)
}

/// What Compare is to be given of a run: the seconds of the phase in which there was load. None where that is too little.
fn measured(naive: &Naive<'_>, all: &[Event]) -> Option<MeasuredRun> {
    let of = naive.condition.of;
    let is_endpoint = of.is_some_and(|of| !of.starts_with("tag "));
    if is_endpoint && naive.events.is_empty() {
        return None;
    }
    let last = all.iter().map(|event| event.second + 1).max().unwrap_or(0);
    let Range { start, end } = naive.phase.start..naive.phase.end.min(ENDS_S).min(last);
    let step = if end.saturating_sub(start) > MAX_BLOCKS {
        2
    } else {
        1
    };
    let start = start.next_multiple_of(step);
    let blocks = end.saturating_sub(start) / step;
    if blocks < MIN_BLOCKS {
        return None;
    }
    let is_tag = of.is_some_and(|of| of.starts_with("tag "));
    let names: Vec<Endpoint> = match is_tag {
        true => vec![Endpoint {
            method: "the".to_owned(),
            name: "tag".to_owned(),
        }],
        false => endpoints().to_vec(),
    };
    let of_name = |at: usize, seconds: Range<u32>| -> Vec<&Event> {
        let events = naive.events.iter().copied();
        let here = events.filter(|event| seconds.contains(&event.second));
        here.filter(|event| is_tag || event.endpoint == at)
            .collect()
    };
    let numbered = || names.iter().enumerate();
    let totals = numbered().map(|(at, name)| {
        (
            name.clone(),
            requests(&of_name(at, start..start + blocks * step)),
        )
    });
    let mut run = MeasuredRun::new(blocks as usize, step, totals.collect());
    for block in 0..blocks {
        let from = start + block * step;
        for (at, name) in numbered() {
            let here = of_name(at, from..from + step);
            if !here.is_empty() {
                run.add(block as usize, name, &requests(&here));
            }
        }
    }
    Some(run)
}

/// The run that another is compared with.
pub(super) struct Baseline<'a> {
    /// What its thresholds would have been.
    pub(super) naive: &'a Naive<'a>,
    pub(super) events: &'a [Event],
    /// What the condition's metric was there.
    pub(super) value: f64,
    pub(super) is_deleted: bool,
}

/// How a condition stands in the end, and what is said of its noise.
pub(super) fn weighed(
    naive: &Naive<'_>,
    events: &[Event],
    baseline: &Baseline<'_>,
    by_numbers: Stands,
) -> (Stands, Option<String>) {
    let condition = naive.condition;
    let statistic = statistic_of(condition).filter(|_| condition.within_s.is_none());
    let Some(statistic) = statistic else {
        return (by_numbers, None);
    };
    if baseline.is_deleted {
        let said = "compared with test#1 as numbers: that run was deleted meanwhile";
        return (by_numbers, Some(said.to_owned()));
    }
    let too_little = "compared with test#1 as numbers: too little was measured to judge noise";
    let both = measured(baseline.naive, baseline.events).zip(measured(naive, events));
    let Some((reference, run)) = both else {
        return (by_numbers, Some(too_little.to_owned()));
    };
    let found = compare(&[&reference], &run, 1).aggregated;
    let mut found = found.iter();
    let found = found
        .find(|found| found.statistic == statistic)
        .expect("all are there");
    if found.not_tested == Some(NotTested::TooFewRequests) {
        return (by_numbers, Some(too_little.to_owned()));
    }
    let (Some(change), Some(low), Some(high)) = (found.change, found.low, found.high) else {
        return (by_numbers, None);
    };
    let limit = naive.limit.expect("there is a baseline");
    // Of a share in points, of others relative to the baseline.
    let allowed = match statistic {
        Statistic::ErrorRate => limit - baseline.value,
        _ if baseline.value == 0.0 => return (by_numbers, None),
        _ => (limit - baseline.value) / baseline.value,
    };
    let is_beyond = match condition.sign.is_upper {
        true => low > allowed,
        false => high < allowed,
    };
    let text = |change: f64| change_text(statistic, change);
    let said = format!(
        "{} against test#1, 95 % interval {} to {}",
        text(change),
        text(low),
        text(high)
    );
    if by_numbers.state == ThresholdState::Breached && !is_beyond {
        let passed = Stands {
            state: ThresholdState::Passed,
            since_s: None,
            ..by_numbers
        };
        return (passed, Some(format!("within the noise: {said}")));
    }
    (by_numbers, Some(said))
}
