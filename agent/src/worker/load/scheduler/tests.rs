//! The scheduler against a naive model, in paused time.

use std::sync::Mutex;

use greylag_infra::{ProfileStep, RateStep, RunTime};
use greylag_scenarios::RequestSample;
use proptest::prelude::*;

use super::*;

/// Orders as they came, each at its run time in ms: index, and whether it starts.
type Orders = Vec<(u128, u64, bool)>;

fn weights() -> Vec<UserTypeWeight> {
    vec![
        UserTypeWeight::weighted("A", 3.0),
        UserTypeWeight::weighted("B", 1.0),
    ]
}

fn profile(steps: &[(u64, u64, u64)], ends_ms: u64) -> LoadProfile {
    LoadProfile {
        steps: steps
            .iter()
            .map(|(at_ms, users, over_ms)| ProfileStep {
                at: Duration::from_millis(*at_ms).into(),
                users: *users,
                over_us: over_ms * 1_000,
            })
            .collect(),
        ends_at: Duration::from_millis(ends_ms).into(),
        ..LoadProfile::default()
    }
}

/// A worker's scheduler in paused time, with an engine that only writes down.
struct Watched {
    run_zero: Instant,
    profile: watch::Sender<LoadProfile>,
    ordered: mpsc::Receiver<UserOrder>,
    spawned: mpsc::UnboundedReceiver<u64>,
}

impl Watched {
    fn start(first: LoadProfile, worker: u32, workers: u32) -> Self {
        let run_zero = Instant::now() + Duration::from_millis(500);
        let (profile, followed) = watch::channel(first);
        let (orders, ordered) = mpsc::channel(ORDER_QUEUE);
        let (tell, spawned) = mpsc::unbounded_channel();
        let scheduler = Scheduler {
            run_zero,
            worker,
            workers,
            profile: followed,
        };
        tokio::spawn(async move { scheduler.schedule_users(&weights(), orders, tell).await });
        Self {
            run_zero,
            profile,
            ordered,
            spawned,
        }
    }

    /// What is ordered until this run time.
    async fn until(&mut self, ms: u64) -> Orders {
        let until = self.run_zero + Duration::from_millis(ms);
        let mut orders = Vec::new();
        while let Ok(order) = tokio::time::timeout_at(until, self.ordered.recv()).await {
            let at = Instant::now() - self.run_zero;
            orders.push(match order.expect("the scheduler is running") {
                UserOrder::Start(planned) => (at.as_millis(), planned.index, true),
                UserOrder::Stop { index } => (at.as_millis(), index, false),
            });
        }
        orders
    }

    fn spawned(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.spawned.try_recv().ok()).collect()
    }
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn steps() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    prop::collection::vec((0u64..8_000, 0u64..40, 0u64..4_000), 1..5).prop_map(|mut steps| {
        steps.sort_unstable();
        steps.dedup_by_key(|step| step.0);
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// At any time the users of all workers together are the first n slots, n being what the profile says,
    /// also when the profile changes on the way.
    #[test]
    fn workers_together_follow_the_profile(
        first in steps(),
        change in prop::option::of((0u64..8_000, 1u64..40, 0u64..3_000)),
        workers in 1u32..4,
    ) {
        const END_MS: u64 = 10_000;
        let first = profile(&first, END_MS);
        let later = change.map(|(at_ms, users, over_ms)| {
            (at_ms, first.with_change(Duration::from_millis(at_ms).into(), users, over_ms * 1_000).unwrap())
        });
        let mut all: Orders = Vec::new();
        for worker in 0..workers {
            let orders = paused().block_on(async {
                let mut watched = Watched::start(first.clone(), worker, workers);
                let mut orders = Vec::new();
                if let Some((at_ms, changed)) = &later {
                    // A change is known a moment before it is due.
                    orders = watched.until(at_ms.saturating_sub(100)).await;
                    watched.profile.send_replace(changed.clone());
                }
                orders.extend(watched.until(END_MS - 1).await);
                orders
            });
            prop_assert!(orders.iter().all(|(_, index, _)| index % u64::from(workers) == u64::from(worker)));
            all.extend(orders);
        }
        let plan = later.as_ref().map_or(&first, |(_, changed)| changed).user_plan();
        for at_ms in (0..END_MS).step_by(50) {
            let mut active = std::collections::BTreeSet::new();
            let mut ordered: Vec<_> = all.iter().filter(|(ms, ..)| *ms <= u128::from(at_ms)).collect();
            ordered.sort_by_key(|(ms, ..)| *ms);
            for (_, index, starts) in ordered {
                if *starts { active.insert(*index) } else { active.remove(index) };
            }
            // The timer wakes within 1 ms after the time, and orders carry whole ms.
            let expected = [at_ms.saturating_sub(2), at_ms].map(|ms| plan.users_at(Duration::from_millis(ms).into()));
            let count = active.len() as u64;
            let bounds = expected.iter().min().unwrap().saturating_sub(u64::from(workers))
                ..=expected.iter().max().unwrap() + u64::from(workers);
            prop_assert!(bounds.contains(&count), "{count} of {expected:?} at {at_ms} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn users_start_at_their_times_and_stop_last_in_first_out() {
    let mut watched = Watched::start(profile(&[(0, 4, 400), (1_000, 1, 300)], 5_000), 0, 1);
    assert_eq!(
        watched.until(900).await,
        [(0, 0, true), (100, 1, true), (200, 2, true), (300, 3, true)]
    );
    assert_eq!(watched.spawned(), [4]);
    assert_eq!(
        watched.until(4_000).await,
        [(1_000, 3, false), (1_100, 2, false), (1_200, 1, false)]
    );
    assert_eq!(watched.spawned(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_profile_is_followed_at_once() {
    let first = profile(&[(0, 2, 0)], 60_000);
    let mut watched = Watched::start(first.clone(), 1, 2);
    assert_eq!(watched.until(1_000).await, [(0, 1, true)]);
    // Known late: what was due meanwhile is due now.
    let changed = first
        .with_change(RunTime::from_micros(500_000), 6, 0)
        .unwrap();
    watched.profile.send_replace(changed);
    assert_eq!(
        watched.until(2_000).await,
        [(1_000, 3, true), (1_000, 5, true)]
    );
    assert_eq!(watched.spawned(), [2, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_within_a_ramp_never_has_its_users() {
    let planned = profile(&[(0, 10, 10_000)], 20_000);
    let mut watched = Watched::start(planned.clone(), 0, 1);
    watched.until(3_000).await;
    let finished = planned.finished_at(Duration::from_millis(4_000).into(), "sold out".to_owned());
    watched.profile.send_replace(finished);
    watched.until(12_000).await;
    assert!(watched.spawned().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_jump_is_not_held_up_and_waits_for_the_engine() {
    let users = 4 * ORDER_QUEUE as u64;
    let mut watched = Watched::start(profile(&[(100, users, 0)], 60_000), 0, 1);
    let orders = watched.until(200).await;
    assert_eq!(orders.len() as u64, users);
    assert!(orders.iter().all(|(ms, ..)| *ms == 100));
}

#[tokio::test(start_paused = true)]
async fn slots_without_a_class_stay_empty() {
    let fixed = UserTypeWeight {
        fixed_count: 2,
        ..UserTypeWeight::weighted("F", 1.0)
    };
    let (_profile, followed) = watch::channel(profile(&[(0, 5, 0), (50, 0, 0)], 1_000));
    let (orders, mut ordered) = mpsc::channel(16);
    let (spawned, _) = mpsc::unbounded_channel();
    let scheduler = Scheduler {
        run_zero: Instant::now(),
        worker: 0,
        workers: 1,
        profile: followed,
    };
    let until = Instant::now() + Duration::from_millis(100);
    let weights = [fixed];
    let kept = scheduler.schedule_users(&weights, orders, spawned);
    assert!(tokio::time::timeout_at(until, kept).await.is_err());
    let mut starts = 0;
    while let Ok(order) = ordered.try_recv() {
        starts += usize::from(matches!(order, UserOrder::Start(_)));
    }
    assert_eq!(starts, 2);
}

/// Counts what was skipped.
#[derive(Default)]
struct Skipped(Mutex<u64>);

impl Recorder for Skipped {
    fn request(&self, _: &RequestSample<'_>) {}
    fn user_started(&self) {}
    fn user_stopped(&self) {}
    fn task_error(&self, _: &str, _: &str) {}
    fn arrival(&self, arrival: Arrival) {
        *self.0.lock().unwrap() += u64::from(arrival == Arrival::Skipped);
    }
}

fn rate(per_second: f64, ends_ms: u64) -> LoadProfile {
    LoadProfile {
        rates: vec![RateStep {
            at: RunTime::ZERO,
            per_second,
            over_us: 0,
        }],
        ..profile(&[(0, 1, 0)], ends_ms)
    }
}

#[tokio::test(start_paused = true)]
async fn iterations_are_handed_over_when_they_are_due() {
    let run_zero = Instant::now() + Duration::from_millis(500);
    let first = rate(20.0, 2_000);
    let (profile, followed) = watch::channel(first.clone());
    let (arrivals, mut arriving) = mpsc::channel(ARRIVAL_QUEUE);
    let recorder = Arc::new(Skipped::default());
    let scheduler = Scheduler {
        run_zero,
        worker: 1,
        workers: 2,
        profile: followed,
    };
    tokio::spawn(scheduler.schedule_arrivals(arrivals, Arc::clone(&recorder) as _));
    let mut intended = Vec::new();
    let until = run_zero + Duration::from_secs(3);
    while let Ok(Some(at)) = tokio::time::timeout_at(until, arriving.recv()).await {
        assert!(at <= Instant::now() && at.elapsed() <= Duration::from_millis(2));
        intended.push((at - run_zero).as_millis());
        if intended.len() == 5 {
            // A change of the users moves no iteration.
            profile.send_replace(
                first
                    .with_change(RunTime::from_micros(600_000), 3, 0)
                    .unwrap(),
            );
        }
    }
    // Every other of 20 a second, for two seconds.
    let expected: Vec<u128> = (0..20).map(|number| 50 + number * 100).collect();
    assert_eq!(intended, expected);
    assert_eq!(*recorder.0.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_has_no_room_for_is_skipped() {
    let (_profile, followed) = watch::channel(rate(100.0, 1_000));
    let (arrivals, mut arriving) = mpsc::channel(10);
    let recorder = Arc::new(Skipped::default());
    let scheduler = Scheduler {
        run_zero: Instant::now(),
        worker: 0,
        workers: 1,
        profile: followed,
    };
    tokio::spawn(scheduler.schedule_arrivals(arrivals, Arc::clone(&recorder) as _));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut taken = 0;
    while arriving.try_recv().is_ok() {
        taken += 1;
    }
    assert_eq!((taken, *recorder.0.lock().unwrap()), (10, 90));
}
