//! `--save-baseline FILE`: a run as the baseline of later ones, if it is fit for that.

use std::path::PathBuf;

use greylag_infra::{
    Threshold, ThresholdMetric, ThresholdPhase, ThresholdResult, ThresholdState, ThresholdSubject,
};
use greylag_reporting::Summary;

use super::report_files::BUNDLE;
use crate::cli::api_client::ApiClient;
use crate::cli::bundle_file::is_bundle;
use crate::cli::failure::Failure;
use crate::cli::output_file::OutputFile;

/// The file that later runs are compared with.
#[derive(Debug)]
pub(crate) struct SavedBaseline(OutputFile);

impl SavedBaseline {
    /// Checks, before anything is started, that the file can be written, and that `--baseline` will take it.
    ///
    /// # Errors
    /// It cannot, or will not.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        if !is_bundle(&path) {
            return Err(Failure::bad_input(format!(
                "--save-baseline {} must end in .bundle, as --baseline needs it",
                path.display()
            )));
        }
        OutputFile::new("the baseline", path).map(Self)
    }

    /// Which it is.
    pub(crate) fn file(&self) -> &OutputFile {
        &self.0
    }

    /// Writes a run that is over, or says why later ones should not be compared with it; then the file stays as it is. `later` says
    /// how it can be had where that fails.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) async fn write(
        &self,
        api: &ApiClient,
        summary: &Summary,
        later: &str,
    ) -> Result<(), Failure> {
        if let Some(reason) = unfit(summary) {
            eprintln!("Not saved as the baseline: {reason}.");
            return Ok(());
        }
        let saved = match api.download(&summary.run.id, BUNDLE, &[]).await {
            Ok(download) => download.save(&self.0).await,
            Err(error) => Err(error.into()),
        };
        saved.map_err(|error| error.of_file(&self.0, &format!(". {later}")))?;
        eprintln!("Saved as the baseline: {}.", self.0.path().display());
        Ok(())
    }
}

/// Why no later run should be compared with this one: its numbers do not show how the target works, and every later run would be
/// judged by them.
fn unfit(summary: &Summary) -> Option<String> {
    let totals = &summary.totals.stats;
    if summary.run.status != "Finished" {
        return Some("the run failed".to_owned());
    }
    if !summary.completeness.complete || !summary.completeness.coverage.full {
        return Some("some of its load or of its counts is missing".to_owned());
    }
    if totals.requests == 0 {
        return Some("it has no requests".to_owned());
    }
    for result in &summary.thresholds {
        let state = result.state;
        if state == ThresholdState::Pending {
            return Some(format!("`{}` has not been judged yet", result.condition));
        }
        if state.is_failed() && !lacks_only_its_baseline(result) {
            return Some(format!("{state}: `{}`", result.condition));
        }
    }
    // A target that refuses all connections is quicker than any that works.
    let has_errors = totals.failures > 0 || !summary.errors.is_empty();
    if has_errors && !summary.thresholds.iter().any(allows_errors) {
        let what = match totals.failures {
            0 => "tasks ended in errors",
            _ => "requests failed",
        };
        let missing =
            "no threshold about error_rate or failures of all requests after the ramp-up passed";
        return Some(format!("{what}, and {missing}"));
    }
    None
}

/// Whether the only thing that is missing is a value to compare with, which this run is to be.
fn lacks_only_its_baseline(result: &ThresholdResult) -> bool {
    result.state == ThresholdState::NoData && result.actual.is_some() && result.limit.is_none()
}

/// Whether it says how many of all requests may fail, and no more did. A single phase says nothing about the others.
fn allows_errors(result: &ThresholdResult) -> bool {
    let is_passed = result.state == ThresholdState::Passed;
    let threshold = result.condition.parse::<Threshold>();
    is_passed
        && threshold.is_ok_and(|threshold| {
            let metrics = [ThresholdMetric::ErrorRate, ThresholdMetric::Failures];
            let phases = [ThresholdPhase::AfterRampUp, ThresholdPhase::Whole];
            metrics.contains(&threshold.metric)
                && threshold.comparison.is_upper()
                && threshold.of == ThresholdSubject::All
                && phases.contains(&threshold.during)
        })
}

#[cfg(test)]
mod tests {
    use greylag_infra::ThresholdUnit;
    use serde_json::json;

    use super::*;

    /// What came of a threshold: its text, whether anything was measured, its limit if it is known, and its state.
    fn result(
        condition: &str,
        actual: Option<f64>,
        limit: Option<f64>,
        state: ThresholdState,
    ) -> ThresholdResult {
        ThresholdResult {
            condition: condition.to_owned(),
            metric: String::new(),
            unit: ThresholdUnit::Ms,
            actual,
            limit,
            state,
            breached_since_s: None,
            explanation: None,
        }
    }

    /// A run of ten requests.
    fn summary(failures: u64, thresholds: Vec<ThresholdResult>) -> Summary {
        let summary = json!({
            "run": {
                "id": "r", "number": 1, "test": "t", "type": "Locust", "infrastructure": "local", "status": "Finished",
                "failure_reason": null, "users": 1, "duration_s": 1, "ramp_up_s": 0, "workers": 1,
                "started_at": null, "elapsed_s": 1.0
            },
            "totals": { "requests": 10, "failures": failures, "rps": 1.0 },
            "endpoints": [], "errors": [], "series": [],
        });
        Summary {
            thresholds,
            ..serde_json::from_value(summary).unwrap()
        }
    }

    #[test]
    fn a_run_that_measured_the_target_is_the_first_baseline() {
        use ThresholdState as S;
        let passed = result("p95 < 5s", Some(1.0), Some(5_000.0), S::Passed);
        let first = result("p95 < baseline + 10%", Some(1.0), None, S::NoData);
        assert_eq!(unfit(&summary(0, vec![])), None);
        assert_eq!(unfit(&summary(0, vec![passed.clone(), first])), None);
        let allowed = result("error_rate < 20%", Some(0.1), Some(0.2), S::Passed);
        assert_eq!(unfit(&summary(1, vec![passed, allowed])), None);
        let whole = "failures <= 1 during whole";
        let whole = result(whole, Some(1.0), Some(1.0), S::Passed);
        assert_eq!(unfit(&summary(1, vec![whole])), None);
    }

    #[test]
    fn a_run_that_did_not_measure_it_is_none() {
        use ThresholdState as S;
        let refused = |words: &str, run: &Summary| {
            let reason = unfit(run).unwrap();
            assert!(reason.contains(words), "{reason}");
        };
        // Every connection was refused, within microseconds.
        let first = result("p95 < baseline + 10%", Some(0.01), None, S::NoData);
        let better = result("p95 < baseline + 10%", Some(0.01), Some(50.0), S::Passed);
        let of_one = result("failures < 5 for GET /", Some(1.0), Some(5.0), S::Passed);
        let above = result("error_rate > 0%", Some(1.0), Some(0.0), S::Passed);
        let of_phase = |phase| {
            let condition = format!("error_rate < 1% during {phase}");
            result(&condition, Some(0.0), Some(0.01), S::Passed)
        };
        let phases = ["ramp-up", "steady", "ramp-down"].map(of_phase);
        for result in [first.clone(), better, of_one, above]
            .into_iter()
            .chain(phases)
        {
            refused("requests failed", &summary(10, vec![result]));
        }
        refused("requests failed", &summary(1, vec![]));
        let too_many = result("error_rate < 1%", Some(1.0), Some(0.01), S::Breached);
        refused(
            "breached: `error_rate < 1%`",
            &summary(10, vec![first.clone(), too_many]),
        );
        let misspelled = "p95 < baseline for GET /typo";
        let misspelled = result(misspelled, None, None, S::NoData);
        refused("no data: `p95", &summary(0, vec![misspelled]));
        let no_data = result("p95 < 1s for GET /typo", None, Some(1.0), S::NoData);
        refused("no data: `p95", &summary(0, vec![first.clone(), no_data]));
        let open = result("p95 < 1s", Some(1.0), Some(1.0), S::Pending);
        refused("has not been judged", &summary(0, vec![open]));
        let mut failed = summary(0, vec![]);
        failed.run.status = "Failed".to_owned();
        refused("the run failed", &failed);
        let mut incomplete = summary(0, vec![]);
        incomplete.completeness.complete = false;
        refused("missing", &incomplete);
        let mut partial = summary(0, vec![]);
        partial.completeness.coverage.full = false;
        refused("missing", &partial);
        let mut idle = summary(0, vec![]);
        idle.totals.stats.requests = 0;
        refused("no requests", &idle);
    }

    #[test]
    fn it_must_be_named_as_a_baseline() {
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str| SavedBaseline::new(directory.path().join(name));
        assert!(named("main.bundle").is_ok());
        let failure = named("main.json").unwrap_err();
        assert!(failure.to_string().contains(".bundle"), "{failure}");
    }
}
