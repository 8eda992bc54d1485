//! The thresholds of a run as the command's last lines show them.

use std::fmt::Write as _;

use greylag_infra::{TestVerdict, ThresholdPhase, ThresholdResult};

use super::WAIT_FOR_VERDICT;
use crate::cli::aligned_columns::aligned;

/// A line for each threshold, those that failed last, and the verdict, which names them; nothing without thresholds.
pub(super) fn text(results: &[ThresholdResult], verdict: Option<TestVerdict>) -> String {
    if results.is_empty() {
        return String::new();
    }
    let (failed, others): (Vec<_>, Vec<_>) =
        results.iter().partition(|result| result.state.is_failed());
    let rows: Vec<[String; 3]> = others
        .iter()
        .chain(&failed)
        .map(|result| row(result))
        .collect();
    let mut text = String::from("Thresholds\n");
    for line in aligned(&rows) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "{}.", ThresholdPhase::UNLESS_WRITTEN);
    let Some(verdict) = verdict else {
        let _ = write!(
            text,
            "Verdict: open, because the coordinator did not judge all of them within {} s of the end",
            WAIT_FOR_VERDICT.as_secs()
        );
        return text;
    };
    // What the scenario says is one, too.
    let of = results.len();
    let things = if of == 1 { "condition" } else { "conditions" };
    match failed.as_slice() {
        [] => {
            let _ = write!(text, "Verdict: {verdict} ({of} {things})");
        }
        failed => {
            let names: Vec<&str> = failed
                .iter()
                .map(|result| result.condition.as_str())
                .collect();
            let _ = write!(
                text,
                "Verdict: {verdict} ({} of {of} {things}): {}",
                failed.len(),
                names.join("; ")
            );
        }
    }
    text
}

/// State, condition, and what was measured.
fn row(result: &ThresholdResult) -> [String; 3] {
    [
        result.state.to_string(),
        result.condition.clone(),
        result.measured_text(),
    ]
}

#[cfg(test)]
mod tests {
    use greylag_infra::{ThresholdState, ThresholdUnit};

    use super::*;

    fn result(condition: &str, unit: ThresholdUnit, state: ThresholdState) -> ThresholdResult {
        ThresholdResult {
            condition: condition.to_owned(),
            metric: condition.split(' ').next().unwrap_or_default().to_owned(),
            unit,
            actual: None,
            limit: None,
            state,
            breached_since_s: None,
            explanation: None,
        }
    }

    #[test]
    fn failed_thresholds_are_last_and_named_by_the_verdict() {
        let results = [
            ThresholdResult {
                actual: Some(0.032),
                limit: Some(0.01),
                breached_since_s: Some(41),
                ..result(
                    "error_rate < 1%",
                    ThresholdUnit::Share,
                    ThresholdState::Breached,
                )
            },
            ThresholdResult {
                actual: Some(312.0),
                limit: Some(500.0),
                ..result("p95 < 500ms", ThresholdUnit::Ms, ThresholdState::Passed)
            },
            ThresholdResult {
                limit: Some(2_000.0),
                explanation: Some("never requested".to_owned()),
                ..result(
                    "p95 < 2s for GET /x",
                    ThresholdUnit::Ms,
                    ThresholdState::NoData,
                )
            },
        ];
        let expected = "\
Thresholds
  passed    p95 < 500ms          312 ms, limit 500 ms
  breached  error_rate < 1%      3.2 %, limit 1 %, breached since second 41
  no data   p95 < 2s for GET /x  nothing measured, limit 2000 ms (never requested)
Of the run without its ramp-up (until the load first stops rising), unless a threshold says otherwise.
Verdict: failed (2 of 3 conditions): error_rate < 1%; p95 < 2s for GET /x";
        assert_eq!(text(&results, TestVerdict::of(&results)), expected);
        let passed = &results[1..2];
        let expected = "\
Thresholds
  passed  p95 < 500ms  312 ms, limit 500 ms
Of the run without its ramp-up (until the load first stops rising), unless a threshold says otherwise.
Verdict: ";
        let judged = text(passed, TestVerdict::of(passed));
        assert_eq!(judged, format!("{expected}passed (1 condition)"));
        let why = "the coordinator did not judge all of them within 30 s of the end";
        assert_eq!(text(passed, None), format!("{expected}open, because {why}"));
        assert_eq!(text(&[], None), "");
    }
}
