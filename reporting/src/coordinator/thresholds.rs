//! Follows the thresholds of each run: judges them as results come, stops the run where a threshold says so, and has the
//! results kept when the run is over. One task per run that has thresholds, so that the owner never waits for it.

use std::time::Duration;

use greylag_infra::protocol::LogLine;
use greylag_infra::{RunId, RunPhase, RunRecord, ThresholdResult, ThresholdState};

use tokio::task::JoinHandle;

use super::Coordinator;
use super::owner::Command;
use crate::store::StoreError;

/// How often it is looked what has come. A stop is asked for at most this long after the results that ask for it are saved.
const EVERY: Duration = Duration::from_millis(500);
/// The longest pause between attempts while the store cannot be used: each is twice the one before. A stop may be late by as much.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Follows a run until it is over, if it has thresholds.
pub(super) fn follow(coordinator: &Coordinator, run: &RunRecord) {
    if run.test.thresholds.is_empty() {
        return;
    }
    let is_new = !run.phase.is_over() && run.started_at.is_none();
    let follower = Follower {
        coordinator: coordinator.clone(),
        run_id: run.id.clone(),
        said: is_new.then(Vec::new),
        is_again: false,
    };
    tokio::spawn(follower.run());
}

/// Judges a run that is over again, because results of it came, if it has thresholds that were judged before.
pub(super) fn judge_again(coordinator: &Coordinator, run_id: &RunId) -> JoinHandle<()> {
    let follower = Follower {
        coordinator: coordinator.clone(),
        run_id: run_id.clone(),
        said: None,
        is_again: true,
    };
    tokio::spawn(follower.run())
}

/// Judges the runs that ended, or took results, just before an earlier coordinator did.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn take_up(coordinator: &Coordinator) -> Result<(), StoreError> {
    for run in coordinator.store().runs_to_judge().await? {
        follow(coordinator, &run);
    }
    Ok(())
}

struct Follower {
    coordinator: Coordinator,
    run_id: RunId,
    /// How the thresholds stood when it was last said in the run's log; none before they have been judged, where an earlier
    /// coordinator may have said it.
    said: Option<Vec<ThresholdState>>,
    /// Whether it is only for results that came after they were judged. Before, whoever judges them first takes these in.
    is_again: bool,
}

impl Follower {
    async fn run(mut self) {
        let mut pause = EVERY;
        loop {
            match self.judge().await {
                Ok(true) => break,
                Ok(false) => pause = EVERY,
                Err(error) if error.is_unknown_run() || matches!(error, StoreError::Closed) => {
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, run = %self.run_id, "cannot judge the thresholds; trying again");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            tokio::time::sleep(pause).await;
        }
        self.coordinator.changed();
    }

    /// Judges as far as results are there; true once that is kept of a run that is over.
    async fn judge(&mut self) -> Result<bool, StoreError> {
        let store = self.coordinator.store();
        let Some(run) = store.run(&self.run_id).await? else {
            return Ok(true);
        };
        let is_over = run.phase.is_over();
        if run.started_at.is_none() && !is_over {
            return Ok(false);
        }
        if is_over && self.said.is_none() {
            let last = store.last_results(&self.run_id).await?;
            self.said = last.as_deref().map(states_of);
        }
        let was_judged = self.said.is_some() && !run.test.thresholds.is_empty();
        if self.is_again && !was_judged {
            return Ok(true);
        }
        let judgement = store.judge(&run).await?;
        if is_over && !judgement.is_kept {
            return Ok(false);
        }
        self.say(&judgement.results, is_over).await;
        if let Some(abort) = judgement.abort
            && run.phase == RunPhase::Running
        {
            let command = Command::ThresholdBreached {
                run_id: self.run_id.clone(),
                abort,
            };
            self.coordinator.command(command).await;
        }
        Ok(is_over)
    }

    /// Says in the run's log which thresholds have come to be breached, or hold again.
    async fn say(&mut self, results: &[ThresholdResult], is_over: bool) {
        let before = self.said.replace(states_of(results));
        // What an earlier coordinator may have said is not said again, but for how it ended.
        let Some(before) = before.or_else(|| is_over.then(Vec::new)) else {
            return;
        };
        let was = before
            .into_iter()
            .chain(std::iter::repeat(ThresholdState::Pending));
        let lines = results.iter().zip(was).filter_map(|(result, was)| {
            let text = news(result, was)?;
            Some(LogLine {
                at: self.coordinator.now(),
                source: "coordinator".to_owned(),
                text,
            })
        });
        let lines: Vec<LogLine> = lines.collect();
        if lines.is_empty() {
            return;
        }
        for line in &lines {
            tracing::info!(run = %self.run_id, "{}", line.text);
        }
        let saved = self.coordinator.store().append_log(&self.run_id, lines);
        if let Err(error) = saved.await {
            tracing::error!(%error, run = %self.run_id, "cannot save log lines");
        }
    }
}

fn states_of(results: &[ThresholdResult]) -> Vec<ThresholdState> {
    results.iter().map(|result| result.state).collect()
}

/// What there is to say of a threshold that stood otherwise before.
fn news(result: &ThresholdResult, was: ThresholdState) -> Option<String> {
    let value = result.actual.map(|actual| result.unit.text(actual));
    let condition = &result.condition;
    match (was, result.state) {
        (was, now) if was == now => None,
        (_, ThresholdState::Breached) => {
            Some(format!("Threshold breached: {condition} ({})", value?))
        }
        (_, ThresholdState::NoData) => Some(format!(
            "No data for the threshold {condition}: {}",
            result
                .explanation
                .as_deref()
                .unwrap_or("nothing was measured")
        )),
        (ThresholdState::Breached, ThresholdState::Passed) => {
            let remark = result.explanation.iter();
            let remark: String = remark.map(|text| format!("; {text}")).collect();
            let value = value?;
            Some(format!(
                "Threshold holds again: {condition} ({value}{remark})"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::ThresholdUnit;

    use super::*;

    fn result(state: ThresholdState) -> ThresholdResult {
        ThresholdResult {
            condition: "p95 < 500ms".to_owned(),
            metric: "p95".to_owned(),
            unit: ThresholdUnit::Ms,
            actual: Some(612.0),
            limit: Some(500.0),
            state,
            breached_since_s: None,
            explanation: None,
        }
    }

    #[test]
    fn what_changes_is_said_and_what_was_expected_is_not() {
        use ThresholdState::{Breached, NoData, Passed, Pending};
        let say = |was, now| news(&result(now), was);
        let breached = "Threshold breached: p95 < 500ms (612 ms)";
        assert_eq!(say(Pending, Breached).as_deref(), Some(breached));
        assert_eq!(say(Passed, Breached).as_deref(), Some(breached));
        assert_eq!(say(Breached, Breached), None);
        assert_eq!(say(Pending, Passed), None);
        let again = "Threshold holds again: p95 < 500ms (612 ms)";
        assert_eq!(say(Breached, Passed).as_deref(), Some(again));
        assert!(say(Pending, NoData).is_some());
    }
}
