//! What the charts over run time mark: moments from which on their lines mean something else.

use std::collections::BTreeMap;

use greylag_infra::{Loss, RunRecord};

use crate::plain_text::plain_text;
use crate::results::views::run_view::ChartMark;
use crate::store::Scope;

/// Marks of a chart; later ones would hide its lines.
const MAX_MARKS: usize = 20;

/// The marks of a part of a run: what was lost of its load.
pub(super) fn chart_marks(run: &RunRecord, scope: &Scope) -> Vec<ChartMark> {
    let mut by_second: BTreeMap<u32, Vec<&Loss>> = BTreeMap::new();
    let window = scope
        .window
        .map_or(0..u32::MAX, |window| window.from()..window.to());
    for loss in run.coverage().losses() {
        let is_of_agent = scope
            .agent
            .as_ref()
            .is_none_or(|agent| *agent == loss.agent);
        if is_of_agent && window.contains(&loss.since_second) {
            by_second.entry(loss.since_second).or_default().push(loss);
        }
    }
    let marks = by_second.into_iter().take(MAX_MARKS);
    marks
        .map(|(second, losses)| ChartMark {
            second,
            label: plain_text(&label(&losses)),
        })
        .collect()
}

fn label(losses: &[&Loss]) -> String {
    match losses {
        [loss] => loss.short(),
        losses => {
            let workers = losses.iter().filter(|loss| loss.worker.is_some()).count();
            let count = |count: usize, what: &str| match count {
                0 => None,
                1 => Some(format!("1 {what}")),
                count => Some(format!("{count} {what}s")),
            };
            let parts = [
                count(losses.len() - workers, "agent"),
                count(workers, "worker"),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("lost: {}", parts.join(" and "))
        }
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::{FailureReason, LostWorker};

    use super::*;

    #[test]
    fn what_is_lost_in_the_same_second_has_one_mark() {
        let of_agent = |agent: &str| {
            let reason = FailureReason::AgentShutDown {
                agent: agent.to_owned(),
            };
            Loss::of_agent(agent, 7, reason)
        };
        let worker = Loss::of_worker("c", &LostWorker::default());
        let (a, b) = (of_agent("a"), of_agent("b"));
        assert_eq!(label(&[&a]), "lost: a");
        assert_eq!(label(&[&worker]), "lost: worker 0 on c");
        assert_eq!(label(&[&a, &b]), "lost: 2 agents");
        assert_eq!(label(&[&a, &worker, &b]), "lost: 2 agents and 1 worker");
    }
}
