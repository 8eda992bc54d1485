use proptest::prelude::*;

use super::*;
use crate::base::{MAX_USERS, RunTime};

fn us(micros: u64) -> RunTime {
    RunTime::from_micros(micros)
}

fn step(at_us: u64, users: u64, over_us: u64) -> ProfileStep {
    ProfileStep {
        at: us(at_us),
        users,
        over_us,
    }
}

/// The turns of all slots, one by one as the definition of a step says it.
fn naive_turns(profile: &LoadProfile) -> Vec<UserTurn> {
    let mut turns = Vec::new();
    let mut users = 0_u64;
    for (number, step) in profile.steps.iter().enumerate() {
        let next = profile
            .steps
            .get(number + 1)
            .map_or(u64::MAX, |s| s.at.as_micros());
        let until = next.min(profile.ends_at.as_micros());
        let before = users;
        let many = before.abs_diff(step.users);
        for nth in 0..many {
            let at_us = step.at.as_micros() + nth * step.over_us / many;
            if at_us >= until {
                break;
            }
            let starts = step.users > before;
            let index = if starts {
                before + nth
            } else {
                before - 1 - nth
            };
            users = if starts { users + 1 } else { users - 1 };
            turns.push(UserTurn {
                at: us(at_us),
                index,
                starts,
            });
        }
    }
    turns
}

fn users_after(turns: &[UserTurn], at_us: u64) -> u64 {
    turns
        .iter()
        .filter(|turn| turn.at.as_micros() <= at_us)
        .fold(
            0,
            |users, turn| {
                if turn.starts { users + 1 } else { users - 1 }
            },
        )
}

fn any_profile() -> impl Strategy<Value = LoadProfile> {
    let steps = prop::collection::vec((0u64..60, 0u64..40, 0u64..90), 0..7);
    (steps, 1u64..100).prop_map(|(mut steps, ends)| {
        steps.sort_by_key(|step| step.0);
        LoadProfile {
            steps: steps
                .into_iter()
                .map(|(at, users, over)| step(at, users, over))
                .collect(),
            rates: Vec::new(),
            ends_at: us(ends),
            ..LoadProfile::default()
        }
    })
}

proptest! {
    #[test]
    fn users_follow_the_definition(profile in any_profile()) {
        let turns = naive_turns(&profile);
        let plan = profile.user_plan();
        let mut most = 0;
        for at_us in 0..110 {
            let expected = if at_us < profile.ends_at.as_micros() { users_after(&turns, at_us) } else { 0 };
            prop_assert_eq!(plan.users_at(us(at_us)), expected, "at {}", at_us);
            most = most.max(expected);
        }
        prop_assert_eq!(profile.most_users(), most);
    }

    /// The turns of all workers together are those of the definition, each worker's of its own slots.
    #[test]
    fn workers_share_the_turns(profile in any_profile(), workers in 1u32..6) {
        let plan = profile.user_plan();
        let mut all = Vec::new();
        for worker in 0..workers {
            let own: Vec<_> = plan.changes_of(worker, workers, us(0)).collect();
            prop_assert!(own.iter().all(|turn| turn.index % u64::from(workers) == u64::from(worker)));
            prop_assert!(own.is_sorted_by_key(|turn| turn.at.as_micros()));
            all.extend(own);
        }
        let mut expected = naive_turns(&profile);
        all.sort();
        expected.sort();
        prop_assert_eq!(all, expected);
    }

    /// However late a worker is and whatever it has, it ends with what the profile asks of it.
    #[test]
    fn a_worker_that_is_late_catches_up(
        profile in any_profile(), workers in 1u32..4, worker in 0u32..4, active in 0u64..20, after_us in 0u64..100,
    ) {
        let plan = profile.user_plan();
        prop_assume!(worker < workers && after_us < profile.ends_at.as_micros());
        let mut now = active;
        while let Some(turn) = plan.next_change_of(worker, workers, now, us(after_us)) {
            if turn.at.as_micros() > after_us {
                break;
            }
            let expected = if turn.starts { now } else { now - 1 };
            prop_assert_eq!(turn.index, expected * u64::from(workers) + u64::from(worker));
            now = if turn.starts { now + 1 } else { now - 1 };
        }
        prop_assert_eq!(now, own_users(plan.users_at(us(after_us)), worker, workers));
    }

    #[test]
    fn turns_can_be_asked_for_from_any_time(profile in any_profile(), workers in 1u32..4, from_us in 0u64..100) {
        let plan = profile.user_plan();
        for worker in 0..workers {
            let all: Vec<_> = plan.changes_of(worker, workers, us(0)).filter(|turn| turn.at.as_micros() >= from_us).collect();
            let later: Vec<_> = plan.changes_of(worker, workers, us(from_us)).collect();
            // Two turns of one slot at the same time, up and down again, cannot be.
            prop_assert_eq!(later, all);
        }
    }

    /// A plain test starts its users as `user k of U at k * R / U` says, whatever the number of workers.
    #[test]
    fn a_plain_ramp_is_the_line(users in 1u64..400, ramp_up_us in 0u64..100_000_000, workers in 1u32..9) {
        let profile = LoadProfile {
            steps: vec![step(0, users, ramp_up_us)],
            rates: Vec::new(),
            ends_at: us(ramp_up_us + 1),
 ..LoadProfile::default()
};
        let plan = profile.user_plan();
        let mut turns: Vec<_> = (0..workers).flat_map(|worker| plan.changes_of(worker, workers, us(0))).collect();
        turns.sort_by_key(|turn| turn.index);
        prop_assert_eq!(turns.len() as u64, users);
        for (index, turn) in (0..).zip(turns) {
            let at_us = index * ramp_up_us / users;
            prop_assert_eq!(turn, UserTurn { at: us(at_us), index, starts: true });
        }
    }

    /// A change leaves everything before it as it was and rules from then on.
    #[test]
    fn a_change_takes_over(profile in any_profile(), at_us in 0u64..100, users in 0u64..40, over_us in 0u64..50) {
        let changed = profile.with_change(us(at_us), users, over_us).unwrap();
        for before in 0..at_us {
            prop_assert_eq!(changed.users_at(us(before)), profile.users_at(us(before)));
        }
        if at_us + over_us < profile.ends_at.as_micros() {
            prop_assert_eq!(changed.users_at(us(at_us + over_us)), users);
            prop_assert_eq!(changed.users_at(us(profile.ends_at.as_micros() - 1)), users);
        }
    }

    /// Nothing panics, whatever the profile, also one that a check refuses.
    #[test]
    fn nonsense_never_panics(
        steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..6),
        rates in prop::collection::vec((any::<u64>(), any::<f64>(), any::<u64>()), 0..6),
        ends_at_us in any::<u64>(), at_us in any::<u64>(), worker in any::<u32>(), workers in any::<u32>(),
    ) {
        let profile = LoadProfile {
            steps: steps.into_iter().map(|(at, users, over)| step(at, users, over)).collect(),
            rates: rates.into_iter().map(|(at_us, per_second, over_us)| RateStep { at: us(at_us), per_second, over_us }).collect(),
            ends_at: us(ends_at_us),
 ..LoadProfile::default()
};
        let _ = profile.check();
        let plan = profile.user_plan();
        let _ = (plan.users_at(us(at_us)), plan.most_users(), profile.rate_at(us(at_us)));
        let _ = plan.next_change_of(worker, workers, at_us, us(at_us));
        let _ = plan.changes_of(worker, workers, us(at_us)).take(10).count();
    }
}

#[test]
fn two_steps_at_one_time_are_the_later_one() {
    let profile = LoadProfile {
        steps: vec![step(0, 10, 0), step(5, 50, 0), step(5, 4, 6)],
        rates: Vec::new(),
        ends_at: us(20),
        ..LoadProfile::default()
    };
    assert_eq!(profile.users_at(us(4)), 10);
    assert_eq!(profile.users_at(us(5)), 9);
    assert_eq!(profile.users_at(us(19)), 4);
    assert_eq!(profile.users_at(us(20)), 0);
}

#[test]
fn each_mistake_has_its_sentence() {
    let good = LoadProfile {
        steps: vec![step(0, 5, 0)],
        rates: vec![RateStep::default()],
        ends_at: us(1),
        ..LoadProfile::default()
    };
    assert_eq!(good.check(), Ok(()));
    type Change = fn(&mut LoadProfile);
    let cases: [(Change, &str); 8] = [
        (|p| p.steps[0].users = MAX_USERS + 1, "the maximum is"),
        (|p| p.steps[0].users = 0, "never asks for a user"),
        (|p| p.steps[0].at = us(1), "never asks for a user"),
        (|p| p.steps.insert(0, step(9, 1, 0)), "order"),
        (|p| p.ends_at = us(0), "ends after 0 s"),
        (|p| p.ends_at = us(u64::MAX), "30 days"),
        (
            |p| p.rates[0].per_second = f64::NAN,
            "the rate must be from 0",
        ),
        (
            |p| p.steps = vec![step(0, 1, 0); MAX_PROFILE_STEPS + 1],
            "10001 steps",
        ),
    ];
    for (change, words) in cases {
        let mut profile = good.clone();
        change(&mut profile);
        let message = profile.check().unwrap_err().to_string();
        assert!(message.contains(words), "{message:?}: {words:?}");
    }
    assert!(good.with_change(us(1), MAX_USERS + 1, 0).is_err());
    let full = LoadProfile {
        steps: vec![step(0, 1, 0); MAX_PROFILE_STEPS],
        ..good
    };
    assert!(full.with_change(us(1), 1, 0).is_err());
    assert_eq!(full.with_change(us(0), 1, 0).unwrap().steps.len(), 1);
}

/// The rate as the definition says it, found by walking the steps.
fn naive_rate(profile: &LoadProfile, at_us: u64) -> f64 {
    let at = |from: f64, step: &RateStep, at_us: u64| {
        let passed = at_us - step.at.as_micros();
        if passed >= step.over_us {
            step.per_second
        } else {
            from + (step.per_second - from) * passed as f64 / step.over_us as f64
        }
    };
    let mut from = 0.0;
    for (number, step) in profile.rates.iter().enumerate() {
        let next = profile
            .rates
            .get(number + 1)
            .map(|next| next.at.as_micros());
        if step.at.as_micros() > at_us {
            return 0.0;
        }
        match next {
            Some(next) if next <= at_us => from = at(from, step, next),
            _ => return at(from, step, at_us),
        }
    }
    0.0
}

fn any_rates() -> impl Strategy<Value = LoadProfile> {
    let rates = prop::collection::vec((0u64..2_000, 0u32..200, 0u64..2_000), 1..5);
    (rates, 100u64..4_000).prop_map(|(mut rates, ends)| {
        rates.sort_by_key(|rate| rate.0);
        LoadProfile {
            steps: Vec::new(),
            rates: rates
                .into_iter()
                .map(|(at, rate, over)| RateStep {
                    at: us(at * 1_000),
                    per_second: f64::from(rate),
                    over_us: over * 1_000,
                })
                .collect(),
            ends_at: us(ends * 1_000),
            ..LoadProfile::default()
        }
    })
}

proptest! {
    /// The trapezoid rule is exact between the corners, which lie at whole milliseconds here.
    #[test]
    fn iterations_are_due_when_the_integral_says_so(profile in any_rates()) {
        let mut due = profile.arrival_times(0, 1, us(0)).peekable();
        let (mut integral, mut passed) = (0.0, 0.0_f64);
        for ms in 0..profile.ends_at.as_micros() / 1_000 {
            let (from, until) = (ms * 1_000, (ms + 1) * 1_000);
            let rate = naive_rate(&profile, from);
            prop_assert!((profile.rate_at(us(from)) - rate).abs() < 1e-6, "{} at {} ms", rate, ms);
            // Just before the end of this millisecond: a jump belongs to the next.
            let last = naive_rate(&profile, until - 1);
            let slope = (last - rate) / 999.0;
            integral += (rate + (rate + slope * 1_000.0)) / 2.0 / 1e3;
            while due.next_if(|arrival| arrival.at.as_micros() < until).is_some() {
                passed += 1.0;
            }
            prop_assert!(
                (passed - integral).abs() <= 1.0 + 1e-3,
                "{} due by {} ms where the integral is {}", passed, ms + 1, integral
            );
        }
        // An arrival at the very end may be rounded to either side.
        let end = profile.ends_at.as_micros();
        prop_assert!(due.next().is_none_or(|arrival| arrival.at.as_micros() == end));
        prop_assert_eq!(due.next(), None, "nothing after the end");
    }

    #[test]
    fn what_is_due_before_a_time_is_counted(profile in any_rates(), at_ms in 0u64..5_000) {
        let at = us(at_ms * 1_000);
        let due = profile.arrival_times(0, 1, us(0)).take_while(|arrival| arrival.at < at);
        // An arrival at that very time may be rounded to either side.
        prop_assert!(profile.arrivals_before(at).abs_diff(due.count() as u64) <= 1);
    }

    #[test]
    fn workers_share_the_arrivals(profile in any_rates(), workers in 1u32..5, from_ms in 0u64..4_000) {
        let whole: Vec<_> = profile.arrival_times(0, 1, us(0)).collect();
        prop_assert!(whole.iter().enumerate().all(|(j, arrival)| arrival.index == j as u64));
        prop_assert!(whole.is_sorted_by_key(|arrival| arrival.at.as_micros()));
        let from_us = from_ms * 1_000;
        let mut parts: Vec<_> = (0..workers).flat_map(|w| profile.arrival_times(w, workers, us(from_us))).collect();
        parts.sort_by_key(|arrival| arrival.index);
        let later: Vec<_> = whole.into_iter().filter(|arrival| arrival.at.as_micros() >= from_us).collect();
        prop_assert_eq!(parts, later);
    }
}

#[test]
fn a_constant_rate_is_due_at_even_times_from_zero() {
    let profile = LoadProfile {
        steps: vec![],
        rates: vec![RateStep {
            at: us(0),
            per_second: 4.0,
            over_us: 0,
        }],
        ends_at: us(1_000_000),
        ..LoadProfile::default()
    };
    let due: Vec<_> = profile
        .arrival_times(0, 1, us(0))
        .map(|a| a.at.as_micros())
        .collect();
    assert_eq!(due, [0, 250_000, 500_000, 750_000]);
    assert_eq!(profile.arrival_times(3, 3, us(0)).next(), None);
    assert_eq!(profile.arrival_times(0, 0, us(0)).next(), None);
}

#[test]
fn a_rate_that_begins_later_is_first_due_then() {
    let rate = |at_us, per_second| RateStep {
        at: us(at_us),
        per_second,
        over_us: 0,
    };
    let profile = LoadProfile {
        steps: vec![],
        rates: vec![rate(0, 0.0), rate(500_000, 2.0), rate(1_500_000, 0.0)],
        ends_at: us(9_000_000),
        ..LoadProfile::default()
    };
    let due: Vec<_> = profile
        .arrival_times(0, 1, us(0))
        .map(|a| a.at.as_micros())
        .collect();
    assert_eq!(due, [500_000, 1_000_000]);
}
