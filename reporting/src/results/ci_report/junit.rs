//! A run as a JUnit file: a test case for the run itself and one for each threshold.

use std::time::Duration;

use greylag_infra::{ThresholdPhase, ThresholdResult, ThresholdState};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{fault, name_of};
use crate::plain_text::plain_text;
use crate::results::summary::Summary;

/// The test case that is about the run itself.
const RUN_CASE: &str = "the run ended as planned";
/// Name of the file's root.
const ROOT: &str = "greylag";

/// The file, with the address of the run's page if it is known.
///
/// What the target does not keep to is a *failure*; that the run itself failed, an *error*; what is not known yet is *skipped*.
///
/// # Errors
/// The file could not be written to memory.
pub(crate) fn junit(summary: &Summary, page: Option<&str>) -> Result<String, SerializeError> {
    let elapsed = Duration::try_from_secs_f64(summary.run.elapsed_s).unwrap_or_default();
    let mut suite = TestSuite::new(name_of(summary));
    suite.set_time(elapsed);
    if let Some(started_at) = &summary.run.started_at {
        suite
            .extra
            .insert("timestamp".into(), started_at.as_str().into());
    }
    suite.add_properties(properties(summary, page));
    let class = plain_text(&summary.run.test);
    let mut case = |name: &str, status| {
        let mut case = TestCase::new(plain_text(name), status);
        case.set_classname(class.as_str()).set_time(elapsed);
        suite.add_test_case(case);
    };
    case(RUN_CASE, status_of_run(summary));
    for result in &summary.thresholds {
        case(&result.condition, status_of(result));
    }
    let mut report = Report::new(ROOT);
    report.set_time(elapsed).add_test_suite(suite);
    report.to_string()
}

fn status_of_run(summary: &Summary) -> TestCaseStatus {
    match (fault(summary), &summary.run.failure_reason) {
        (Some(fault), _) => not(NonSuccessKind::Error, "failed", &fault),
        // By a threshold, which has a case of its own, too.
        (None, Some(reason)) => not(NonSuccessKind::Failure, "stopped", reason),
        (None, None) if summary.run.status == "Running" => skipped("the run is in progress"),
        (None, None) => TestCaseStatus::success(),
    }
}

fn status_of(result: &ThresholdResult) -> TestCaseStatus {
    let measured = result.measured_text();
    match result.state {
        ThresholdState::Passed => TestCaseStatus::success(),
        ThresholdState::Pending => skipped(&measured),
        state @ (ThresholdState::Breached | ThresholdState::NoData) => {
            not(NonSuccessKind::Failure, &state.to_string(), &measured)
        }
    }
}

fn not(kind: NonSuccessKind, what: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what).set_message(plain_text(message));
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(plain_text(message));
    status
}

/// The headline numbers, named as in the summary.
fn properties(summary: &Summary, page: Option<&str>) -> Vec<(String, String)> {
    let Summary { run, totals, .. } = summary;
    let stats = &totals.stats;
    let texts = [
        ("run", run.id.as_str().to_owned()),
        ("infrastructure", plain_text(&run.infrastructure)),
        ("status", run.status.clone()),
        (
            "verdict",
            summary
                .verdict
                .map_or_else(String::new, |verdict| verdict.to_string()),
        ),
        (
            "thresholds",
            match summary.thresholds.is_empty() {
                true => String::new(),
                false => ThresholdPhase::UNLESS_WRITTEN.to_owned(),
            },
        ),
        ("users", run.users.to_string()),
        ("duration_s", run.duration_s.to_string()),
        ("complete", summary.completeness.complete.to_string()),
        ("requests", stats.requests.to_string()),
        ("failures", stats.failures.to_string()),
        ("error_rate", stats.error_rate.to_string()),
        ("rps", totals.rps.to_string()),
        ("avg_ms", stats.response.avg_ms.to_string()),
        ("min_ms", stats.response.min_ms.to_string()),
        ("max_ms", stats.response.max_ms.to_string()),
    ];
    let percentiles = stats.response.all_percentiles();
    let percentiles = percentiles.map(|shown| (shown.key, shown.ms.to_string()));
    let page = page.map(|page| ("page", page.to_owned()));
    texts
        .into_iter()
        .chain(percentiles)
        .chain(page)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
