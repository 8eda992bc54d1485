use proptest::prelude::*;

use super::*;
use crate::base::WallTime;
use crate::load_test::{AgentCount, Fleet, LoadTest};
use crate::profile::LoadProfile;
use crate::run::Completeness;

fn record(number: u64, infrastructure: &str, share: bool, least: u32) -> RunRecord {
    let reason = WaitReason::Agents {
        free: 0,
        least,
        most: None,
        machines: None,
    };
    let terms = StartTerms::default();
    RunRecord {
        id: format!("r{number}").into(),
        number,
        test: LoadTest {
            name: "checkout".into(),
            infrastructure: infrastructure.into(),
            fleet: Fleet {
                agents: AgentCount::new(least, 100).unwrap(),
                share,
                ..Fleet::default()
            },
            ..LoadTest::default()
        },
        phase: Waiting { reason, terms }.phase(),
        created_at: WallTime::default(),
        started_at: None,
        ended_at: None,
        agents: Vec::new(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

fn active(number: u64, share: bool) -> RunRecord {
    RunRecord {
        phase: RunPhase::Running,
        ..record(number, "lab", share, 1)
    }
}

/// So many, for as long as one waits for others.
fn settled(free: usize) -> AgentsThere {
    AgentsThere {
        free,
        settled_for: AGENTS_SETTLE,
        at_most: None,
    }
}

fn said(run: &RunRecord, before: &[RunRecord], free: usize) -> String {
    match turn_of(run, before, || settled(free)) {
        Turn::Begin => "begin".to_owned(),
        Turn::NeverEnough => "never".to_owned(),
        Turn::Wait(reason) => {
            let terms = StartTerms::default();
            let phase = Waiting { reason, terms }.phase();
            format!("{}: {}", phase.word(), phase.wait_reason().unwrap())
        }
    }
}

#[test]
fn the_reason_says_who_has_the_agents_and_how_many_are_missing() {
    let run = record(16, "lab", false, 3);
    assert_eq!(said(&run, &[], 3), "begin");
    let missing = "Provisioning: waiting for 2 of 3 agents";
    assert_eq!(said(&run, &[], 1), missing);
    let busy = "Queued: #14 of checkout has these agents";
    assert_eq!(said(&run, &[active(14, false)], 3), busy);
    let queue = [active(14, false), record(15, "lab", false, 1)];
    let both = "Queued: #14 of checkout has these agents, and 1 run comes before this one";
    assert_eq!(said(&run, &queue, 3), both);
    let first = "Queued: #15 of checkout comes first";
    assert_eq!(said(&run, &queue[1..], 3), first);
    assert_eq!(said(&record(16, "other", false, 3), &queue, 3), "begin");
}

#[test]
fn runs_share_an_infrastructure_only_with_runs_that_share_it() {
    let run = |share| record(15, "lab", share, 1);
    assert_eq!(said(&run(true), &[active(14, true)], 1), "begin");
    let busy = "Queued: #14 of checkout has these agents";
    assert_eq!(said(&run(true), &[active(14, false)], 1), busy);
    assert_eq!(said(&run(false), &[active(14, true)], 1), busy);
}

#[test]
fn a_range_is_filled_unless_the_others_do_not_come() {
    let turn = |wanted: &str, free, settled_s, at_most| {
        let there = AgentsThere {
            free,
            settled_for: Duration::from_secs(settled_s),
            at_most,
        };
        match turn_with(wanted.parse().unwrap(), there) {
            Turn::Begin => "begin".to_owned(),
            Turn::NeverEnough => "never".to_owned(),
            Turn::Wait(reason) => {
                assert_eq!(reason.lacks_agents(), free < 2, "{reason}");
                reason.to_string()
            }
        }
    };
    let lacks = "waiting for 1 of 2 agents";
    let settles = |free| {
        format!("{free} of up to 5 agents are there; beginning when no other has come for 10 s")
    };
    // One after the other comes.
    assert_eq!(turn("2..5", 1, 99, None), lacks);
    assert_eq!(turn("2..5", 2, 0, None), settles(2));
    assert_eq!(turn("2..5", 4, 9, None), settles(4));
    assert_eq!(turn("2..5", 5, 0, None), "begin");
    // No other has come for a while, or can come.
    assert_eq!(turn("2..5", 2, 10, None), "begin");
    assert_eq!(turn("2..5", 2, 0, Some(5)), settles(2));
    assert_eq!(turn("2..5", 3, 0, Some(3)), "begin");
    // Nor can the least.
    assert_eq!(turn("2..5", 1, 0, Some(2)), lacks);
    assert_eq!(turn("2..5", 1, 99, Some(1)), "never");
    assert_eq!(turn("2", 0, 0, Some(1)), "never");
    assert_eq!(turn("2", 0, 0, Some(2)), "waiting for 2 of 2 agents");
    // A number is all that is waited for.
    assert_eq!(turn("2", 2, 0, None), "begin");
    assert_eq!(
        turn_with(
            AgentCount::default(),
            AgentsThere {
                free: 1,
                ..settled(1)
            }
        ),
        Turn::Begin
    );
}

/// What happens to the runs of two infrastructures.
#[derive(Debug, Clone)]
enum Step {
    Ask {
        infrastructure: usize,
        share: bool,
        least: u32,
    },
    /// The run that was asked for as this one ends, or is stopped while it waits.
    End(usize),
    Agents {
        infrastructure: usize,
        count: usize,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..2usize, any::<bool>(), 1..5u32)
            .prop_map(|(infrastructure, share, least)| Step::Ask { infrastructure, share, least }),
        3 => (0..12usize).prop_map(Step::End),
        2 => (0..2usize, 0..6usize)
            .prop_map(|(infrastructure, count)| Step::Agents { infrastructure, count }),
    ]
}

const NAMES: [&str; 2] = ["lab", "cloud"];

fn are_in_each_others_way(a: &RunRecord, b: &RunRecord) -> bool {
    a.test.infrastructure == b.test.infrastructure && !(a.test.fleet.share && b.test.fleet.share)
}

proptest! {
    /// Whatever is asked for, ends, comes and goes: runs begin in the order in which they came, never beside one that they
    /// do not share with, never with too few agents, and as soon as they may.
    #[test]
    fn runs_have_their_turn_in_order(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut runs: Vec<RunRecord> = Vec::new();
        let mut agents = [0usize; 2];
        for (number, step) in (1..).zip(steps) {
            match step {
                Step::Ask { infrastructure, share, least } => {
                    runs.push(record(number, NAMES[infrastructure], share, least));
                }
                Step::End(index) if index < runs.len() => drop(runs.remove(index)),
                Step::End(_) => {}
                Step::Agents { infrastructure, count } => agents[infrastructure] = count,
            }
            let free = |run: &RunRecord| agents[usize::from(run.test.infrastructure == NAMES[1])];
            for at in 0..runs.len() {
                if runs[at].phase.waiting().is_none() {
                    continue;
                }
                let (before, rest) = runs.split_at_mut(at);
                let run = &mut rest[0];
                match turn_of(run, &*before, || settled(free(run))) {
                    Turn::NeverEnough => prop_assert!(false, "others may come"),
                    Turn::Begin => {
                        prop_assert!(before.iter().all(|other| !are_in_each_others_way(other, run)));
                        prop_assert!(free(run) >= run.test.fleet.agents.least() as usize);
                        run.phase = RunPhase::Running;
                    }
                    Turn::Wait(reason) => {
                        let is_blocked = before.iter().any(|other| are_in_each_others_way(other, run));
                        let lacks_agents = free(run) < run.test.fleet.agents.least() as usize;
                        prop_assert!(is_blocked || lacks_agents, "it waits for nothing");
                        let is_queued = !matches!(reason, WaitReason::Agents { .. });
                        prop_assert_eq!(is_queued, is_blocked);
                    }
                }
            }
            let running = |run: &&RunRecord| run.phase == RunPhase::Running;
            for (at, run) in runs.iter().enumerate().filter(|(_, run)| running(run)) {
                let mut others = runs[at + 1..].iter().filter(running);
                prop_assert!(others.all(|other| !are_in_each_others_way(run, other)));
            }
        }
    }
}
