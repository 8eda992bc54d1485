//! Whether a run's counts are everything that was sent, and if not, what may be missing: by whom, since when
//! and why.
//!
//! A run without gaps is complete. A gap is added the moment something counted may have been lost, and removed
//! only when it turns out that nothing was: an agent that was given up has handed over all it held.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{MAX_ERROR_BYTES, RunTime, WallTime, cut};
use crate::protocol::{Counted, LostWorker};
use crate::run::{Coverage, Loss, RunAgent};

/// Most gaps of a run that are kept apart; further ones are only counted.
pub const MAX_GAPS: usize = 10_000;
/// How long after the end of a run the results of an agent that was given up are still taken, and after some of them
/// have come further ones.
pub const LATE_RESULTS: Duration = Duration::from_secs(600);
/// How long after the end of a run they are taken at most.
const MAX_LATE_RESULTS: Duration = Duration::from_secs(3_600);
/// What a longer time must add before it is worth saving.
const LATE_RESULTS_STEP: Duration = Duration::from_secs(60);

/// What may be missing from a run's results; with it is kept what is missing of its load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completeness {
    gaps: Vec<Gap>,
    /// Gaps beyond [`MAX_GAPS`].
    more: u64,
    /// Until when a run that is over takes the results of agents that were given up; none for a
    /// run that waits for no agent.
    #[serde(rename = "late_until_us")]
    late_until: Option<WallTime>,
    /// What is missing of its load.
    #[serde(skip_serializing_if = "Coverage::is_full")]
    pub coverage: Coverage,
    /// Until when its load was whole, in run time, if it was stopped before the planned end; what came later was under way.
    /// None also of runs of earlier versions.
    #[serde(
        rename = "load_whole_until_us",
        skip_serializing_if = "Option::is_none"
    )]
    pub load_whole_until: Option<RunTime>,
}

/// Something that was counted and may not be in the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Name of the agent whose results are missing; none where it cannot be said which.
    pub agent: Option<String>,
    /// Global index of its worker, if only that worker's results are missing.
    #[serde(default)]
    pub worker: Option<u32>,
    /// First second of run time of which something may be missing.
    pub since_second: u32,
    /// Why.
    pub cause: GapCause,
}

/// Why results are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The agent was given up: it was silent for too long, or did not report its end.
    AgentLost,
    /// The agent's process ended and another one took its place.
    AgentRestarted,
    /// The worker process ended before it had handed over its results.
    WorkerLost {
        /// How, as text that follows the worker's name: `was killed by signal 9 (SIGKILL)`.
        how: String,
    },
    /// What is saved is not what the agents say they counted.
    CountsDisagree {
        /// What the agents counted.
        counted: Counted,
        /// What is saved.
        saved: Counted,
    },
}

impl GapCause {
    /// The word for counts that disagree.
    pub const COUNTS_DISAGREE: &str = "counts_disagree";

    /// A word for programs, which does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AgentLost => "agent_lost",
            Self::AgentRestarted => "agent_restarted",
            Self::WorkerLost { .. } => "worker_lost",
            Self::CountsDisagree { .. } => Self::COUNTS_DISAGREE,
        }
    }
}

impl Gap {
    /// The gap of an agent that is not waited for any more.
    pub fn of_agent(agent: &str, since_second: u32, cause: GapCause) -> Self {
        Self {
            agent: Some(agent.to_owned()),
            worker: None,
            since_second,
            cause,
        }
    }

    /// The gap of a worker of this agent.
    pub fn of_worker(agent: &str, lost: &LostWorker) -> Self {
        Self {
            worker: Some(lost.worker),
            ..Self::of_agent(
                agent,
                lost.since_second,
                GapCause::WorkerLost {
                    how: cut(&lost.how, MAX_ERROR_BYTES).into_owned(),
                },
            )
        }
    }

    /// The gap of a run whose agents say that they counted something else than what is saved.
    pub fn counts_disagree(counted: Counted, saved: Counted) -> Self {
        Self {
            agent: None,
            worker: None,
            since_second: 0,
            cause: GapCause::CountsDisagree { counted, saved },
        }
    }

    /// Whether it is of everything that an agent had not handed over.
    fn is_of_agent(&self) -> bool {
        matches!(self.cause, GapCause::AgentLost | GapCause::AgentRestarted)
    }

    /// When it began in a run that started then.
    pub fn since(&self, started_at: WallTime) -> WallTime {
        started_at + RunTime::of_second(self.since_second)
    }

    /// All of it in words, for a run that started at this time.
    pub fn message(&self, started_at: WallTime) -> String {
        let agent = self.agent.as_deref().unwrap_or("an agent");
        let since = since_text(started_at, self.since_second);
        match &self.cause {
            GapCause::AgentLost => format!("agent {agent} missing since {since}"),
            GapCause::AgentRestarted => {
                format!("agent {agent} was restarted; its results are missing since {since}")
            }
            GapCause::WorkerLost { how } => format!(
                "worker {} on agent {agent} {how}; its results are missing since {since}",
                self.worker.unwrap_or_default()
            ),
            GapCause::CountsDisagree { counted, saved } => counted.against(saved),
        }
    }
}

impl Completeness {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.more == 0
    }

    /// What is missing, in the order in which it was found out, at most [`MAX_GAPS`].
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Adds a gap. Of the same agent (and worker) and cause the earliest second is kept.
    pub fn add(&mut self, gap: Gap) {
        let same = |known: &&mut Gap| {
            (&known.agent, known.worker, known.cause.code())
                == (&gap.agent, gap.worker, gap.cause.code())
        };
        if let Some(known) = self.gaps.iter_mut().find(same) {
            let since_second = known.since_second.min(gap.since_second);
            *known = Gap {
                since_second,
                ..gap
            };
        } else if self.gaps.len() < MAX_GAPS {
            self.gaps.push(gap);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// An agent says which of its workers ended early: what is missing of their results, and of the load until its end
    /// where the run goes on without them. Harmless when repeated. Gives what is newly missing of the load.
    pub(super) fn take_lost_workers(
        &mut self,
        agent: &RunAgent,
        lost: &[LostWorker],
        load_until: Option<RunTime>,
    ) -> Vec<Loss> {
        let mut new = Vec::new();
        for lost in lost {
            if !agent.workers.contains(&lost.worker) {
                continue;
            }
            if !lost.handed_over {
                self.add(Gap::of_worker(&agent.name, lost));
            }
            let since = RunTime::of_second(lost.since_second);
            let is_of_load = load_until.is_some_and(|until| since < until);
            if !is_of_load
                || self
                    .coverage
                    .has_lost_agent_by(&agent.name, lost.since_second)
            {
                continue;
            }
            let loss = Loss::of_worker(&agent.name, lost);
            if self.coverage.add(loss.clone()) {
                new.push(loss);
            }
        }
        new
    }

    /// An agent has handed over everything, so it is not missing if it was.
    pub fn agent_handed_over(&mut self, agent: &str) {
        self.gaps
            .retain(|gap| !gap.is_of_agent() || gap.agent.as_deref() != Some(agent));
    }

    /// Whether an agent was given up and has not handed over its results since.
    pub fn is_given_up(&self, agent: &str) -> bool {
        let mut gaps = self.gaps.iter();
        gaps.any(|gap| gap.is_of_agent() && gap.agent.as_deref() == Some(agent))
    }

    /// The run is over and takes the results of agents that were given up until [`LATE_RESULTS`] from now.
    pub fn wait_for_late_results(&mut self, now: WallTime) {
        self.late_until = Some(now + LATE_RESULTS);
    }

    /// Late results were saved at this time, of a run that ended at that: more may come for as long again. Says
    /// whether anything has changed.
    pub fn late_results_came(&mut self, now: WallTime, ended_at: WallTime) -> bool {
        let longer = (now + LATE_RESULTS).min(ended_at + MAX_LATE_RESULTS);
        let is_longer = (self.late_until)
            .is_some_and(|until| now < until && longer >= until + LATE_RESULTS_STEP);
        if is_longer {
            self.late_until = Some(longer);
        }
        is_longer
    }

    /// Until when a run that is over takes late results.
    pub fn late_until(&self) -> Option<WallTime> {
        self.late_until
    }

    /// Whether a run that is over still takes results at this time.
    pub fn takes_late_results(&self, now: WallTime) -> bool {
        self.late_until.is_some_and(|until| now < until)
    }

    /// What to say beside the counts of a run that started at this time; none when they are complete.
    pub fn remark(&self, started_at: WallTime) -> Option<String> {
        if self.is_complete() {
            return None;
        }
        let first = self.gaps.first().map(|gap| gap.message(started_at));
        let others = (self.gaps.len() as u64)
            .saturating_add(self.more)
            .saturating_sub(1);
        let bound = |gap: &Gap| !matches!(gap.cause, GapCause::CountsDisagree { .. });
        let kind = match self.gaps.iter().any(bound) || self.more > 0 {
            true => "Lower bound",
            false => "Counts disagree",
        };
        let more = match others {
            0 => String::new(),
            1 => ", and 1 more gap".to_owned(),
            others => format!(", and {others} more gaps"),
        };
        Some(format!("{kind}: {}{more}", first.unwrap_or_default()))
    }
}

/// When a second of run time began, of a run that started at this time: `12:04:07 UTC (second 7)`.
pub(super) fn since_text(started_at: WallTime, second: u32) -> String {
    let at = time_of_day(started_at + RunTime::of_second(second));
    format!("{at} UTC (second {second})")
}

/// The time of day in UTC.
fn time_of_day(at: WallTime) -> String {
    let second = at.as_micros() / 1_000_000 % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 12:04:00 UTC.
    const STARTED_AT: WallTime = WallTime::from_micros(1_795_435_440_000_000);

    fn lost(agent: &str, second: u32) -> Gap {
        Gap::of_agent(agent, second, GapCause::AgentLost)
    }

    #[test]
    fn a_run_without_gaps_is_complete_and_says_nothing() {
        let all = Completeness::default();
        assert!(all.is_complete());
        assert_eq!(all.remark(STARTED_AT), None);
        assert_eq!(serde_json::from_str::<Completeness>("{}").unwrap(), all);
    }

    #[test]
    fn late_results_that_keep_coming_are_taken_for_an_hour() {
        let mut part = Completeness::default();
        assert!(!part.late_results_came(STARTED_AT, STARTED_AT));
        part.wait_for_late_results(STARTED_AT);
        let after = |s| STARTED_AT + Duration::from_secs(s);
        assert!(!part.late_results_came(after(59), STARTED_AT));
        for s in (500..3_600).step_by(500) {
            part.late_results_came(after(s), STARTED_AT);
            assert!(part.takes_late_results(after((s + 599).min(3_599))), "{s}");
        }
        assert!(!part.takes_late_results(after(3_600)));
        assert!(!part.late_results_came(after(3_600), STARTED_AT));
        let mut too_late = Completeness::default();
        too_late.wait_for_late_results(STARTED_AT);
        assert!(!too_late.late_results_came(after(600), STARTED_AT));
    }

    #[test]
    fn gaps_say_who_and_since_when() {
        let mut part = Completeness::default();
        part.add(lost("a1", 7));
        let remark = part.remark(STARTED_AT).unwrap();
        assert_eq!(
            remark,
            "Lower bound: agent a1 missing since 12:04:07 UTC (second 7)"
        );
        part.add(Gap::of_worker(
            "a2",
            &LostWorker {
                handed_over: false,
                worker: 3,
                since_second: 61,
                how: "was killed by signal 9 (SIGKILL)".into(),
            },
        ));
        assert_eq!(
            part.gaps()[1].message(STARTED_AT),
            "worker 3 on agent a2 was killed by signal 9 (SIGKILL); its results are missing since 12:05:01 UTC (second 61)"
        );
        assert!(
            part.remark(STARTED_AT)
                .unwrap()
                .ends_with(", and 1 more gap")
        );
    }

    #[test]
    fn counts_that_disagree_are_not_called_a_lower_bound() {
        let mut part = Completeness::default();
        let counted = |requests| Counted {
            requests,
            failures: 1,
        };
        part.add(Gap::counts_disagree(counted(10), counted(12)));
        assert_eq!(
            part.remark(STARTED_AT).unwrap(),
            "Counts disagree: the agents counted 10 requests with 1 failure, but 12 with 1 are saved"
        );
    }

    #[test]
    fn a_gap_is_kept_once_with_its_earliest_second_and_goes_when_all_was_handed_over() {
        let mut part = Completeness::default();
        part.add(lost("a1", 7));
        part.add(lost("a1", 5));
        part.add(lost("a1", 9));
        part.add(lost("a2", 3));
        assert_eq!(part.gaps(), [lost("a1", 5), lost("a2", 3)]);
        assert!(part.is_given_up("a1") && !part.is_given_up("a3"));
        part.agent_handed_over("a1");
        assert!(!part.is_given_up("a1"));
        assert_eq!(part.gaps(), [lost("a2", 3)]);
        part.agent_handed_over("a2");
        assert!(part.is_complete());
    }

    #[test]
    fn more_gaps_than_are_kept_are_counted() {
        let mut part = Completeness::default();
        for number in 0..MAX_GAPS + 2 {
            part.add(lost(&format!("a{number}"), 1));
        }
        assert_eq!(part.gaps().len(), MAX_GAPS);
        let more = format!(", and {} more gaps", MAX_GAPS + 1);
        assert!(part.remark(STARTED_AT).unwrap().ends_with(&more));
    }

    #[test]
    fn late_results_are_taken_for_a_while() {
        let mut part = Completeness::default();
        assert!(!part.takes_late_results(STARTED_AT));
        part.wait_for_late_results(STARTED_AT);
        assert!(part.takes_late_results(STARTED_AT + LATE_RESULTS - Duration::from_micros(1)));
        assert!(!part.takes_late_results(STARTED_AT + LATE_RESULTS));
    }

    #[test]
    fn it_is_kept_as_it_is() {
        let mut part = Completeness::default();
        part.add(lost("a1", 7));
        part.add(Gap::of_worker("a2", &LostWorker::default()));
        part.wait_for_late_results(STARTED_AT);
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<Completeness>(&json).unwrap(), part);
    }
}
