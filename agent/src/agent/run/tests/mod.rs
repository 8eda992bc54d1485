//! The life of an agent's part of a run, with workers that only remember what they are sent.

use std::cell::RefCell;
use std::rc::Rc;

use greylag_infra::protocol::{AgentEnd, Endpoint, Snapshot, ToCoordinator, UserChange, decode};
use greylag_infra::{Fleet, GeneratorNotice, LoadTest, NoticeKind, OnLostAgent, RunTime, WallTime};
use greylag_reporting::Interval;

use super::*;
use crate::agent::worker_process::WorkerEvent;
use crate::worker_protocol::Report;

mod load;
mod lost_workers;

/// What the workers were sent: index and message in short.
type Sent = Rc<RefCell<Vec<(u32, &'static str)>>>;

struct FakeWorker {
    index: u32,
    sent: Sent,
}

impl WorkerHandle for FakeWorker {
    fn pid(&self) -> u32 {
        1_000 + self.index
    }
    fn send(&self, message: ToWorker) {
        let word = match message {
            ToWorker::Prepare { .. } => "prepare",
            ToWorker::Alive { .. } => "alive",
            ToWorker::Start { .. } => "start",
            ToWorker::Profile { .. } => "profile",
            ToWorker::Stop => "stop",
        };
        self.sent.borrow_mut().push((self.index, word));
    }
    fn kill(&self) {
        self.sent.borrow_mut().push((self.index, "kill"));
    }
}

struct Stage {
    run: AgentRun<FakeWorker>,
    sent: Sent,
    began: Instant,
    profile: LoadProfile,
    snapshots: Vec<Snapshot>,
}

impl Stage {
    /// Two of the run's four workers are ours: 1 and 3. Four users of eight.
    fn set() -> Self {
        Self::set_with(false, |_| Ok(()))
    }

    fn set_with(awaits_shape: bool, can_start: impl Fn(u32) -> std::io::Result<()>) -> Self {
        Self::set_of(OnLostAgent::Fail, awaits_shape, can_start)
    }

    fn set_of(
        on_lost_agent: OnLostAgent,
        awaits_shape: bool,
        can_start: impl Fn(u32) -> std::io::Result<()>,
    ) -> Self {
        let test = LoadTest {
            fleet: Fleet {
                on_lost_agent,
                ..Fleet::default()
            },
            name: "t".into(),
            host: "http://127.0.0.1".into(),
            users: 8,
            ramp_up_s: 0,
            duration_s: 10,
            workers: 4,
            infrastructure: "local".into(),
            scenario: "s".into(),
            stop_timeout_s: 5,
            declared: None,
            ..LoadTest::default()
        };
        let prepare = Prepare {
            run_id: "run".into(),
            test: test.into(),
            workers: vec![1, 3],
        };
        let plan = Plan {
            awaits_shape,
            local_ports: Some(3),
            ..Plan::without_workers()
        };
        let sent = Sent::default();
        let began = Instant::now();
        let profile = prepare.test.profile();
        let run = AgentRun::prepare(&prepare, "a", plan, now(began, 0), |index, _| {
            can_start(index)?;
            let sent = Rc::clone(&sent);
            Ok(FakeWorker { index, sent })
        });
        Self {
            run,
            sent,
            began,
            profile,
            snapshots: Vec::new(),
        }
    }

    fn now(&self, ms: u64) -> Now {
        now(self.began, ms)
    }

    fn event(&mut self, ms: u64, worker: u32, event: WorkerEvent) {
        let now = self.now(ms);
        self.run.on_worker(worker, event, now);
    }

    fn tick(&mut self, ms: u64) {
        let now = self.now(ms);
        self.run.tick(now);
    }

    /// Both workers ready, run time zero at 1,000 ms, two users started in each worker.
    fn drive(&mut self) {
        self.event(10, 1, WorkerEvent::Ready { set_up_data: None });
        assert!(!self.run.is_ready());
        self.event(20, 3, WorkerEvent::Ready { set_up_data: None });
        assert!(self.run.is_ready());
        let zero = self.began + Duration::from_secs(1);
        let now = self.now(500);
        self.run.start(
            zero,
            WallTime::from_micros(1_000_000),
            self.profile.clone(),
            None,
            now,
        );
        for worker in [1, 3] {
            self.event(2_030, worker, WorkerEvent::Report(users(0, 2, 0)));
        }
    }

    fn end_worker(&mut self, ms: u64, worker: u32) {
        let last_user_ended = RunTime::from_micros((ms - 1_000) * 1_000);
        let failure = None;
        self.event(
            ms,
            worker,
            WorkerEvent::End {
                failure,
                last_user_ended,
            },
        );
        self.event(ms, worker, WorkerEvent::Exited { how: None });
    }

    fn sent(&self) -> Vec<(u32, &'static str)> {
        std::mem::take(&mut self.sent.borrow_mut())
    }

    /// Receives and acknowledges what is due.
    fn receive(&mut self) {
        while let Some(frame) = self.run.outbox().next_to_send() {
            let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
                panic!("runs send snapshots");
            };
            self.run.outbox().acknowledged(snapshot.seq, Duration::ZERO);
            self.snapshots.push(*snapshot);
        }
    }

    /// The end, which must be there, and after which the run is forgotten.
    fn end(&mut self) -> AgentEnd {
        self.receive();
        assert!(self.run.is_done() && !self.run.is_active());
        self.snapshots.last().unwrap().end.clone().unwrap()
    }

    fn log(&self) -> Vec<&str> {
        self.snapshots
            .iter()
            .flat_map(|snapshot| &snapshot.log)
            .map(|line| line.text.as_str())
            .collect()
    }

    fn stopped(&self) -> u64 {
        let changes = self
            .snapshots
            .iter()
            .flat_map(|snapshot| &snapshot.user_changes);
        changes.map(|change| change.stopped).sum()
    }
}

fn now(began: Instant, ms: u64) -> Now {
    Now {
        instant: began + Duration::from_millis(ms),
        coordinator_time: WallTime::from_micros(ms * 1_000),
    }
}

fn users(second: u32, started: u64, stopped: u64) -> Report {
    Report {
        user_changes: vec![UserChange {
            second,
            started,
            stopped,
            ..UserChange::default()
        }],
        ..Report::default()
    }
}

#[test]
fn a_run_goes_as_planned() {
    let mut stage = Stage::set();
    stage.drive();
    assert_eq!(stage.sent(), [(1, "start"), (3, "start")]);
    stage.tick(2_200);
    stage.receive();
    let states = &stage.snapshots.last().unwrap().workers;
    let states: Vec<_> = states
        .iter()
        .map(|w| (w.index, w.pid, w.users, w.running))
        .collect();
    assert_eq!(states, [(1, 1_001, 2, true), (3, 1_003, 2, true)]);

    stage.tick(11_010);
    for worker in [1, 3] {
        stage.event(11_050, worker, WorkerEvent::Report(users(10, 0, 2)));
        stage.end_worker(11_060, worker);
    }
    let end = stage.end();
    assert_eq!(
        (end.failure, end.ended_at),
        (None, RunTime::from_micros(10_060_000))
    );
    assert_eq!((stage.stopped(), stage.sent().len()), (4, 0));
}

#[test]
fn results_that_wait_for_a_snapshot_are_not_acknowledged_either() {
    let mut stage = Stage::set();
    stage.drive();
    stage.tick(2_200);
    stage.receive();
    let since = |stage: &Stage| stage.run.held(&"run".into()).unacknowledged_since;
    assert_eq!(since(&stage), None);
    let interval = Interval::default().to_wire(3, 0);
    let report = Report {
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: vec![interval],
        ..Report::default()
    };
    stage.event(9_000, 1, WorkerEvent::Report(report));
    let end_of_second_3 = stage.began + Duration::from_secs(1 + 4);
    assert_eq!(since(&stage), Some(end_of_second_3));
}

#[test]
fn a_worker_that_dies_fails_the_part_and_stops_the_others() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    let how = Some("was killed by signal 9 (SIGKILL)".to_owned());
    stage.event(4_500, 3, WorkerEvent::Exited { how });
    assert_eq!(stage.sent(), [(1, "stop")]);
    stage.event(4_600, 1, WorkerEvent::Report(users(3, 0, 2)));
    stage.end_worker(4_600, 1);
    let end = stage.end();
    let reason = "worker 3 on agent a was killed by signal 9 (SIGKILL)";
    assert_eq!(end.failure.as_deref(), Some(reason));
    assert!(stage.log().contains(&reason));
    assert_eq!(
        stage.stopped(),
        4,
        "users of the dead worker count as stopped"
    );
}

#[test]
fn a_worker_that_leaves_early_without_an_error_fails_the_part_too() {
    let mut stage = Stage::set();
    stage.drive();
    stage.event(3_000, 1, WorkerEvent::Exited { how: None });
    stage.end_worker(3_100, 3);
    assert_eq!(
        stage.end().failure.unwrap(),
        "worker 1 on agent a exited unexpectedly"
    );
}

#[test]
fn a_worker_that_says_why_is_quoted() {
    let mut stage = Stage::set();
    let problem = "no scenario".to_owned();
    let failure = Some(WorkerFailure::Refused { problem });
    stage.event(
        5,
        3,
        WorkerEvent::End {
            failure,
            last_user_ended: RunTime::ZERO,
        },
    );
    stage.event(6, 3, WorkerEvent::Exited { how: None });
    assert_eq!(stage.sent(), [(1, "stop"), (3, "stop")]);
    stage.end_worker(1_007, 1);
    assert_eq!(
        stage.end().failure.unwrap(),
        "worker 3 on agent a failed: no scenario"
    );
}

#[test]
fn a_worker_that_cannot_be_started_ends_the_part() {
    let mut stage = Stage::set_with(false, |index| match index {
        3 => Err(std::io::Error::other("no such file")),
        _ => Ok(()),
    });
    assert_eq!(stage.sent(), [(1, "stop")]);
    stage.end_worker(1_100, 1);
    let failure = stage.end().failure.unwrap();
    assert_eq!(
        failure,
        "worker 3 on agent a cannot be started: no such file"
    );
}

#[test]
fn a_stop_is_no_failure_of_the_agent() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    stage.run.stop(stage.now(3_000));
    stage.run.stop(stage.now(3_001));
    assert_eq!(stage.sent(), [(1, "stop"), (3, "stop")]);
    for worker in [1, 3] {
        stage.end_worker(3_200, worker);
    }
    assert_eq!(stage.end().failure, None);
}

#[test]
fn workers_that_do_not_stop_are_killed() {
    let mut stage = Stage::set();
    stage.drive();
    stage.run.stop(stage.now(3_000));
    stage.sent();
    stage.end_worker(4_000, 1);
    stage.tick(9_900);
    assert_eq!(stage.sent(), []);
    stage.tick(10_000);
    assert_eq!(stage.sent(), [(3, "kill")]);
    let how = Some("was killed by signal 9 (SIGKILL)".to_owned());
    stage.event(10_010, 3, WorkerEvent::Exited { how });
    let failure = stage.end().failure.unwrap();
    assert!(
        failure.starts_with("worker 3 on agent a did not end within 2 s of the stop timeout (5s)")
    );
}

#[test]
fn the_deadline_runs_from_the_planned_end_too() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    stage.tick(11_000);
    stage.tick(17_900);
    assert_eq!(stage.sent(), []);
    stage.tick(18_000);
    assert_eq!(stage.sent(), [(1, "kill"), (3, "kill")]);
}

#[test]
fn an_end_that_comes_late_leaves_the_workers_their_time() {
    let mut stage = Stage::set();
    stage.drive();
    // The agent was away when the run was finished at 3 s.
    let finished = stage
        .profile
        .finished_at(RunTime::of_second(3), "sold out".to_owned());
    let now = stage.now(9_500);
    stage.run.change_profile(finished, now);
    stage.sent();
    stage.tick(9_600);
    stage.tick(16_400);
    assert_eq!(stage.sent(), []);
    stage.tick(16_500);
    assert_eq!(stage.sent(), [(1, "kill"), (3, "kill")]);
}

#[test]
fn workers_that_do_not_get_ready_are_named() {
    let mut stage = Stage::set();
    stage.event(10, 1, WorkerEvent::Ready { set_up_data: None });
    stage.tick(PREPARE_TIMEOUT.as_millis() as u64);
    assert!(stage.sent().contains(&(3, "kill")));
    for worker in [1, 3] {
        let how = Some("was killed by signal 9 (SIGKILL)".to_owned());
        stage.event(60_000, worker, WorkerEvent::Exited { how });
    }
    let failure = stage.end().failure.unwrap();
    assert_eq!(failure, "worker 3 on agent a did not get ready within 45 s");
}

#[test]
fn a_start_that_comes_again_is_harmless() {
    let mut stage = Stage::set();
    stage.drive();
    stage.sent();
    let (profile, now) = (stage.profile.clone(), stage.now(2_500));
    stage
        .run
        .start(stage.began, WallTime::default(), profile, None, now);
    assert_eq!(stage.sent(), []);
}

#[test]
fn what_a_worker_prints_becomes_its_log_lines() {
    let mut stage = Stage::set();
    stage.event(10, 3, WorkerEvent::Line("hello".into()));
    stage.event(10, 3, WorkerEvent::LinesDropped(7));
    stage.tick(1_000);
    stage.receive();
    let lines: Vec<_> = stage
        .snapshots
        .iter()
        .flat_map(|snapshot| &snapshot.log)
        .collect();
    let line = lines.iter().find(|line| line.text == "hello").unwrap();
    assert_eq!(
        (line.source.as_str(), line.at),
        ("a/worker-3", WallTime::from_micros(10_000))
    );
    assert_eq!(
        stage
            .snapshots
            .iter()
            .map(|s| s.log_lines_dropped)
            .sum::<u64>(),
        7
    );
}

#[test]
fn a_failure_is_reported_immediately_and_only_the_first() {
    let mut stage = Stage::set();
    stage.drive();
    let reason = "no \u{1b}[31mtoken\nleft ".to_owned();
    stage.event(2_500, 3, WorkerEvent::StopTest { reason });
    // Nothing else happens, and no second is over.
    stage.receive();
    let failing = "stopped by the scenario: no  [31mtoken left";
    assert_eq!(
        stage.snapshots.last().unwrap().failing.as_deref(),
        Some(failing)
    );
    assert!(stage.sent().contains(&(1, "stop")));
    let reason = "another".to_owned();
    stage.event(2_600, 1, WorkerEvent::StopTest { reason });
    for worker in [1, 3] {
        stage.end_worker(2_700, worker);
    }
    assert_eq!(stage.end().failure.as_deref(), Some(failing));
    let sent = stage
        .snapshots
        .iter()
        .filter(|snapshot| snapshot.failing.is_some());
    assert_eq!(sent.count(), 1);
}

#[test]
fn the_wish_to_finish_is_reported_until_the_part_is_over() {
    let mut stage = Stage::set();
    stage.drive();
    let asked = |stage: &Stage| stage.run.held(&"r".into()).finish_asked;
    assert_eq!(asked(&stage), None);
    let finish = |reason: &str| WorkerEvent::FinishTest {
        reason: reason.into(),
    };
    stage.event(2_500, 3, finish("all\u{1b}sold"));
    stage.event(2_600, 1, finish("another"));
    assert_eq!(asked(&stage).as_deref(), Some("all sold"));
    assert!(!stage.sent().contains(&(1, "stop")));
}

#[test]
fn the_scenarios_events_have_their_time() {
    let mut stage = Stage::set();
    stage.run.kill_after += Duration::from_secs(10);
    stage.drive();
    stage.run.stop(stage.now(3_000));
    stage.sent();
    stage.tick(19_900);
    assert_eq!(stage.sent(), []);
    stage.tick(20_000);
    assert_eq!(stage.sent(), [(1, "kill"), (3, "kill")]);
}

#[test]
fn what_a_worker_ran_short_of_is_logged_once_and_sent() {
    let mut stage = Stage::set();
    stage.drive();
    for second in [0, 1] {
        let report = Report {
            notices: vec![GeneratorNotice {
                kind: NoticeKind::NameResolution,
                // Whatever it says, it is the worker that it came from.
                worker: Some(99),
                subject: "nowhere.test".into(),
                first_second: second,
                last_second: second,
                count: 5,
                worst: 0,
            }],
            ..Report::default()
        };
        stage.event(2_050, 3, WorkerEvent::Report(report));
    }
    stage.tick(2_500);
    stage.receive();
    let snapshots = || stage.snapshots.iter();
    let lines: Vec<&str> = snapshots()
        .flat_map(|snapshot| &snapshot.log)
        .map(|line| line.text.as_str())
        .filter(|text| text.starts_with("Warning: "))
        .collect();
    // Four users here, and three local ports.
    let [ports, name] = lines[..] else {
        panic!("two warnings: {lines:?}");
    };
    assert!(
        ports.contains("agent a has 3 local ports but up to 4 users"),
        "{ports}"
    );
    assert!(
        name.contains("second 0: worker 3 on agent a could not resolve the name `nowhere.test`"),
        "{name}"
    );
    let sent: Vec<_> = snapshots()
        .flat_map(|snapshot| &snapshot.notices)
        .map(|notice| (notice.kind, notice.worker, notice.last_second, notice.count))
        .collect();
    assert!(
        sent.contains(&(NoticeKind::FewPorts, Some(1), 0, 4)),
        "{sent:?}"
    );
    assert!(
        sent.contains(&(NoticeKind::NameResolution, Some(3), 1, 10)),
        "{sent:?}"
    );
}

#[test]
fn results_are_whole_up_to_where_the_slowest_worker_has_reported() {
    let mut stage = Stage::set();
    stage.drive();
    let report = |second| WorkerEvent::Report(users(second, 1, 1));
    stage.event(6_050, 1, report(5));
    stage.tick(6_500);
    stage.receive();
    let until = |stage: &Stage| stage.snapshots.last().unwrap().complete_until;
    assert_eq!(until(&stage), 0, "nothing of worker 3 since second 0");
    let nothing_else = Report {
        until: 4,
        ..Report::default()
    };
    stage.event(6_600, 3, WorkerEvent::Report(nothing_else));
    stage.event(8_050, 1, report(6));
    stage.tick(8_500);
    stage.receive();
    assert_eq!(until(&stage), 4);
    // A worker that has ended has nothing more to say.
    stage.end_worker(8_600, 3);
    stage.event(9_050, 1, report(7));
    stage.tick(9_500);
    stage.receive();
    assert_eq!(until(&stage), 7);
}
