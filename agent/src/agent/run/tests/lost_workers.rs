//! A part that goes on without workers that it loses.

use super::*;

fn going_on() -> Stage {
    let mut stage = Stage::set_of(OnLostAgent::Continue, false, |_| Ok(()));
    stage.drive();
    stage.sent();
    stage
}

const KILLED: &str = "was killed by signal 9 (SIGKILL)";

fn kill(stage: &mut Stage, ms: u64, worker: u32) {
    let how = Some(KILLED.to_owned());
    stage.event(ms, worker, WorkerEvent::Exited { how });
}

fn report_until(stage: &mut Stage, ms: u64, worker: u32, until: u32) {
    let report = Report {
        until,
        ..Report::default()
    };
    stage.event(ms, worker, WorkerEvent::Report(report));
}

/// The lost workers that were said last before the end.
fn said(stage: &Stage) -> Vec<(u32, u32, bool)> {
    let snapshots = stage.snapshots.iter().rev();
    let mut said = snapshots.map(|snapshot| &snapshot.lost_workers);
    let said = said.find(|lost| !lost.is_empty()).into_iter().flatten();
    said.map(|lost| (lost.worker, lost.since_second, lost.handed_over))
        .collect()
}

#[test]
fn the_others_go_on_and_the_loss_is_said_immediately_and_at_the_end() {
    let mut stage = going_on();
    report_until(&mut stage, 4_100, 3, 3);
    kill(&mut stage, 4_500, 3);
    stage.receive();
    assert_eq!(stage.sent(), [], "the other worker is left alone");
    assert_eq!(said(&stage), [(3, 3, false)]);
    let note = "worker 3 on agent a was killed by signal 9 (SIGKILL); going on without it";
    assert!(stage.log().contains(&note), "{:?}", stage.log());
    // A coordinator that was restarted may not have heard it.
    stage.snapshots.clear();
    stage.run.reconnected();
    stage.tick(6_200);
    stage.receive();
    assert_eq!(said(&stage), [(3, 3, false)]);
    assert_eq!(
        stage.stopped(),
        2,
        "users of the dead worker are not active"
    );
    // What is complete does not wait for it.
    report_until(&mut stage, 7_000, 1, 6);
    stage.event(7_000, 1, WorkerEvent::Line("still here".into()));
    stage.tick(7_200);
    stage.receive();
    assert_eq!(stage.snapshots.last().unwrap().complete_until, 6);
    stage.tick(11_010);
    stage.end_worker(11_060, 1);
    let end = stage.end();
    assert_eq!(end.failure, None);
    assert_eq!(end.lost_workers.len(), 1, "{end:?}");
    assert_eq!(end.lost_workers[0].how, KILLED);
}

#[test]
fn without_any_worker_the_part_fails() {
    let mut stage = going_on();
    kill(&mut stage, 4_500, 3);
    kill(&mut stage, 5_500, 1);
    let end = stage.end();
    let reason = "worker 1 on agent a was killed by signal 9 (SIGKILL)";
    assert_eq!(end.failure.as_deref(), Some(reason));
    assert_eq!(end.lost_workers.len(), 2);
}

#[test]
fn a_worker_that_was_asked_to_end_hands_over_everything() {
    let mut stage = going_on();
    let signal = "SIGTERM".to_owned();
    stage.event(
        3_000,
        3,
        WorkerEvent::Failing(WorkerFailure::AskedToEnd { signal }),
    );
    stage.event(3_100, 3, WorkerEvent::Report(users(1, 0, 2)));
    stage.end_worker(3_100, 3);
    stage.receive();
    assert_eq!(stage.sent(), [(3, "stop")]);
    assert_eq!(said(&stage), [(3, 2, true)]);
    stage.tick(11_010);
    stage.end_worker(11_060, 1);
    let end = stage.end();
    assert_eq!(end.failure, None);
    assert_eq!(end.lost_workers[0].how, "was asked to end by SIGTERM");
}

#[test]
fn a_worker_that_hangs_when_it_is_to_end_early_is_killed_and_not_waited_for() {
    let mut stage = Stage::set_of(OnLostAgent::Continue, false, |_| Ok(()));
    stage.profile.ends_at = RunTime::of_second(200);
    stage.drive();
    stage.sent();
    report_until(&mut stage, 3_000, 3, 2);
    let signal = "SIGTERM".to_owned();
    let failing = WorkerFailure::AskedToEnd { signal };
    stage.event(3_000, 3, WorkerEvent::Failing(failing.clone()));
    stage.event(4_000, 3, WorkerEvent::Failing(failing));
    assert_eq!(stage.sent(), [(3, "stop")]);
    let complete_until = |stage: &mut Stage, ms: u64, until: u32| {
        report_until(stage, ms, 1, until);
        stage.event(ms, 1, WorkerEvent::Line("still here".into()));
        stage.tick(ms + 200);
        stage.receive();
        stage.snapshots.last().unwrap().complete_until
    };
    assert_eq!(complete_until(&mut stage, 9_000, 7), 2);
    assert_eq!(stage.sent(), []);
    stage.tick(3_000 + 5_000 + 2_000);
    assert_eq!(stage.sent(), [(3, "kill")]);
    assert_eq!(complete_until(&mut stage, 12_000, 10), 10);
    kill(&mut stage, 13_000, 3);
    stage.receive();
    assert_eq!(said(&stage), [(3, 2, false)]);
    stage.tick(201_010);
    stage.end_worker(201_060, 1);
    let end = stage.end();
    assert_eq!(end.failure, None);
    assert_eq!(end.lost_workers[0].how, "was asked to end by SIGTERM");
}

#[test]
fn a_worker_that_hangs_at_the_end_fails_the_part_unless_it_was_lost_before() {
    let mut stage = going_on();
    stage.tick(11_010);
    stage.end_worker(11_060, 1);
    stage.tick(11_000 + 5_000 + 60_000);
    assert_eq!(stage.sent(), [(3, "kill")]);
    kill(&mut stage, 77_000, 3);
    let end = stage.end();
    let failure = end.failure.unwrap();
    assert!(failure.contains("did not end within"), "{failure}");
    assert_eq!(end.lost_workers.len(), 1, "its results are missing");

    let mut stage = going_on();
    let signal = "SIGTERM".to_owned();
    let failing = WorkerFailure::AskedToEnd { signal };
    stage.event(10_900, 3, WorkerEvent::Failing(failing));
    stage.tick(11_010);
    stage.end_worker(11_060, 1);
    stage.tick(11_000 + 5_000 + 60_000);
    kill(&mut stage, 77_000, 3);
    assert_eq!(stage.end().failure, None);
}

#[test]
fn before_the_start_and_after_a_stop_a_worker_that_dies_fails_the_part() {
    let mut stage = Stage::set_of(OnLostAgent::Continue, false, |_| Ok(()));
    kill(&mut stage, 500, 3);
    stage.end_worker(1_600, 1);
    assert!(stage.end().failure.is_some());

    let mut stage = going_on();
    stage.run.stop(stage.now(3_000));
    kill(&mut stage, 3_500, 3);
    stage.end_worker(3_600, 1);
    assert!(stage.end().failure.is_some());
}

#[test]
fn results_that_are_wrong_fail_the_part() {
    let mut stage = going_on();
    let problem = "a histogram".to_owned();
    stage.event(
        3_000,
        3,
        WorkerEvent::Failing(WorkerFailure::InvalidResults { problem }),
    );
    assert_eq!(stage.sent(), [(1, "stop"), (3, "stop")]);
}
