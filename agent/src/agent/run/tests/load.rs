//! The load of an agent's part of a run: profiles that change, and load shapes.

use greylag_infra::{RunTime, WallTime};

use super::*;
use crate::scenario::{LoadShapeError, ShapedLoad};

#[test]
fn a_changed_profile_reaches_the_workers_and_moves_the_end() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    let changed = LoadProfile {
        ends_at: RunTime::of_second(20),
        ..stage
            .profile
            .with_change(RunTime::of_second(3), 4, 0)
            .unwrap()
    };
    for _ in 0..2 {
        let now = stage.now(3_500);
        stage.run.change_profile(changed.clone(), now);
    }
    assert_eq!(stage.sent(), [(1, "profile"), (3, "profile")]);
    // Sent again with the start after a reconnect.
    let now = stage.now(3_600);
    let zero = stage.began + Duration::from_secs(1);
    stage
        .run
        .start(zero, WallTime::from_micros(1_000_000), changed, None, now);
    assert_eq!(stage.sent(), []);
    stage.tick(11_100);
    stage.tick(20_900);
    stage.receive();
    let over = "Duration reached, stopping users";
    assert!(!stage.log().contains(&over));
    stage.tick(21_000);
    stage.tick(22_200);
    stage.receive();
    assert!(stage.log().contains(&over));
}

#[test]
fn a_profile_that_makes_no_sense_fails_the_part() {
    let mut stage = Stage::set();
    stage.drive();
    let endless = LoadProfile {
        ends_at: RunTime::MAX,
        ..stage.profile.clone()
    };
    let now = stage.now(2_500);
    stage.run.change_profile(endless, now);
    for worker in [1, 3] {
        stage.end_worker(2_700, worker);
    }
    assert!(stage.end().failure.unwrap().contains("30 days"));
}

#[test]
fn all_users_may_be_taken_away_before_they_came() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    let empty = stage.profile.with_change(RunTime::ZERO, 0, 0).unwrap();
    assert_eq!(empty.most_users(), 0);
    let now = stage.now(1_100);
    stage.run.change_profile(empty, now);
    assert_eq!(stage.sent(), [(1, "profile"), (3, "profile")]);
}

#[test]
fn a_run_waits_for_its_load_shape() {
    let mut stage = Stage::set_with(true, |_| Ok(()));
    for worker in [1, 3] {
        stage.event(10, worker, WorkerEvent::Ready { set_up_data: None });
    }
    assert!(!stage.run.is_ready() && stage.run.shape().is_none());
    let (shape, now) = (stage.profile.clone(), stage.now(20));
    let remark = Some("it was cut".to_owned());
    let load = ShapedLoad {
        profile: shape.clone(),
        remark,
    };
    stage.run.on_shape(Ok(load), now);
    assert!(stage.run.is_ready());
    assert_eq!(stage.run.shape(), Some(&shape));
    stage.tick(30);
    stage.receive();
    assert!(stage.log().contains(&"it was cut"));
}

#[test]
fn a_load_shape_that_cannot_be_run_fails_the_part() {
    let mut stage = Stage::set_with(true, |_| Ok(()));
    let now = stage.now(20);
    let scenario = "stairs".to_owned();
    let endless = LoadShapeError::Endless { scenario };
    let reason = endless.to_string();
    stage.run.on_shape(Err(endless.to_string()), now);
    for worker in [1, 3] {
        stage.end_worker(1_100, worker);
    }
    assert_eq!(stage.end().failure, Some(reason));
}
