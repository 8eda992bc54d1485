//! What a webhook gets of a run that is over: the head of its summary.

use serde::Serialize;

use crate::results::summary::{Summary, SummaryCompleteness, SummaryRun, SummaryTotals};
use greylag_infra::{TestVerdict, ThresholdResult};

/// The word by which receivers know what it is.
pub(crate) const RUN_ENDED: &str = "run.ended";

/// The same fields as in the summary, without its lists of endpoints, errors and seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Announcement<'a> {
    event: &'static str,
    /// Address of the run's page, where the coordinator knows it.
    page: Option<&'a str>,
    run: &'a SummaryRun,
    verdict: Option<TestVerdict>,
    thresholds: &'a [ThresholdResult],
    #[serde(flatten)]
    completeness: &'a SummaryCompleteness,
    totals: &'a SummaryTotals,
}

impl<'a> Announcement<'a> {
    pub(crate) fn of(summary: &'a Summary, page: Option<&'a str>) -> Self {
        Self {
            event: RUN_ENDED,
            page,
            run: &summary.run,
            verdict: summary.verdict,
            thresholds: &summary.thresholds,
            completeness: &summary.completeness,
            totals: &summary.totals,
        }
    }
}
