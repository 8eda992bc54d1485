use super::*;

fn pod(name: &str, state: MachineState, reason: Option<&str>) -> PodState {
    PodState {
        name: name.to_owned(),
        state,
        reason: reason.map(str::to_owned),
    }
}

fn job(failure: Option<&str>) -> JobState {
    JobState {
        parallelism: 2,
        ended: 0,
        failure: failure.map(str::to_owned),
        suspended: None,
    }
}

fn warning(object: &str, reason: &str, message: &str) -> Seen {
    Seen::Warnings(Change::Is(Warning {
        object: object.to_owned(),
        reason: reason.to_owned(),
        message: Some(message.to_owned()),
    }))
}

fn shown(news: &[ProviderNews]) -> Vec<String> {
    let machines = news.iter().filter_map(|one| match one {
        ProviderNews::Machine(news) => Some(news),
        ProviderNews::AtMost(_) => None,
    });
    machines
        .map(|one| {
            let reason = one.reason.as_deref().unwrap_or("-");
            format!("{} {} {reason}", one.machine, one.state.word())
        })
        .collect()
}

fn at_most(news: &[ProviderNews]) -> Option<usize> {
    news.iter().find_map(|one| match one {
        ProviderNews::AtMost(machines) => Some(*machines),
        ProviderNews::Machine(_) => None,
    })
}

#[test]
fn pods_are_reported_when_something_is_new_of_them() {
    let mut observed = Observed::of("j".to_owned());
    let all = |state| Seen::Pods(Change::All(vec![pod("j-0-a", state, None)]));
    let news = observed.see(all(MachineState::Waiting));
    assert_eq!(shown(&news), ["j-0-a waiting -"]);
    assert!(shown(&observed.see(all(MachineState::Waiting))).is_empty());
    let news = observed.see(Seen::Pods(Change::Is(pod(
        "j-0-a",
        MachineState::Running,
        None,
    ))));
    assert_eq!(shown(&news), ["j-0-a running -"]);
    // It went while nothing was heard.
    let news = observed.see(Seen::Pods(Change::All(Vec::new())));
    assert_eq!(shown(&news), ["j-0-a gone -"]);
}

#[test]
fn a_warning_is_the_reason_of_a_pod_until_it_runs() {
    let mut observed = Observed::of("j".to_owned());
    observed.see(Seen::Pods(Change::Is(pod(
        "j-0-a",
        MachineState::Starting,
        None,
    ))));
    let news = observed.see(warning("j-0-a", "FailedMount", "no such volume"));
    assert_eq!(shown(&news), ["j-0-a starting FailedMount: no such volume"]);
    assert!(
        observed
            .see(warning("j-0-a", "BackOff", "said by its status"))
            .is_empty()
    );
    assert!(
        observed
            .see(warning("another", "FailedMount", "of others"))
            .is_empty()
    );
    let news = observed.see(Seen::Pods(Change::Is(pod(
        "j-0-a",
        MachineState::Running,
        None,
    ))));
    assert_eq!(shown(&news), ["j-0-a running -"]);
}

#[test]
fn what_keeps_pods_from_being_made_is_reported_of_the_job_until_they_are() {
    let mut observed = Observed::of("j".to_owned());
    assert!(
        observed
            .see(Seen::Job(Change::All(vec![job(None)])))
            .is_empty()
    );
    assert!(shown(&observed.see(Seen::Pods(Change::All(Vec::new())))).is_empty());
    let news = observed.see(warning("j", "FailedCreate", "exceeded quota: q"));
    assert_eq!(shown(&news), ["j waiting FailedCreate: exceeded quota: q"]);
    let one = pod("j-0-a", MachineState::Running, None);
    assert_eq!(
        shown(&observed.see(Seen::Pods(Change::Is(one)))),
        ["j-0-a running -"]
    );
    let other = pod("j-1-b", MachineState::Running, None);
    let news = observed.see(Seen::Pods(Change::Is(other)));
    assert_eq!(shown(&news), ["j-1-b running -", "j gone -"]);
    // The event is still there, and listed again; and of pods that have ended one may be deleted.
    let old = warning("j", "FailedCreate", "exceeded quota: q");
    assert!(observed.see(old).is_empty());
    let ended = pod("j-1-b", MachineState::Gone, None);
    let news = observed.see(Seen::Pods(Change::Gone(ended)));
    assert_eq!(shown(&news), ["j-1-b gone -"]);
}

#[test]
fn an_old_event_is_not_believed_before_the_pods_are_known() {
    let mut observed = Observed::of("j".to_owned());
    observed.see(Seen::Job(Change::All(vec![job(None)])));
    let old = warning("j", "FailedCreate", "exceeded quota: q");
    assert!(observed.see(old).is_empty());
    let one = |name| pod(name, MachineState::Running, None);
    let news = observed.see(Seen::Pods(Change::All(vec![one("j-0-a"), one("j-1-b")])));
    assert_eq!(shown(&news), ["j-0-a running -", "j-1-b running -"]);
}

#[test]
fn a_job_that_is_suspended_says_so_until_it_is_not() {
    let suspended: Job = serde_json::from_value(serde_json::json!({
        "spec": { "parallelism": 2, "suspend": true, "template": {} },
        "status": { "conditions": [{
            "type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended",
        }] },
    }))
    .unwrap();
    let mut observed = Observed::of("j".to_owned());
    let suspended = read_job(&suspended).unwrap();
    let news = observed.see(Seen::Job(Change::Is(suspended)));
    assert_eq!(shown(&news), ["j waiting JobSuspended: Job suspended"]);
    let news = observed.see(Seen::Job(Change::Is(job(None))));
    assert_eq!(shown(&news), ["j gone -"]);
}

#[test]
fn a_job_that_is_given_back_has_not_failed() {
    let mut observed = Observed::of("j".to_owned());
    observed.see(Seen::Job(Change::Is(job(None))));
    observed.is_given_back();
    assert!(observed.see(Seen::Job(Change::Gone(job(None)))).is_empty());
}

#[test]
fn a_server_out_of_reach_is_reported_until_it_answers() {
    let mut observed = Observed::of("j".to_owned());
    let news = observed.see(Seen::Pods(Change::Unknown("cannot list pods".to_owned())));
    assert_eq!(shown(&news), ["j waiting cannot list pods"]);
    let news = observed.see(Seen::Pods(Change::All(Vec::new())));
    assert_eq!(shown(&news), ["j gone -"]);
}

#[test]
fn a_job_that_is_yet_to_be_made_is_not_a_deleted_one() {
    let mut observed = Observed::of("j".to_owned());
    assert!(observed.see(Seen::Job(Change::All(Vec::new()))).is_empty());
    assert!(
        observed
            .see(Seen::Job(Change::All(vec![job(None)])))
            .is_empty()
    );
    let news = observed.see(Seen::Job(Change::All(Vec::new())));
    assert_eq!(shown(&news), ["j failed the Job was deleted"]);
}

#[test]
fn a_job_that_fails_or_is_deleted_is_reported() {
    let mut observed = Observed::of("j".to_owned());
    let failed = Seen::Job(Change::Is(job(Some("DeadlineExceeded: too long"))));
    assert_eq!(
        shown(&observed.see(failed)),
        ["j failed DeadlineExceeded: too long"]
    );
    let mut observed = Observed::of("j".to_owned());
    let news = observed.see(Seen::Job(Change::Gone(job(None))));
    assert_eq!(shown(&news), ["j failed the Job was deleted"]);
}

#[test]
fn pods_that_have_ended_are_not_counted_on() {
    use MachineState::{Failed, Gone, Running, Waiting};
    let mut observed = Observed::of("j".to_owned());
    let of_three = |ended, failure: Option<&str>| {
        Seen::Job(Change::Is(JobState {
            parallelism: 3,
            ended,
            failure: failure.map(str::to_owned),
            suspended: None,
        }))
    };
    let is = |name, state| Seen::Pods(Change::Is(pod(name, state, Some("why"))));
    assert_eq!(at_most(&observed.see(of_three(0, None))), None);
    let one = pod("j-0-a", Running, None);
    let news = observed.see(Seen::Pods(Change::All(vec![one])));
    assert_eq!(at_most(&news), Some(3), "two are yet to be made");
    assert_eq!(at_most(&observed.see(is("j-1-b", Waiting))), None);
    let news = observed.see(is("j-1-b", Failed));
    assert_eq!(
        (at_most(&news), shown(&news)),
        (Some(2), vec!["j-1-b failed why".to_owned()])
    );
    // The same one.
    assert_eq!(at_most(&observed.see(of_three(1, None))), None);
    assert_eq!(at_most(&observed.see(is("j-0-a", Gone))), Some(1));
    // One of which nothing was seen.
    assert_eq!(at_most(&observed.see(of_three(3, None))), Some(0));
    // What pods say is not said again.
    let news = observed.see(of_three(3, Some("FailedIndexes: Job has failed indexes")));
    assert!(news.is_empty(), "{news:?}");
}

#[test]
fn a_job_that_was_faster_than_its_pods_does_not_speak_for_them() {
    let mut observed = Observed::of("j".to_owned());
    let failed = JobState {
        parallelism: 1,
        ended: 1,
        failure: Some("FailedIndexes: Job has failed indexes".to_owned()),
        suspended: None,
    };
    let running = pod("j-0-a", MachineState::Running, None);
    observed.see(Seen::Pods(Change::All(vec![running])));
    assert_eq!(
        at_most(&observed.see(Seen::Job(Change::Is(failed)))),
        Some(1)
    );
    let failed = pod("j-0-a", MachineState::Failed, Some("OOMKilled"));
    let news = observed.see(Seen::Pods(Change::Is(failed)));
    assert_eq!(at_most(&news), Some(0));
    assert_eq!(shown(&news), ["j-0-a failed OOMKilled", "j gone -"]);
}

#[test]
fn a_job_that_is_over_makes_no_pods() {
    for over in [
        Seen::Job(Change::Is(job(Some("DeadlineExceeded: too long")))),
        Seen::Job(Change::Gone(job(None))),
    ] {
        let mut observed = Observed::of("j".to_owned());
        observed.see(Seen::Job(Change::Is(job(None))));
        assert_eq!(
            at_most(&observed.see(Seen::Pods(Change::All(Vec::new())))),
            Some(2)
        );
        assert_eq!(at_most(&observed.see(over)), Some(0));
    }
    // Nor does one that is given back, but that is meant to be.
    let mut observed = Observed::of("j".to_owned());
    observed.see(Seen::Job(Change::Is(job(None))));
    observed.see(Seen::Pods(Change::All(Vec::new())));
    observed.is_given_back();
    assert!(observed.see(Seen::Job(Change::Gone(job(None)))).is_empty());
}
