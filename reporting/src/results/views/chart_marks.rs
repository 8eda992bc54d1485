//! What the charts over run time mark: moments from which on their lines mean something else, and stretches in which they describe the
//! load generator.

use std::collections::BTreeMap;

use greylag_infra::{LoadProfile, Loss, RunRecord, ThresholdResult};

use crate::plain_text::plain_text;
use crate::results::summary::{SummaryGenerator, SummaryStretch};
use crate::results::views::run_view::ChartMark;
use crate::store::{RunMark, Scope};

/// Marks of a chart; later ones would hide its lines.
const MAX_MARKS: usize = 20;

/// Most stretches; further ones would be too narrow to be seen apart.
const MAX_STRETCHES: usize = 100;

/// The marks of a part of a run: when people changed its users, what was lost of its load, since when thresholds are breached, what
/// people say of its moments, and when the generator was saturated.
pub(super) fn chart_marks(
    run: &RunRecord,
    said: &[RunMark],
    judged: &[ThresholdResult],
    scope: &Scope,
    generator: &SummaryGenerator,
) -> Vec<ChartMark> {
    let mut marks = moments(run, said, judged, scope, MAX_MARKS);
    let stretches = joined(&generator.saturated, MAX_STRETCHES).into_iter();
    marks.extend(stretches.map(|stretch| ChartMark {
        second: stretch.from,
        to: Some(stretch.to),
        label: "generator saturated".to_owned(),
    }));
    marks
}

/// At most so many stretches: those that are nearest to each other become one.
fn joined(stretches: &[SummaryStretch], most: usize) -> Vec<SummaryStretch> {
    let mut apart = 0;
    loop {
        let mut joined: Vec<SummaryStretch> = Vec::new();
        for stretch in stretches {
            match joined.last_mut() {
                Some(last) if stretch.from.saturating_sub(last.to) <= apart => last.to = stretch.to,
                _ => joined.push(*stretch),
            }
        }
        if joined.len() <= most {
            return joined;
        }
        apart = apart * 2 + 1;
    }
}

/// At most so many of a part's moments, the first ones.
pub(crate) fn moments(
    run: &RunRecord,
    said: &[RunMark],
    judged: &[ThresholdResult],
    scope: &Scope,
    most: usize,
) -> Vec<ChartMark> {
    let mut marks = users_changed(&run.test.profile(), &run.profile);
    marks.extend(lost(run, scope));
    marks.extend(breached(judged));
    marks.extend(said.iter().map(|mark| ChartMark {
        second: mark.second,
        to: None,
        label: plain_text(&mark.text),
    }));
    let seconds = scope
        .window
        .map_or(0..u32::MAX, |window| window.from()..window.to());
    marks.retain(|mark| seconds.contains(&mark.second));
    marks.sort_by_key(|mark| mark.second);
    marks.truncate(most);
    marks
}

/// When the number of users was changed. A load shape takes the place of what the definition says: then it is not known which
/// of its steps were meant from the beginning.
fn users_changed(planned: &LoadProfile, profile: &LoadProfile) -> Vec<ChartMark> {
    if profile.steps.first() != planned.steps.first() {
        return Vec::new();
    }
    let changes = profile.steps.iter();
    let changes = changes.filter(|step| !planned.steps.contains(step));
    changes
        .map(|step| ChartMark {
            second: step.at.second(),
            to: None,
            label: match step.users {
                1 => "1 user".to_owned(),
                users => format!("{users} users"),
            },
        })
        .collect()
}

/// Since when thresholds are breached.
fn breached(judged: &[ThresholdResult]) -> impl Iterator<Item = ChartMark> {
    judged.iter().filter_map(|result| {
        Some(ChartMark {
            second: result.breached_since_s?,
            to: None,
            label: plain_text(&format!("breached: {}", result.condition)),
        })
    })
}

/// What was lost of a run's load.
fn lost(run: &RunRecord, scope: &Scope) -> Vec<ChartMark> {
    let mut by_second: BTreeMap<u32, Vec<&Loss>> = BTreeMap::new();
    for loss in run.coverage().losses() {
        let is_of_agent = scope
            .agent
            .as_ref()
            .is_none_or(|agent| *agent == loss.agent);
        if is_of_agent {
            by_second.entry(loss.since_second).or_default().push(loss);
        }
    }
    by_second
        .into_iter()
        .map(|(second, losses)| ChartMark {
            second,
            to: None,
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
    use greylag_infra::{
        Completeness, FailureReason, LoadTest, LostWorker, RunPhase, RunTime, WallTime,
    };

    use super::*;
    use crate::store::Window;

    #[test]
    fn a_change_of_users_is_marked_and_what_was_planned_is_not() {
        let test = LoadTest {
            users: 10,
            ramp_up_s: 5,
            duration_s: 60,
            ..LoadTest::default()
        };
        let planned = test.profile();
        assert_eq!(users_changed(&planned, &planned), []);
        let changed = planned.with_change(RunTime::of_second(20), 25, 0).unwrap();
        let mark = ChartMark {
            second: 20,
            to: None,
            label: "25 users".to_owned(),
        };
        assert_eq!(users_changed(&planned, &changed), [mark]);
        let shaped = LoadProfile::default();
        assert_eq!(users_changed(&shaped, &changed), []);
    }

    #[test]
    fn marks_are_those_of_the_part_that_is_shown_in_order_of_time() {
        let test = LoadTest::default();
        let mut completeness = Completeness::default();
        for (agent, second) in [("east", 40), ("west", 7)] {
            let reason = FailureReason::AgentShutDown {
                agent: agent.to_owned(),
            };
            completeness
                .coverage
                .add(Loss::of_agent(agent, second, reason));
        }
        let run = RunRecord {
            id: "r".into(),
            number: 1,
            profile: test.profile(),
            test,
            phase: RunPhase::Running,
            created_at: WallTime::from_micros(1),
            started_at: None,
            ended_at: None,
            agents: Vec::new(),
            completeness,
        };
        let said = |second, text: &str| RunMark {
            number: 1,
            second,
            text: text.to_owned(),
        };
        let notes = [said(30, "a\u{202e}b"), said(20, "deployed")];
        let labels = |scope: &Scope| {
            let saturated = vec![SummaryStretch { from: 3, to: 6 }];
            let generator = SummaryGenerator {
                saturated,
                ..SummaryGenerator::default()
            };
            let marks = chart_marks(&run, &notes, &[], scope, &generator).into_iter();
            marks
                .map(|mark| (mark.second, mark.to, mark.label))
                .collect::<Vec<_>>()
        };
        let mark = |second, label: &str| (second, None, label.to_owned());
        let saturated = (3, Some(6), "generator saturated".to_owned());
        let odd = plain_text("a\u{202e}b");
        assert_ne!(odd, "a\u{202e}b");
        let [west, deployed] = [mark(7, "lost: west"), mark(20, "deployed")];
        let [odd, east] = [mark(30, &odd), mark(40, "lost: east")];
        let all = labels(&Scope::default());
        let in_order = [west, deployed.clone(), odd.clone(), east.clone(), saturated];
        assert_eq!(all, in_order);
        let of_east = Scope {
            window: Some(Window::new(5, 60).unwrap()),
            agent: Some("east".to_owned()),
            ..Scope::default()
        };
        let [.., saturated] = in_order;
        assert_eq!(labels(&of_east), [deployed, odd, east, saturated]);

        let many: Vec<RunMark> = (0..100).map(|second| said(second, "x")).collect();
        let shown = moments(&run, &many, &[], &Scope::default(), MAX_MARKS);
        assert_eq!(shown.len(), MAX_MARKS);
    }

    #[test]
    fn many_stretches_are_joined_where_they_are_near() {
        let stretch = |from: u32, to: u32| SummaryStretch { from, to };
        let few = [stretch(1, 3), stretch(4, 5), stretch(90, 95)];
        assert_eq!(joined(&few, 3), few);
        assert_eq!(joined(&few, 2), [stretch(1, 5), stretch(90, 95)]);
        let many: Vec<_> = (0..1_000).map(|at| stretch(at * 7, at * 7 + 1)).collect();
        let shown = joined(&many, MAX_STRETCHES);
        assert!(!shown.is_empty() && shown.len() <= MAX_STRETCHES);
        assert_eq!((shown[0].from, shown[shown.len() - 1].to), (0, 999 * 7 + 1));
    }

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
