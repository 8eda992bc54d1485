//! Whether a run's counts are everything that was sent, and how much of its load there was, as programs and pages see it.

#[cfg(feature = "coordinator")]
use greylag_infra::{MissingUsers, RunRecord, RunTime, WallTime};
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
    /// How much of the load there was: agents and workers may be lost where the test says so.
    #[serde(default)]
    pub coverage: SummaryCoverage,
}

/// How much of a run's load there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryCoverage {
    /// Whether nothing of it was lost. While a run is active: so far.
    pub full: bool,
    /// What to say about it: `Partial load: 4 of 12 users missing since …`; null for all of it.
    pub remark: Option<String>,
    /// The most users that the run asks for.
    pub users: u64,
    /// How many of them are missing in the end, by what was lost.
    pub missing_users: u64,
    /// What was lost while the run went on, in the order in which it was found out.
    pub losses: Vec<SummaryLoss>,
}

/// An agent, or one of its workers, without which a run went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryLoss {
    /// Why, as the code of the failure that it would have been: `agent_lost`, `agent_shut_down`, `worker_exited`, …
    pub code: String,
    /// Name of the agent.
    pub agent: String,
    /// Global index of the worker; null for the whole agent.
    pub worker: Option<u32>,
    /// First second of run time without it.
    pub since_second: u32,
    /// The same in UTC (RFC 3339).
    pub since: String,
    /// How many users it had of those that the run asks for.
    pub users: u64,
    /// All of it in words.
    pub message: String,
}

impl Default for SummaryCoverage {
    fn default() -> Self {
        Self {
            full: true,
            remark: None,
            users: 0,
            missing_users: 0,
            losses: Vec::new(),
        }
    }
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
            coverage: SummaryCoverage::default(),
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
            coverage: SummaryCoverage::of(record, started_at),
        }
    }
}

#[cfg(feature = "coordinator")]
impl SummaryCoverage {
    fn of(record: &RunRecord, started_at: WallTime) -> Self {
        let MissingUsers { missing, of } = record.missing_users();
        let losses = record.losses().into_iter();
        Self {
            full: record.coverage().is_full(),
            remark: record.coverage_remark().map(|remark| plain_text(&remark)),
            users: of,
            missing_users: missing,
            losses: losses
                .map(|(loss, users)| SummaryLoss {
                    code: loss.reason.code().to_owned(),
                    agent: plain_text(&loss.agent),
                    worker: loss.worker,
                    since_second: loss.since_second,
                    since: rfc3339(started_at + RunTime::of_second(loss.since_second)),
                    users: users.missing,
                    message: plain_text(&loss.message(users, started_at)),
                })
                .collect(),
        }
    }
}
