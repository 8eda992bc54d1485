//! Thresholds say of a run what a naive evaluation of all its requests says, whatever came when and from which agent: in the
//! end, and at any second before, with fixed limits and with those of another run.

mod condition;
mod flat_load;
mod naive;
mod noise;
mod perfect;
mod stopped;

use std::ops::Range;

use greylag_infra::{
    LoadProfile, ProfileStep, RunPhase, RunRecord, RunTime, ThresholdResult, ThresholdState,
};
use greylag_reporting::{AnnotationChange, Store, ThresholdAbort};
use proptest::prelude::*;

use self::condition::{Condition, condition};
use self::naive::{Naive, Stands};
use self::noise::Baseline;
use crate::scopes::events::{AGENTS, Event, NOW, agent_events};
use crate::scopes::save_all;
use crate::support::run;

/// When the run ends, as planned, and has ended.
const ENDS_S: u32 = 600;
const ELAPSED_S: f64 = 600.5;

/// A plan with the phases that follow from it: ramp-up, steady, ramp-down.
#[derive(Debug, Clone)]
struct Plan {
    profile: LoadProfile,
    phases: [Range<u32>; 3],
}

fn plans() -> [Plan; 4] {
    let plan = |steps: &[(u32, u64, u64)], phases| {
        let steps = steps.iter().map(|(at_s, users, over_s)| ProfileStep {
            at: RunTime::of_second(*at_s),
            users: *users,
            over_us: over_s * 1_000_000,
        });
        let profile = LoadProfile {
            steps: steps.collect(),
            ends_at: RunTime::of_second(ENDS_S),
            ..LoadProfile::default()
        };
        Plan { profile, phases }
    };
    [
        plan(&[(0, 100, 40)], [0..40, 40..600, 0..0]),
        plan(
            &[(0, 100, 130), (480, 10, 100)],
            [0..130, 130..480, 480..u32::MAX],
        ),
        plan(&[(0, 100, 0)], [0..0, 0..600, 0..0]),
        // A spike between two plateaus.
        plan(
            &[(0, 100, 20), (200, 400, 5), (240, 100, 5)],
            [0..20, 245..600, 0..0],
        ),
    ]
}

/// A run with all its requests.
struct Happened<'a> {
    plan: &'a Plan,
    events: &'a [Event],
}

/// What another run is compared with.
struct Reference<'a> {
    run: Happened<'a>,
    /// The tag that its own thresholds are about: of others nothing is known.
    counts: Option<&'static str>,
    is_deleted: bool,
}

impl Happened<'_> {
    /// Everything is known when the seconds before this one are.
    fn end(&self) -> u32 {
        let last = self.events.iter().map(|event| event.second + 1).max();
        last.unwrap_or(0).max(ELAPSED_S as u32)
    }
}

impl Reference<'_> {
    /// What a condition's metric was here.
    fn value(&self, condition: &Condition) -> Option<f64> {
        let tag = condition.of.and_then(|of| of.strip_prefix("tag "));
        if tag.is_some() && tag != self.counts {
            return None;
        }
        let naive = Naive::new(condition, self.run.plan, self.run.events, None);
        naive.stands(self.run.end(), Some(ELAPSED_S)).actual
    }
}

/// The naive side of a run.
struct Expected<'a> {
    run: Happened<'a>,
    reference: Option<Reference<'a>>,
    /// Each with what it is compared with.
    naive: Vec<Naive<'a>>,
    values: Vec<Option<f64>>,
}

impl<'a> Expected<'a> {
    fn new(
        conditions: &'a [Condition],
        run: Happened<'a>,
        reference: Option<Reference<'a>>,
    ) -> Self {
        let value = |condition: &Condition| reference.as_ref()?.value(condition);
        let values: Vec<Option<f64>> = conditions.iter().map(value).collect();
        let all = conditions.iter().zip(&values);
        let naive =
            all.map(|(condition, value)| Naive::new(condition, run.plan, run.events, *value));
        Self {
            naive: naive.collect(),
            values,
            run,
            reference,
        }
    }

    /// Compares results, when the seconds before `until` are known.
    fn check(&self, results: &[ThresholdResult], until: u32) {
        assert_eq!(results.len(), self.naive.len());
        for (result, naive) in results.iter().zip(&self.naive) {
            same(result, naive, &naive.stands(until, None), None);
        }
    }

    /// Compares results of the run when it is over.
    fn check_end(&self, results: &[ThresholdResult]) {
        assert_eq!(results.len(), self.naive.len());
        for ((result, naive), value) in results.iter().zip(&self.naive).zip(&self.values) {
            let mut stands = naive.stands(self.run.end(), Some(ELAPSED_S));
            let mut said = None;
            if naive.condition.limit.is_of_baseline()
                && let Some((reference, value)) = self.reference.as_ref().zip(*value)
            {
                let there = Naive::new(
                    naive.condition,
                    reference.run.plan,
                    reference.run.events,
                    None,
                );
                let baseline = Baseline {
                    naive: &there,
                    events: reference.run.events,
                    value,
                    is_deleted: reference.is_deleted,
                };
                (stands, said) = noise::weighed(naive, self.run.events, &baseline, stands);
            }
            same(result, naive, &stands, said.as_deref());
        }
    }

    /// The first threshold for which the run is to be stopped when the seconds before `until` are known, and since when.
    fn abort(&self, record: &RunRecord, until: u32) -> Option<ThresholdAbort> {
        let mut all = record.test.thresholds.iter().zip(&self.naive);
        all.find_map(|(threshold, naive)| {
            let since_s = naive.stands(until, None).since_s?;
            let is_due = until - since_s >= naive.condition.abort_after_s?;
            is_due.then(|| ThresholdAbort {
                threshold: threshold.to_string(),
                since_s,
            })
        })
    }
}

const NOT_FOUND: &str = "nothing to compare with: test#99 was not found among the runs that were over when this one began";

fn same(result: &ThresholdResult, naive: &Naive<'_>, stands: &Stands, said: Option<&str>) {
    let text = &naive.condition.text;
    // What is kept was written as text.
    let is_same = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= other.abs() * 1e-12,
        (one, other) => one == other,
    };
    let numbers = [(result.actual, stands.actual), (result.limit, naive.limit)];
    for (number, expected) in numbers {
        assert!(
            is_same(number, expected),
            "{text}: {number:?} instead of {expected:?}"
        );
    }
    let found = (result.state, result.breached_since_s);
    assert_eq!(found, (stands.state, stands.since_s), "{text}: {result:?}");
    match result.state {
        // Which of them it is compared with is known from the beginning.
        _ if naive.limit.is_none() => {
            let why = result.explanation.as_deref().unwrap_or_default();
            let expected = [
                "the run that it is compared with has no such value",
                NOT_FOUND,
            ];
            assert!(expected.contains(&why), "{text}: {why}");
        }
        ThresholdState::NoData => assert!(result.explanation.is_some(), "{text}"),
        _ => assert_eq!(result.explanation.as_deref(), said, "{text}: {result:?}"),
    }
}

/// All agents have delivered the seconds before this one.
fn delivered(record: &RunRecord, until: u32) -> RunRecord {
    let mut record = record.clone();
    for agent in &mut record.agents {
        agent.saved_until = until;
    }
    record
}

/// A run and what it is compared with.
#[derive(Debug, Clone)]
struct Compared {
    events: [Vec<Vec<Event>>; 3],
    plan: Plan,
    /// The tag that thresholds of the other run are about.
    counts: Option<&'static str>,
    /// How the run names the other one.
    name: &'static str,
    is_deleted: bool,
}

fn compared() -> impl Strategy<Value = Compared> {
    let events = prop::array::uniform3(agent_events());
    let plan = prop::sample::select(plans().to_vec());
    let counts = prop::option::of(prop::sample::select(vec!["api", "slow"]));
    // The last one is none.
    let name = prop::sample::select(vec!["base", "test#1", "test#pinned", "", "test#99"]);
    (events, plan, counts, name, any::<bool>()).prop_map(
        |(events, plan, counts, name, is_deleted)| Compared {
            events,
            plan,
            counts,
            name,
            is_deleted: is_deleted && matches!(name, "base" | "test#1"),
        },
    )
}

/// Saves the run that another is compared with, and returns what happened in it.
async fn save_compared(store: &Store, compared: &Compared) -> Vec<Event> {
    let mut new = run("base", "test", &AGENTS);
    new.profile = compared.plan.profile.clone();
    let of_tag = compared
        .counts
        .map(|tag| format!("requests >= 1 for tag {tag}"));
    new.test.thresholds = of_tag.iter().map(|text| text.parse().unwrap()).collect();
    let mut record = store.create_run(new).await.unwrap();
    let events = save_all(store, &record, &compared.events).await;
    record.phase = RunPhase::Finished;
    record.ended_at = Some(NOW);
    store.update_run(&record).await.unwrap();
    if !compared.is_deleted {
        let pin = AnnotationChange {
            pinned: Some(true),
            ..AnnotationChange::default()
        };
        store.annotate(&record.id, pin).await.unwrap();
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn thresholds_equal_a_naive_evaluation_of_all_requests(
        agents in prop::array::uniform3(agent_events()),
        conditions in prop::collection::vec(condition(), 50),
        plan in prop::sample::select(plans().to_vec()),
        compared in compared(),
        early in 0..300_u32,
        moments in prop::collection::btree_set(0..700_u32, 3),
        is_restarted in any::<bool>(),
        closely in 0..200_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let there = save_compared(&store, &compared).await;
            let mut new = run("r", "test", &AGENTS);
            new.profile = plan.profile.clone();
            new.test.thresholds = conditions.iter().map(|one| one.text.parse().unwrap()).collect();
            new.test.baseline = compared.name.to_owned();
            let mut record = store.create_run(new).await.unwrap();
            // Judged when hardly anything is there: what comes later of these seconds counts in the end.
            store.judge(&delivered(&record, early)).await.unwrap();
            let events = save_all(&store, &record, &agents).await;
            let reference = (compared.name != "test#99").then_some(Reference {
                run: Happened { plan: &compared.plan, events: &there },
                counts: compared.counts,
                is_deleted: compared.is_deleted,
            });
            let expected = Expected::new(&conditions, Happened { plan: &plan, events: &events }, reference);
            if compared.is_deleted {
                store.delete_run(&"base".into()).await.unwrap();
            }

            // In progress, by a coordinator that begins anew.
            let store = if is_restarted {
                store.close().await;
                let store = Store::open(dir.path()).unwrap();
                // Second by second for a while, because the run must be stopped in the right one.
                let closely = closely..closely + 30;
                for until in closely.chain(moments.into_iter().filter(|moment| *moment >= 230)) {
                    let judgement = store.judge(&delivered(&record, until)).await.unwrap();
                    expected.check(&judgement.results, until);
                    prop_assert_eq!(judgement.abort, expected.abort(&record, until), "at {}", until);
                }
                store
            } else {
                store
            };

            record.phase = RunPhase::Finished;
            record.ended_at = Some(NOW);
            store.update_run(&record).await.unwrap();
            let results = store.threshold_results(&record).await.unwrap();
            expected.check_end(&results);

            // Kept, whoever asks.
            store.close().await;
            let store = Store::open(dir.path()).unwrap();
            prop_assert_eq!(&store.threshold_results(&record).await.unwrap(), &results);
            Ok(())
        })?;
    }
}
