//! How a comparison reads, on pages and in terminals.

use crate::compare::{Difference, NotTested, RunDifferences, RunVerdict, Statistic, Verdict};

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

/// From this change on it is said by which factor.
const LARGE_CHANGE: f64 = 9.995;

/// A change in per cent, or, of an error rate, in percentage points: `+1.5%`, `-0.20 pp`. A very large one is a factor: `×12`.
pub fn change_text(statistic: Statistic, change: f64) -> String {
    match statistic {
        Statistic::ErrorRate => format!("{:+.2} pp", 100.0 * change),
        _ if change >= LARGE_CHANGE => format!("×{:.0}", 1.0 + change),
        _ => format!("{:+.1}%", 100.0 * change),
    }
}
