//! When tasks begin, and how often each is picked: one run of each system for all of it.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::apps::BehavioursApp;
use super::pair::{Both, Outcome, Pair};
use super::statistics::assert_share;

/// The user classes of `timing.py`: one user each.
const USER_CLASSES: u64 = 9;
const SECONDS: u64 = 10;
/// The most picks that `Mix` and `Walk` make, and the fewest from which shares can be judged: a busy machine may not make all.
const PICKS: RangeInclusive<u64> = 300..=1_500;

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

/// Two measures of the seconds from one request to the next, of which noise disturbs one at most. The median of the slopes through
/// every two of them (Theil and Sen) hardly changes when a fifth of the requests is seen late; both systems may be slow in sending
/// the first one. The median of the gaps does not when the system stands still for seconds, after which Locust is late for good.
fn paces(times: &[Duration]) -> [f64; 2] {
    let gaps = gaps(times);
    let times: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
    let slopes = times.iter().enumerate().flat_map(|(first, from)| {
        let later = times.iter().enumerate().skip(first + 1);
        later.map(move |(second, to)| (to - from) / (second - first) as f64)
    });
    [median(slopes.collect()), median(gaps)]
}

/// The seconds between neighbours.
fn gaps(times: &[Duration]) -> Vec<f64> {
    let pairs = times.windows(2);
    pairs
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect()
}

/// Whether a pace is the expected one: not faster; a slow machine may make it slower, but not half as fast.
fn is_paced(times: &[Duration], expected: f64) -> bool {
    let near = expected * 0.9..expected * 1.5;
    let gaps = gaps(times);
    // Noise leaves many gaps as they are; bursts and random waits with the same mean have few of this length.
    let as_expected = gaps.iter().filter(|gap| near.contains(*gap)).count();
    paces(times).iter().any(|pace| near.contains(pace)) && as_expected * 3 >= gaps.len()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn a_pace_is_seen_through_late_requests_and_standstills() {
    let on_time = |turns: u32| (0..turns).map(|turn| turn * Duration::from_millis(500));
    let mut late: Vec<_> = on_time(13).collect();
    for turn in [0, 4, 5] {
        late[turn] += Duration::from_millis(300);
    }
    let stall = Duration::from_secs(3)..Duration::from_secs(6);
    let catches_up: Vec<_> = on_time(20)
        .map(|at| if stall.contains(&at) { stall.end } else { at })
        .collect();
    let slips: Vec<_> = on_time(14)
        .map(|at| {
            if at < stall.start {
                at
            } else {
                at + (stall.end - stall.start)
            }
        })
        .collect();
    for times in [&late, &catches_up, &slips] {
        assert!(is_paced(times, 0.5), "{:?}", paces(times));
    }
    assert!(!is_paced(&late, 0.3) && !is_paced(&late, 0.6));
    let bursts: Vec<_> = (0..20_u32)
        .map(|turn| turn / 2 * Duration::from_secs(1))
        .collect();
    assert!(!is_paced(&bursts, 0.5), "{:?}", paces(&bursts));
}

#[tokio::test]
async fn paced_tasks_begin_alike() {
    let both = both().await;
    for outcome in both.each() {
        for (class, expected) in PACES {
            let times = times(outcome, class);
            let what = format!("{} {class}: {times:?}", outcome.system);
            // A quarter of what an idle machine sends, as this one may stand still for seconds.
            let fewest = SECONDS as f64 / expected / 4.0;
            assert!(times.len() as f64 >= fewest, "{what}");
            assert!(is_paced(&times, expected), "{:?} {what}", paces(&times));
        }
    }
}

/// On purpose: Locust lets the schedule slip by what a task overran; Greylag keeps it, and begins what is due immediately until
/// it has caught up, so that it is known how late each task was.
#[tokio::test]
async fn a_late_user_catches_up() {
    let both = both().await;
    // By how much the schedule slipped over the third task, which stalls for 1.2 s where 0.5 are its own.
    let slip = |outcome: &Outcome| {
        let times = times(outcome, "Overrun");
        assert!(times.len() > 6, "{}: {times:?}", outcome.system);
        let late = |turn: usize| times[turn].as_secs_f64() - turn as f64 * 0.5;
        // Noise makes requests late, never early, so the least late ones have the schedule.
        let schedule = |turns: Range<usize>| turns.map(late).fold(f64::INFINITY, f64::min);
        // The fourth begins when the stall is over; those that were due meanwhile follow it.
        schedule(6..times.len()) - schedule(0..3)
    };
    let (locust, greylag) = (slip(&both.locust), slip(&both.greylag));
    assert!(locust >= 0.5, "{locust}");
    assert!(greylag < 0.35, "{greylag}");
}

#[tokio::test]
async fn drawn_waits_are_within_their_bounds() {
    let both = both().await;
    for outcome in both.each() {
        let times = times(outcome, "Between");
        let what = format!("{} {times:?}", outcome.system);
        let mut gaps = gaps(&times);
        assert!(gaps.len() >= 12, "{what}");
        gaps.sort_by(f64::total_cmp);
        let (shortest, longest) = (gaps[0], gaps[gaps.len() - 1]);
        // However slow the machine is: the wait begins after the answer, which was made after the request was seen. But
        // gevent counts a wait from where its loop last looked at the clock, which may be a while ago.
        let early = if outcome.system == "Locust" {
            0.05
        } else {
            0.001
        };
        assert!(shortest >= 0.1 - early, "{what}");
        // Twelve uniform draws, a third of those of an idle machine, lie all in the lower or all in the upper third of the range
        // with a probability of 4 in a million, and the middle half of them lies within 10 ms with one of 1 in a million. So does
        // the middle half of a wait that is the same each time, unless a quarter of its ends are late.
        assert!(shortest < 0.3 && longest >= 0.2, "{what}");
        let middle = gaps[gaps.len() * 3 / 4] - gaps[gaps.len() / 4];
        assert!(middle >= 0.01, "{what}");
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
        // What is picked does not depend on the time it takes, so any number of picks tells the shares.
        let picks = counts.values().sum::<u64>();
        assert!(PICKS.contains(&picks), "{}: {picks}", outcome.system);
        for (task, weight) in [("one", 1.0), ("two", 2.0), ("seven", 7.0)] {
            let what = format!("{}: {task}", outcome.system);
            assert_share(&what, counts[task], picks, weight / 10.0, 6);
        }
    }
}

#[tokio::test]
async fn a_markov_set_walks_by_its_transitions() {
    let both = both().await;
    for outcome in both.each() {
        let walk = walk(outcome, "Walk");
        assert!(
            PICKS.contains(&(walk.len() as u64)),
            "{}: {}",
            outcome.system,
            walk.len()
        );
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
