//! A run against a reference: all statistics of all endpoints, with one error for all of them.

use std::collections::BTreeMap;

use greylag_infra::protocol::Endpoint;
use serde::{Deserialize, Serialize};

use super::difference::{Reference, Verdict};
use super::measured::{Measured, MeasuredRun};
use super::pace::Pace;
use super::spread::Waves;
use super::statistic::{NotTested, Statistic};

/// How probable it may be that anything is called different where nothing is.
const ERROR: f64 = 0.05;
/// The share of the error of all endpoints together; the others have the rest in equal parts.
const AGGREGATED_SHARE: f64 = 0.75;

/// What may be said of a run's response times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// Something is slower, nothing is faster.
    Slower,
    /// Something is faster, nothing is slower.
    Faster,
    /// Something is slower, something else faster.
    Mixed,
    /// All differences may be noise.
    NoEvidence,
}

/// A run against a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct RunDifferences {
    /// Of response times.
    pub verdict: RunVerdict,
    /// Everything that was found, of any statistic of any endpoint, each once.
    pub found: Vec<Verdict>,
    /// All endpoints together.
    pub aggregated: Vec<Difference>,
    /// The endpoints of either, by name, then method.
    pub endpoints: Vec<EndpointDifferences>,
}

/// An endpoint of a run against that of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct EndpointDifferences {
    /// Its method.
    pub method: String,
    /// Its name.
    pub name: String,
    /// Its statistics.
    pub differences: Vec<Difference>,
}

/// A statistic of a run against that of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Which.
    pub statistic: Statistic,
    /// The reference's value, of several runs their geometric mean (of error rates their mean); null where it has no such endpoint.
    pub reference: Option<f64>,
    /// The run's value; null where it has no such endpoint.
    pub value: Option<f64>,
    /// value / reference - 1; of error rates value - reference.
    pub change: Option<f64>,
    /// The least that the change may be. All intervals of a comparison together hold the true changes in 95 % of comparisons.
    pub low: Option<f64>,
    /// The most that the change may be.
    pub high: Option<f64>,
    /// The least increase that would have been found in four of five such comparisons.
    pub detectable: Option<f64>,
    /// What may be said of it; null where it is not tested.
    pub verdict: Option<Verdict>,
    /// Why there is no verdict.
    pub not_tested: Option<NotTested>,
}

/// Compares a run with a reference of one or several runs, the first of which says what endpoints there are. `runs` is how many
/// runs are compared with it, which share the error.
///
/// # Panics
/// There is no reference.
pub fn compare(references: &[&MeasuredRun], run: &MeasuredRun, runs: usize) -> RunDifferences {
    let comparison = Comparison::new(references, run);
    let error = ERROR / runs.max(1) as f64;
    let names = names(references[0], run);
    let tested = names
        .iter()
        .filter(|endpoint| comparison.is_tested(endpoint))
        .count();
    // With one endpoint, all endpoints together are that one, and one question is asked once.
    let is_one = names.len() == 1;
    let aggregated_share = if is_one || tested == 0 {
        1.0
    } else {
        AGGREGATED_SHARE
    };
    let aggregated = comparison.differences(None, Some(error * aggregated_share));
    let endpoints: Vec<EndpointDifferences> = names
        .into_iter()
        .map(|endpoint| {
            let error = (1.0 - AGGREGATED_SHARE) * error / tested.max(1) as f64;
            let differences = if is_one && comparison.is_in_both(endpoint) {
                aggregated.clone()
            } else {
                let is_tested = comparison.is_tested(endpoint);
                comparison.differences(Some(endpoint), is_tested.then_some(error))
            };
            EndpointDifferences {
                method: endpoint.method.clone(),
                name: endpoint.name.clone(),
                differences,
            }
        })
        .collect();
    let mut found: Vec<Verdict> = aggregated
        .iter()
        .chain(endpoints.iter().flat_map(|endpoint| &endpoint.differences))
        .filter_map(|difference| difference.verdict)
        .filter(|verdict| *verdict != Verdict::NoEvidence)
        .collect();
    found.sort_unstable();
    found.dedup();
    let (slower, faster) = (
        found.contains(&Verdict::Slower),
        found.contains(&Verdict::Faster),
    );
    RunDifferences {
        verdict: match (slower, faster) {
            (true, true) => RunVerdict::Mixed,
            (true, false) => RunVerdict::Slower,
            (false, true) => RunVerdict::Faster,
            (false, false) => RunVerdict::NoEvidence,
        },
        found,
        aggregated,
        endpoints,
    }
}

impl RunDifferences {
    /// Whether anything got worse: slower, more failures, fewer requests.
    pub fn is_worse(&self) -> bool {
        self.found.iter().copied().any(is_worse)
    }
}

/// Whether a verdict is that something got worse.
pub(crate) fn is_worse(verdict: Verdict) -> bool {
    verdict.is_worse()
}

/// The endpoints of either.
fn names<'a>(reference: &'a MeasuredRun, run: &'a MeasuredRun) -> Vec<&'a Endpoint> {
    let mut names: Vec<&Endpoint> = reference
        .endpoints()
        .iter()
        .chain(run.endpoints())
        .map(|(endpoint, _)| endpoint)
        .collect();
    names.sort_by_key(|endpoint| (&endpoint.name, &endpoint.method));
    names.dedup();
    names
}

struct Comparison<'a> {
    references: &'a [&'a MeasuredRun],
    run: &'a MeasuredRun,
    /// By number of blocks.
    waves: BTreeMap<usize, Waves>,
}

impl<'a> Comparison<'a> {
    fn new(references: &'a [&'a MeasuredRun], run: &'a MeasuredRun) -> Self {
        let lengths = references.iter().chain([&run]).map(|run| run.blocks());
        Self {
            references,
            run,
            waves: lengths.map(|blocks| (blocks, Waves::new(blocks))).collect(),
        }
    }

    fn is_in_both(&self, endpoint: &Endpoint) -> bool {
        let mut runs = self.references.iter().chain([&self.run]);
        runs.all(|run| run.endpoint(endpoint).is_some())
    }

    /// Whether an endpoint has a verdict.
    fn is_tested(&self, endpoint: &Endpoint) -> bool {
        let mut runs = self.references.iter().chain([&self.run]);
        runs.all(|run| {
            let measured = run.endpoint(endpoint);
            measured.is_some_and(|measured| !measured.blocks.is_empty())
        })
    }

    /// The statistics of an endpoint, or of all together, with so much error for all that are tested.
    fn differences(&self, endpoint: Option<&Endpoint>, error: Option<f64>) -> Vec<Difference> {
        let of = |run: &'a MeasuredRun| {
            let measured = match endpoint {
                Some(endpoint) => run.endpoint(endpoint),
                None => Some(run.aggregated()),
            };
            measured.map(|measured| Part {
                run,
                measured,
                pace: Pace::of(measured, &self.waves[&run.blocks()]),
            })
        };
        let references: Vec<Part<'_>> = self.references.iter().copied().filter_map(of).collect();
        let run = of(self.run);
        let run = run.as_ref();
        let reasons =
            Statistic::ALL.map(|statistic| self.reason(statistic, &references, run, error));
        let shares: f64 = Statistic::ALL
            .iter()
            .zip(&reasons)
            .filter(|(_, reason)| reason.is_none())
            .map(|(statistic, _)| statistic.share())
            .sum();
        let tested = Statistic::ALL.iter().zip(reasons);
        tested
            .map(|(statistic, not_tested)| {
                let error = error.unwrap_or(0.0) * statistic.share() / shares;
                self.difference(*statistic, &references, run, not_tested, error)
            })
            .collect()
    }

    /// Why a statistic has no verdict.
    fn reason(
        &self,
        statistic: Statistic,
        references: &[Part<'_>],
        run: Option<&Part<'_>>,
        error: Option<f64>,
    ) -> Option<NotTested> {
        let Some(run) = run.filter(|_| references.len() == self.references.len()) else {
            return Some(NotTested::OnlyInOneRun);
        };
        if error.is_none() {
            return Some(NotTested::TooManyEndpoints);
        }
        let mut all = references.iter().chain([run]);
        if !all.all(|part| statistic.is_testable(part.measured)) {
            return Some(NotTested::TooFewRequests);
        }
        let fails = |part: &Part<'_>| part.measured.total.sums.failures > 0;
        let has_failures = fails(run) || references.iter().any(fails);
        (statistic == Statistic::ErrorRate && !has_failures).then_some(NotTested::NoFailures)
    }

    fn difference(
        &self,
        statistic: Statistic,
        references: &[Part<'_>],
        run: Option<&Part<'_>>,
        not_tested: Option<NotTested>,
        error: f64,
    ) -> Difference {
        let value_of = |part: &Part<'_>| statistic.value(part.measured, part.run.seconds());
        let values: Vec<f64> = references.iter().map(value_of).collect();
        let reference = mean(statistic, &values);
        let value = run.map(value_of);
        let change = reference
            .zip(value)
            .and_then(|(reference, value)| match statistic {
                Statistic::ErrorRate => Some(value - reference),
                _ => (reference > 0.0).then(|| value / reference - 1.0),
            });
        let mut difference = Difference {
            statistic,
            reference,
            value,
            change,
            low: None,
            high: None,
            detectable: None,
            verdict: None,
            not_tested,
        };
        let Some((run, change)) = run.zip(change).filter(|_| not_tested.is_none()) else {
            return difference;
        };
        let sums = references
            .iter()
            .chain([run])
            .map(|part| &part.measured.total.sums);
        let failures = sums.fold((0, 0), |(failures, requests), sums| {
            (failures + sums.failures, requests + sums.requests())
        });
        let estimate = |part: &Part<'_>| {
            let waves = &self.waves[&part.run.blocks()];
            let pace = part.pace.as_ref();
            statistic.estimate(part.measured, part.run.seconds(), waves, pace, failures)
        };
        let estimates: Vec<_> = references.iter().map(estimate).collect();
        let interval =
            Reference::of(statistic, estimates).difference(statistic, &estimate(run), error);
        // Percentiles are shown as those of the histogram, which are within its resolution of those that are compared.
        difference.low = Some(interval.low.min(change));
        difference.high = Some(interval.high.max(change));
        difference.detectable = Some(interval.detectable);
        difference.verdict = Some(interval.verdict);
        difference
    }
}

/// Requests to the same endpoint in one of the runs.
struct Part<'a> {
    run: &'a MeasuredRun,
    measured: &'a Measured,
    pace: Option<Pace>,
}

fn mean(statistic: Statistic, values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    match values {
        [] => None,
        [only] => Some(*only),
        _ if statistic == Statistic::ErrorRate => Some(values.iter().sum::<f64>() / count),
        _ => Some((values.iter().map(|value| value.ln()).sum::<f64>() / count).exp()),
    }
}
