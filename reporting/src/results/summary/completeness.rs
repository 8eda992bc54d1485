//! Whether a run's counts are everything that was sent, as programs and pages see it.

#[cfg(feature = "coordinator")]
use greylag_infra::RunRecord;
use serde::{Deserialize, Serialize};

#[cfg(feature = "coordinator")]
use crate::{plain_text::plain_text, results::calendar::rfc3339};

/// Whether the counts are all there, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryCompleteness {
    /// Whether nothing is known to be missing. While a run is active: so far.
    #[serde(default = "yes")]
    pub complete: bool,
    /// What to say beside the counts: `Lower bound: agent a1 missing since …`; null for a complete run.
    #[serde(default)]
    pub remark: Option<String>,
    /// What is missing, in the order in which it was found out.
    #[serde(default)]
    pub gaps: Vec<SummaryGap>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryGap {
    /// Why, as a word that does not change: `agent_lost`, `agent_restarted`, `worker_lost` or `counts_disagree`.
    pub code: String,
    /// Name of the agent; null where it cannot be said which.
    pub agent: Option<String>,
    /// Global index of the worker; null for the whole agent.
    pub worker: Option<u32>,
    /// First second of run time of which something may be missing.
    pub since_second: u32,
    /// The same in UTC (RFC 3339).
    pub since: String,
    /// All of it in words.
    pub message: String,
}

impl Default for SummaryCompleteness {
    fn default() -> Self {
        Self {
            complete: true,
            remark: None,
            gaps: Vec::new(),
        }
    }
}

fn yes() -> bool {
    true
}

#[cfg(feature = "coordinator")]
impl SummaryCompleteness {
    /// That of a run as it stands.
    pub(crate) fn of(record: &RunRecord) -> Self {
        let started_at = record.started_at.unwrap_or(record.created_at);
        let gaps = record.completeness.gaps().iter();
        Self {
            complete: record.completeness.is_complete(),
            remark: record.remark().map(|remark| plain_text(&remark)),
            gaps: gaps
                .map(|gap| SummaryGap {
                    code: gap.cause.code().to_owned(),
                    agent: gap.agent.as_deref().map(plain_text),
                    worker: gap.worker,
                    since_second: gap.since_second,
                    since: rfc3339(gap.since(started_at)),
                    message: plain_text(&gap.message(started_at)),
                })
                .collect(),
        }
    }
}
