//! When tasks begin, and how often each is picked: one run of each system for all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::apps::BehavioursApp;
use super::pair::{Both, Outcome, Pair};
use super::statistics::assert_share;

/// The user classes of `timing.py`: one user each.
const USER_CLASSES: u64 = 9;
const SECONDS: u64 = 7;
/// How many picks `Mix` and `Walk` make.
const PICKS: u64 = 1_500;

async fn both() -> &'static Both {
    static BOTH: OnceCell<Both> = OnceCell::const_new();
    BOTH.get_or_init(async || {
        let mut pair = Pair::here(&["timing"], "timing", USER_CLASSES, SECONDS);
        pair.is_timed = true;
        pair.run(BehavioursApp::default).await
    })
    .await
}

/// When the requests of a class came.
fn times(outcome: &Outcome, class: &str) -> Vec<Duration> {
    let prefix = format!("/{class}/");
    let own = outcome
        .seen
        .iter()
        .filter(|seen| seen.target.starts_with(&prefix));
    own.map(|seen| seen.at).collect()
}

/// What a class asked for, in order.
fn walk<'o>(outcome: &'o Outcome, class: &str) -> Vec<&'o str> {
    let prefix = format!("/{class}/");
    let targets = outcome.seen.iter().map(|seen| seen.target.as_str());
    targets
        .filter_map(|target| target.strip_prefix(prefix.as_str()))
        .collect()
}

/// The seconds from one start to the next: of `Constant` a little more, as its wait begins at the task's end.
const PACES: [(&str, f64); 4] = [
    ("Paced", 0.5),
    ("Throughput", 0.25),
    ("PacedSet", 0.4),
    ("Constant", 0.3),
];
/// A request may be seen this much later than the one after it: the machine is shared.
const NOISE: f64 = 0.05;

#[tokio::test]
async fn paced_tasks_begin_alike() {
    let both = both().await;
    for outcome in both.each() {
        for (class, pace) in PACES {
            let times = times(outcome, class);
            let what = format!("{} {class}: {times:?}", outcome.system);
            let gaps = times.len() - 1;
            // Never faster than the pace; a slow machine may make it slower, but not half as fast.
            let whole = (times[gaps] - times[0]).as_secs_f64();
            assert!(whole >= gaps as f64 * pace - NOISE, "{what}");
            // Users start within the first second and have the run's time but for that.
            let least = (SECONDS - 1) as f64 / pace / 2.0;
            assert!(gaps as f64 >= least, "{what}");
            let mut sorted: Vec<_> = times
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).as_secs_f64())
                .collect();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[gaps / 2];
            assert!(median >= pace - NOISE && median < pace * 1.5, "{what}");
        }
    }
}

/// On purpose: Locust lets the schedule slip by what a task overran; Greylag keeps it, and begins what is due immediately until
/// it has caught up, so that it is known how late each task was.
#[tokio::test]
async fn a_late_user_catches_up() {
    let both = both().await;
    let gap = |outcome: &Outcome| {
        let times = times(outcome, "Overrun");
        // The third stalls, the fourth begins when it is over; the fifth was due meanwhile, too.
        (times[4] - times[3]).as_secs_f64()
    };
    assert!(gap(&both.locust) >= 0.5 - NOISE, "{}", gap(&both.locust));
    assert!(gap(&both.greylag) < 0.25, "{}", gap(&both.greylag));
}

#[tokio::test]
async fn drawn_waits_are_within_their_bounds() {
    let both = both().await;
    for outcome in both.each() {
        let times = times(outcome, "Between");
        let what = format!("{} {times:?}", outcome.system);
        let gaps: Vec<_> = times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect();
        let shortest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        assert!(shortest >= 0.1 - NOISE, "{what}");
        // Twenty uniform draws lie all in one half with a probability of 2 in a million.
        assert!(
            gaps.len() >= 12 && longest >= 0.25 && shortest < 0.25,
            "{what}"
        );
    }
}

#[tokio::test]
async fn tasks_are_picked_by_weight() {
    let both = both().await;
    for outcome in both.each() {
        let mut counts = BTreeMap::<_, u64>::new();
        for what in walk(outcome, "Mix") {
            *counts.entry(what).or_default() += 1;
        }
        assert_eq!(counts.values().sum::<u64>(), PICKS, "{}", outcome.system);
        for (task, weight) in [("one", 1.0), ("two", 2.0), ("seven", 7.0)] {
            let what = format!("{}: {task}", outcome.system);
            assert_share(&what, counts[task], PICKS, weight / 10.0, 6);
        }
    }
}

#[tokio::test]
async fn a_markov_set_walks_by_its_transitions() {
    let both = both().await;
    for outcome in both.each() {
        let walk = walk(outcome, "Walk");
        assert_eq!(walk.len() as u64, PICKS, "{}", outcome.system);
        assert_eq!(walk[0], "door", "{}", outcome.system);
        let mut steps = BTreeMap::<_, u64>::new();
        for pair in walk.windows(2) {
            *steps.entry((pair[0], pair[1])).or_default() += 1;
        }
        let from = |room: &str| -> u64 {
            let own = steps.iter().filter(|((from, _), _)| *from == room);
            own.map(|(_, count)| count).sum()
        };
        let count = |from, to| steps.get(&(from, to)).copied().unwrap_or_default();
        let what = outcome.system;
        assert_share(what, count("door", "shelf"), from("door"), 3.0 / 4.0, 4);
        assert_share(what, count("shelf", "till"), from("shelf"), 2.0 / 3.0, 4);
        assert_eq!(count("till", "door"), from("till"), "{what}");
        assert_eq!(count("door", "door") + count("shelf", "shelf"), 0, "{what}");
    }
}

#[tokio::test]
async fn the_end_of_a_run_leaves_task_sets_inside_out() {
    let both = both().await;
    for outcome in both.each() {
        let walk = walk(outcome, "Interrupted");
        let stops: Vec<_> = walk.iter().skip_while(|what| **what == "beat").collect();
        let expected = ["inner-stops", "outer-stops", "user-stops"];
        assert!(
            stops.iter().copied().eq(&expected),
            "{}: {walk:?}",
            outcome.system
        );
    }
}
