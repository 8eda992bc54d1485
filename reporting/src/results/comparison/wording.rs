//! How a comparison reads, on pages and in terminals.

use crate::compare::{Difference, NotTested, RunDifferences, RunVerdict, Statistic, Verdict};
#[cfg(feature = "coordinator")]
use crate::results::page_text::{ms, percent, rate};

/// What a statistic is called.
pub fn statistic_name(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Rate => "requests/s",
        Statistic::ErrorRate => "error rate",
        Statistic::Average => "average",
        Statistic::P50 => "median",
        Statistic::P95 => "95th percentile",
        Statistic::P99 => "99th percentile",
    }
}

/// What a verdict is called.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Slower => "slower",
        Verdict::Faster => "faster",
        Verdict::MoreFailures => "more failures",
        Verdict::FewerFailures => "fewer failures",
        Verdict::MoreRequests => "more requests per second",
        Verdict::FewerRequests => "fewer requests per second",
        Verdict::NoEvidence => "no evidence",
    }
}

/// What may be said of a difference, or why nothing can.
pub fn finding(difference: &Difference) -> &'static str {
    match (difference.verdict, difference.not_tested) {
        (Some(verdict), _) => verdict_name(verdict),
        (None, Some(NotTested::TooFewRequests)) => "too few requests",
        (None, Some(NotTested::NoFailures)) => "no failures",
        (None, Some(NotTested::TooManyEndpoints)) => {
            "not tested: many endpoints have more requests"
        }
        (None, Some(NotTested::OnlyInOneRun)) => "only in one run",
        (None, None) => "",
    }
}

/// The verdict on a run's response times, and what else was found.
pub fn run_verdict(differences: &RunDifferences) -> String {
    let times = match differences.verdict {
        RunVerdict::Slower => "slower",
        RunVerdict::Faster => "faster",
        RunVerdict::Mixed => "mixed: slower and faster",
        RunVerdict::NoEvidence => "no evidence of a difference in response times",
    };
    let others = differences.found.iter();
    let others = others.filter(|found| !matches!(found, Verdict::Slower | Verdict::Faster));
    let words = others.map(|found| format!("; {}", verdict_name(*found)));
    format!("{times}{}", words.collect::<String>())
}

/// A value with its unit.
#[cfg(feature = "coordinator")]
pub(crate) fn value_text(statistic: Statistic, value: Option<f64>) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    match statistic {
        Statistic::Rate => rate(value),
        Statistic::ErrorRate => percent(value),
        Statistic::Average | Statistic::P50 | Statistic::P95 | Statistic::P99 => {
            format!("{} ms", ms(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_its_verdict_on_times_first_and_what_else_was_found_once() {
        let said = |verdict, found: &[Verdict]| {
            run_verdict(&RunDifferences {
                verdict,
                found: found.to_vec(),
                aggregated: Vec::new(),
                endpoints: Vec::new(),
            })
        };
        assert_eq!(said(RunVerdict::Slower, &[Verdict::Slower]), "slower");
        let found = [
            Verdict::Faster,
            Verdict::MoreFailures,
            Verdict::FewerRequests,
        ];
        assert_eq!(
            said(RunVerdict::Faster, &found),
            "faster; more failures; fewer requests per second"
        );
        for verdict in [Verdict::Slower, Verdict::Faster] {
            let word = verdict_name(verdict);
            assert_eq!(format!("{verdict:?}").to_lowercase(), word);
        }
    }
}
