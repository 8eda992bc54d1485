use serde_json::json;

use super::form::MAX_PARTS;
use super::*;
use crate::base::MAX_WORKERS;
use crate::protocol::{AgentEnd, Snapshot, decode, encode};

fn worker(failure: WorkerFailure) -> FailureReason {
    FailureReason::Worker {
        agent: "load-a".into(),
        worker: 3,
        failure,
    }
}

/// One of each kind, with its code and its message.
fn all() -> Vec<(FailureReason, &'static str, &'static str)> {
    let agent = || "load-a".to_owned();
    let infrastructure = || "lab".to_owned();
    let agents = || vec!["load-a".to_owned(), "load-b".to_owned()];
    let problem = || "why".to_owned();
    let counted = |requests| Counted {
        requests,
        failures: 1,
    };
    use FailureReason as R;
    use WorkerFailure as W;
    vec![
        (
            R::StoppedByUser,
            "stopped_by_user",
            "stopped early by a user",
        ),
        (
            R::StoppedByScenario {
                text: String::new(),
            },
            "stopped_by_scenario",
            "stopped by the scenario",
        ),
        (
            R::StoppedByScenario { text: problem() },
            "stopped_by_scenario",
            "stopped by the scenario: why",
        ),
        (
            R::ThresholdBreached {
                threshold: "p95 < 1s abort after 15s".into(),
                since_s: 41,
            },
            "threshold_breached",
            "threshold `p95 < 1s abort after 15s` has been breached since second 41",
        ),
        (
            R::AgentLost {
                agent: agent(),
                infrastructure: infrastructure(),
                silent_s: 31,
            },
            "agent_lost",
            "agent load-a of infrastructure lab was lost: nothing heard from it for 31 s",
        ),
        (
            R::AgentRestarted {
                agent: agent(),
                infrastructure: infrastructure(),
            },
            "agent_restarted",
            "agent load-a of infrastructure lab was restarted during the run",
        ),
        (
            R::AgentsMissing {
                infrastructure: "lab".into(),
                free: 2,
                least: 3,
                within_s: 300,
                machines: None,
            },
            "agents_missing",
            "2 of 3 agents of infrastructure lab were connected and free within 300 s",
        ),
        (
            R::AgentsMissing {
                infrastructure: "lab".into(),
                free: 0,
                least: 1,
                within_s: 300,
                machines: Some("load-0 waiting: Unschedulable".into()),
            },
            "agents_missing",
            "0 of 1 agents of infrastructure lab were connected and free within 300 s: load-0 waiting: Unschedulable",
        ),
        (
            R::MachinesRefused {
                infrastructure: "lab".into(),
                problem: problem(),
            },
            "machines_refused",
            "infrastructure lab did not make the machines: why",
        ),
        (R::CannotBegin { problem: problem() }, "cannot_begin", "why"),
        (
            R::AgentForgotRun { agent: agent() },
            "agent_forgot_run",
            "agent load-a reconnected but no longer runs this test",
        ),
        (
            R::AgentEndedEarly { agent: agent() },
            "agent_ended_early",
            "agent load-a ended before the run started",
        ),
        (
            R::AgentsNotReady {
                agents: agents(),
                within_s: 300,
            },
            "agents_not_ready",
            "agent load-a, load-b did not start its workers within 300 s",
        ),
        (
            R::AgentsDidNotEnd { agents: agents() },
            "agents_did_not_end",
            "agent load-a, load-b did not report the end of its load in time",
        ),
        (
            R::AgentShutDown { agent: agent() },
            "agent_shut_down",
            "agent load-a was shut down",
        ),
        (
            R::AgentCannotRun {
                agent: agent(),
                problem: problem(),
            },
            "agent_cannot_run",
            "agent load-a cannot run the test: why",
        ),
        (
            R::CoordinatorSilent {
                agent: agent(),
                silent_ms: 2_500,
            },
            "coordinator_silent",
            "agent load-a heard nothing from the coordinator for 2.5 s",
        ),
        (
            R::WorkersNotReady {
                agent: agent(),
                workers: vec![1, 2],
                within_s: 60,
            },
            "workers_not_ready",
            "worker 1, 2 on agent load-a did not get ready within 60 s",
        ),
        (
            worker(W::NotStarted { problem: problem() }),
            "worker_not_started",
            "worker 3 on agent load-a cannot be started: why",
        ),
        (
            worker(W::Refused { problem: problem() }),
            "worker_refused",
            "worker 3 on agent load-a failed: why",
        ),
        (
            worker(W::LoadThreadPanicked),
            "load_thread_panicked",
            "worker 3 on agent load-a failed: the load thread panicked; see the log for the panic message",
        ),
        (
            worker(W::LoadEnded {
                problem: String::new(),
            }),
            "load_ended",
            "worker 3 on agent load-a failed: the load engine ended unexpectedly",
        ),
        (
            worker(W::LoadEnded { problem: problem() }),
            "load_ended",
            "worker 3 on agent load-a failed: why",
        ),
        (
            worker(W::UsersDidNotEnd { stop_timeout_s: 10 }),
            "users_did_not_end",
            "worker 3 on agent load-a failed: users did not end within the stop timeout of 10s",
        ),
        (
            worker(W::AgentSilent { silent_ms: 30_000 }),
            "agent_silent",
            "worker 3 on agent load-a failed: nothing heard from the agent for 30 s, so the load was stopped",
        ),
        (
            worker(W::AskedToEnd {
                signal: "SIGTERM".into(),
            }),
            "worker_asked_to_end",
            "worker 3 on agent load-a was asked to end by SIGTERM",
        ),
        (
            worker(W::InvalidResults { problem: problem() }),
            "invalid_results",
            "worker 3 on agent load-a sent invalid results: why",
        ),
        (
            worker(W::InvalidMessage { problem: problem() }),
            "invalid_message",
            "worker 3 on agent load-a failed: it sent an invalid message: why",
        ),
        (
            worker(W::Exited {
                how: "was killed by signal 9 (SIGKILL)".into(),
            }),
            "worker_exited",
            "worker 3 on agent load-a was killed by signal 9 (SIGKILL)",
        ),
        (
            worker(W::Killed {
                after_s: 2,
                stop_timeout_s: 10,
            }),
            "worker_killed",
            "worker 3 on agent load-a did not end within 2 s of the stop timeout (10s) and was killed",
        ),
        (
            R::ShapeInvalid { problem: problem() },
            "shape_invalid",
            "why",
        ),
        (
            R::ProfileInvalid { problem: problem() },
            "profile_invalid",
            "why",
        ),
        (
            R::SetUpDataTooLarge {
                agent: agent(),
                bytes: 2_000_000,
            },
            "set_up_data_too_large",
            "the set-up data of agent load-a has 2000000 bytes; the maximum is 1048576",
        ),
        (
            R::CountsDisagree {
                counted: counted(10),
                saved: counted(12),
            },
            "counts_disagree",
            "the agents counted 10 requests with 1 failure, but 12 with 1 are saved",
        ),
        (R::other("because"), "other", "because"),
    ]
}

#[test]
fn each_reason_has_a_code_and_a_message_and_is_read_as_it_was_written() {
    for (reason, code, message) in all() {
        assert_eq!(
            (reason.code(), reason.to_string().as_str()),
            (code, message)
        );
        let written = serde_json::to_value(&reason).unwrap();
        assert_eq!(written["message"], message);
        assert_eq!(
            serde_json::from_value::<FailureReason>(written).unwrap(),
            reason
        );
        assert_eq!(decode::<FailureReason>(&encode(&reason)).unwrap(), reason);
    }
}

#[test]
fn texts_of_old_versions_and_kinds_of_later_ones_keep_their_message() {
    let read = |value| serde_json::from_value::<FailureReason>(value).unwrap();
    assert_eq!(
        read(json!("agent a was lost")),
        FailureReason::other("agent a was lost")
    );
    let later = json!({"message": "the moon fell", "kind": "moon_fell", "height_m": 3});
    assert_eq!(read(later), FailureReason::other("the moon fell"));
    let later = json!({"message": "worker 3 melted", "kind": "worker", "agent": "a", "worker": 3, "failure": {"kind": "melted"}});
    assert_eq!(read(later), FailureReason::other("worker 3 melted"));
}

/// An agent that knows messages only, and a coordinator that does.
#[test]
fn the_message_stands_beside_the_reason_on_the_wire() {
    let reason = worker(WorkerFailure::LoadThreadPanicked);
    let mut end = AgentEnd::default();
    end.set_failure(reason.clone());
    let written = serde_json::to_value(&end).unwrap();
    assert_eq!(written["failure"], reason.to_string());
    assert_eq!(end.failure_reason(), Some(reason.clone()));

    let of_old_agent = json!({"failure": "worker 0 was killed", "requests": 1, "failures": 0});
    let end: AgentEnd = serde_json::from_value(of_old_agent).unwrap();
    assert_eq!(
        end.failure_reason(),
        Some(FailureReason::other("worker 0 was killed"))
    );
    assert_eq!(AgentEnd::default().failure_reason(), None);

    let mut snapshot = Snapshot::default();
    snapshot.set_failing(reason.clone());
    let again: Snapshot = decode(&encode(&snapshot)).unwrap();
    assert_eq!(again.failing, Some(reason.to_string()));
    assert_eq!(again.failing_reason(), Some(reason));
    let untouched = serde_json::to_value(Snapshot::default()).unwrap();
    assert_eq!(untouched.get("reason"), None, "old frames stay as they are");
}

/// Each value takes a byte in the frame, and many times as much in memory.
#[test]
fn reasons_of_too_many_values_are_refused_while_they_are_read() {
    let too_many = format!("more than {MAX_PARTS} values");
    let unknown = |values: Vec<u8>| json!({"reason": {"message": "why", "later": values}});
    let read = |snapshot: serde_json::Value| decode::<Snapshot>(&encode(&snapshot));
    let snapshot = read(unknown(vec![0; 4_000])).unwrap();
    assert_eq!(snapshot.failing_reason(), Some(FailureReason::other("why")));
    let error = read(unknown(vec![0; 1_000_000])).unwrap_err().to_string();
    assert!(error.contains(&too_many), "{error}");

    let workers = FailureReason::WorkersNotReady {
        agent: "a".into(),
        workers: (0..MAX_WORKERS).collect(),
        within_s: 1,
    };
    assert_eq!(decode::<FailureReason>(&encode(&workers)).unwrap(), workers);
    let failure = json!({"kind": "exited", "how": "", "later": vec![""; 1_000_000]});
    let worker = json!({"kind": "worker", "agent": "a", "worker": 1, "failure": failure});
    let end = json!({"end": {"failure": null, "requests": 0, "failures": 0, "reason": worker}});
    let error = read(end).unwrap_err().to_string();
    assert!(error.contains(&too_many), "{error}");

    let deep = (0..500).fold(json!(1), |inner, _| json!([inner]));
    let later = json!({"message": "why", "kind": "later", "deep": deep});
    let reason: FailureReason = decode(&encode(&later)).unwrap();
    assert_eq!(reason, FailureReason::other("why"));
}

#[test]
fn what_agents_report_is_bounded_and_theirs_to_say() {
    let long = worker(WorkerFailure::Exited {
        how: "ä".repeat(5_000),
    });
    let kept = long.as_reported();
    assert_eq!(kept.code(), "worker_exited");
    assert!(kept.to_string().len() <= MAX_ERROR_BYTES, "{kept}");
    let many = FailureReason::WorkersNotReady {
        agent: "a".into(),
        workers: (0..100_000).collect(),
        within_s: 1,
    };
    let kept = many.as_reported();
    assert_eq!(kept.code(), "other");
    assert!(kept.to_string().len() <= MAX_ERROR_BYTES);
    let kept = FailureReason::StoppedByUser.as_reported();
    assert_eq!(kept, FailureReason::other("stopped early by a user"));
}
