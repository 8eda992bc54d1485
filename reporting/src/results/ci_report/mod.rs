//! A run as continuous integration shows it: a JUnit file, and a summary in Markdown for a job's page or a pull request.
//!
//! Both say what the run's page says: they are made of its summary.

mod code_span;
mod junit;
mod markdown_summary;
mod sparkline;

use greylag_infra::{FailureReason, GapCause};

pub(crate) use junit::junit;
pub(crate) use markdown_summary::MarkdownSummary;

use crate::results::summary::Summary;

/// Why nothing should be based on a run, whatever its thresholds say: it failed otherwise than by one of them, or its counts are wrong.
fn fault(summary: &Summary) -> Option<String> {
    let is_by_breach =
        summary.run.failure_code.as_deref() == Some(FailureReason::THRESHOLD_BREACHED);
    if let Some(reason) = summary
        .run
        .failure_reason
        .as_ref()
        .filter(|_| !is_by_breach)
    {
        return Some(reason.clone());
    }
    let mut gaps = summary.completeness.gaps.iter();
    let wrong = gaps.find(|gap| gap.code == GapCause::COUNTS_DISAGREE)?;
    Some(wrong.message.clone())
}

/// The run as people name it: `checkout #12`.
fn name_of(summary: &Summary) -> String {
    format!(
        "{} #{}",
        crate::plain_text::plain_text(&summary.run.test),
        summary.run.number
    )
}
