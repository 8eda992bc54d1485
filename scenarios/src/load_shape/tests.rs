use proptest::prelude::*;

use super::*;
use crate::options::CustomOption;
use crate::run::RunSettings;
use crate::scenario::Scenario;
use crate::task::TaskError;

/// A function as a shape.
struct FnShape<F>(F);

impl<F: FnMut(&ShapeTime) -> Option<ShapeTick> + Send> LoadShape for FnShape<F> {
    fn tick(&mut self, now: &ShapeTime) -> Option<ShapeTick> {
        (self.0)(now)
    }
}

fn plan(
    tick: impl FnMut(&ShapeTime) -> Option<ShapeTick> + Send + Clone + Sync + 'static,
    ceiling_s: u64,
) -> Result<ShapePlan, ShapeError> {
    Scenario::new("shaped")
        .shape(move || FnShape(tick.clone()))
        .evaluate_shape(Duration::from_secs(ceiling_s), &RunSettings::default())
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn stages_of_a_locust_shape_become_changes() {
    // Locust's documentation: stages with users and spawn rate, None after the last.
    let stages = [(10, 10, 5.0), (20, 50, 10.0), (30, 0, 50.0)];
    let plan = plan(
        move |now| {
            stages
                .iter()
                .find(|(until, _, _)| now.run_time < seconds(*until))
                .map(|(_, users, rate)| ShapeTick::users(*users).spawn_rate(*rate))
        },
        3_600,
    )
    .unwrap();
    let change = |at, users, over| ShapeChange {
        at: seconds(at),
        users,
        over: seconds(over),
    };
    assert_eq!(
        plan.changes,
        [change(0, 10, 2), change(10, 50, 4), change(20, 0, 1)]
    );
    assert_eq!(plan.ended_at, Some(seconds(30)));
}

#[test]
fn only_another_answer_changes_something() {
    let plan = plan(
        |now| (now.run_time < seconds(60)).then(|| ShapeTick::users(5).within(seconds(3))),
        3_600,
    )
    .unwrap();
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].over, seconds(3));
    assert_eq!(plan.ended_at, Some(seconds(60)));
}

#[test]
fn a_shape_that_does_not_end_is_asked_up_to_the_ceiling() {
    let plan = plan(
        |now| Some(ShapeTick::users(now.run_time.as_secs() / 10 + 1)),
        35,
    )
    .unwrap();
    assert_eq!(plan.ended_at, None);
    assert_eq!(plan.changes.len(), 4);
    assert_eq!(plan.changes[3].at, seconds(30));
}

#[test]
fn a_shape_sees_the_users_planned_at_its_time() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&seen);
    plan(
        move |now| {
            keep.lock().unwrap().push(now.users);
            match now.run_time.as_secs() {
                // One user a second, and back at two a second from where it is.
                0..=3 => Some(ShapeTick::users(10).spawn_rate(1.0)),
                4..=6 => Some(ShapeTick::users(0).spawn_rate(2.0)),
                _ => None,
            }
        },
        60,
    )
    .unwrap();
    // The first joins immediately, and the first leaves immediately.
    assert_eq!(*seen.lock().unwrap(), [0, 2, 3, 4, 5, 2, 0, 0]);
}

#[test]
fn what_cannot_be_run_is_a_message_with_its_time() {
    let message = |result: Result<ShapePlan, ShapeError>| result.unwrap_err().to_string();
    let at_three = |tick: ShapeTick| {
        plan(
            move |now| {
                Some(if now.run_time < seconds(3) {
                    ShapeTick::users(1)
                } else {
                    tick
                })
            },
            60,
        )
    };
    for (rate, shown) in [
        (0.0, "0"),
        (-1.0, "-1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        assert_eq!(
            message(at_three(ShapeTick::users(9).spawn_rate(rate))),
            format!(
                "the load shape asked for a spawn rate of {shown} users per second at 3 s of run time: it must \
                 be above 0 and finite"
            )
        );
    }
    assert_eq!(
        message(at_three(ShapeTick::users(1_000_001))),
        "the load shape asked for 1000001 users at 3 s of run time: the maximum is 1000000"
    );
    let panicked = message(plan(
        |now| {
            assert!(now.run_time < seconds(2), "lost my table");
            Some(ShapeTick::users(1))
        },
        60,
    ));
    let start = concat!(
        "the load shape panicked at 2 s of run time: lost my table (",
        file!(),
        ":"
    );
    assert!(panicked.starts_with(start), "{panicked}");
    assert_eq!(
        message(plan(
            |now| Some(ShapeTick::users(now.run_time.as_secs())),
            20_000
        )),
        "the load shape asked for more than 10000 changes, the last at 10000 s of run time: let tick return the \
         same answer while nothing changes"
    );
    assert_eq!(
        message(plan(|_| None, 60)),
        "the load shape ended the test at 0 s of run time: tick must return users before it returns None"
    );
    let none = Scenario::new("plain").evaluate_shape(seconds(1), &RunSettings::default());
    assert_eq!(
        message(none),
        "scenario `plain` has no load shape: add one with .shape(…)"
    );
}

#[test]
fn a_shape_can_depend_on_options() {
    let scenario = Scenario::new("shaped")
        .option(CustomOption::integer("peak").default(7))
        .shape_with(|options| {
            let peak = options.integer("peak")?.unsigned_abs();
            if peak == 13 {
                return Err(TaskError::new("13 is not a peak"));
            }
            Ok(FnShape(move |now: &ShapeTime| {
                (now.run_time < seconds(2)).then(|| ShapeTick::users(peak))
            }))
        });
    let with = |peak: &str| {
        let settings = RunSettings {
            options: [("peak".to_owned(), peak.to_owned())].into(),
            ..RunSettings::default()
        };
        scenario.evaluate_shape(seconds(60), &settings)
    };
    assert_eq!(with("3").unwrap().changes[0].users, 3);
    assert_eq!(
        scenario
            .evaluate_shape(seconds(60), &RunSettings::default())
            .unwrap()
            .changes[0]
            .users,
        7
    );
    let place = concat!("(", file!(), ":");
    let refused = with("13").unwrap_err().to_string();
    let start = format!("the load shape cannot be made: 13 is not a peak {place}");
    assert!(refused.starts_with(&start), "{refused}");
    assert!(scenario.has_shape());
    let panicking = Scenario::new("x")
        .shape(|| -> FnShape<fn(&ShapeTime) -> Option<ShapeTick>> { panic!("no table") });
    let refused = panicking.evaluate_shape(seconds(1), &RunSettings::default());
    let refused = refused.unwrap_err().to_string();
    let start = format!("the load shape cannot be made: panicked: no table {place}");
    assert!(refused.starts_with(&start), "{refused}");
}

#[test]
fn a_ramp_too_slow_to_end_is_taken_for_the_longest() {
    let plan = plan(|_| Some(ShapeTick::users(1_000_000).spawn_rate(1e-300)), 1).unwrap();
    assert_eq!(plan.changes[0].over, LONGEST_RAMP);
}

proptest! {
    /// User k of a ramp from `from` to `to` is due at k / |to - from| of it, counted one by one.
    #[test]
    fn planned_users_follow_the_line(from in 0u64..300, to in 0u64..300, over_ms in 0u64..20_000, at_ms in 0u64..25_000) {
        let over = Duration::from_millis(over_ms);
        let at = Duration::from_millis(at_ms);
        let ramp = Ramp { from, change: ShapeChange { at: seconds(7), users: to, over } };
        let whole = from.abs_diff(to);
        let due = |k: u64| over.as_nanos() * u128::from(k) / u128::from(whole);
        let done = (0..whole).filter(|k| due(*k) <= at.as_nanos()).count() as u64;
        let expected = if to > from { from + done } else { from - done };
        let planned = ramp.users_at(seconds(7) + at);
        // Where a moment falls between two nanoseconds the two may round differently.
        prop_assert!(planned.abs_diff(expected) <= 1);
        prop_assert!(planned >= from.min(to) && planned <= from.max(to));
    }
}
