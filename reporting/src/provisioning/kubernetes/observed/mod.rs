//! What is known of a run's Job and its pods, as news of machines.
//!
//! A pod is a machine under its name. What concerns all of them (pods that cannot be made, a Job that has failed, an API
//! server out of reach) is reported under the Job's name, and is `Gone` when it is over.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;

use super::errors::bounded;
use super::pods::{PodState, said};
use super::watch::Change;
use crate::provisioning::{MachineNews, MachineState};

/// Warnings about a pod that its status has, too, or that say nothing about why it does not start.
const KNOWN_OTHERWISE: [&str; 6] = [
    "FailedScheduling",
    "Failed",
    "BackOff",
    "InspectFailed",
    "ErrImageNeverPull",
    "Unhealthy",
];

/// Something seen in the cluster.
#[derive(Debug)]
pub(super) enum Seen {
    Pods(Change<PodState>),
    Job(Change<JobState>),
    Warnings(Change<Warning>),
}

/// What is kept of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobState {
    parallelism: usize,
    failure: Option<String>,
    /// Why it gets no pods for now: a queue such as Kueue's holds it back.
    suspended: Option<String>,
}

/// What is kept of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    object: String,
    reason: String,
    message: Option<String>,
}

pub(super) fn read_job(job: &Job) -> Option<JobState> {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let said_by = |types: &[&str]| {
        let mut all = conditions.into_iter().flatten();
        let one = all.find(|one| types.contains(&one.type_.as_str()) && one.status == "True")?;
        let reason = one.reason.as_deref().unwrap_or(&one.type_);
        Some(bounded(&said(reason, one.message.as_deref())))
    };
    let parallelism = job.spec.as_ref().and_then(|spec| spec.parallelism);
    Some(JobState {
        parallelism: parallelism.and_then(|pods| usize::try_from(pods).ok())?,
        failure: said_by(&["Failed", "FailureTarget"]),
        suspended: said_by(&["Suspended"]),
    })
}

pub(super) fn read_warning(event: &Event) -> Option<Warning> {
    Some(Warning {
        object: event.involved_object.name.clone()?,
        reason: event.reason.clone()?,
        message: event.message.clone(),
    })
}

/// What was seen, and what was made of it.
#[derive(Debug)]
pub(super) struct Observed {
    job: String,
    pods: BTreeMap<String, PodState>,
    /// Whether these are all pods that there are.
    pods_are_known: bool,
    /// The last warning about each pod that has not started.
    warnings: BTreeMap<String, String>,
    /// How many pods there are to be, once it is known.
    wanted: Option<usize>,
    job_failure: Option<String>,
    job_is_suspended: Option<String>,
    job_is_gone: bool,
    /// The Job goes because this coordinator deletes it.
    is_given_back: bool,
    /// Why not all pods exist.
    creation: Option<String>,
    /// What cannot be watched now.
    unknown: BTreeMap<&'static str, String>,
    reported: BTreeMap<String, (MachineState, Option<String>)>,
}

impl Observed {
    pub(super) fn of(job: String) -> Self {
        Self {
            job,
            pods: BTreeMap::new(),
            pods_are_known: false,
            warnings: BTreeMap::new(),
            wanted: None,
            job_failure: None,
            job_is_suspended: None,
            job_is_gone: false,
            is_given_back: false,
            creation: None,
            unknown: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    /// From now on the Job and its pods go as they are meant to.
    pub(super) fn is_given_back(&mut self) {
        self.is_given_back = true;
    }

    /// Takes in what was seen and gives what is new of it.
    pub(super) fn see(&mut self, seen: Seen) -> Vec<MachineNews> {
        match seen {
            Seen::Pods(change) => {
                if self.is_known("pods", &change) {
                    self.see_pods(change);
                }
            }
            Seen::Job(change) => {
                if self.is_known("job", &change) {
                    self.see_job(change);
                }
            }
            Seen::Warnings(change) => match change {
                Change::All(warnings) => warnings.into_iter().for_each(|one| self.warn(one)),
                Change::Is(warning) => self.warn(warning),
                // Events are deleted by their age. What they would say beside the rest is worth no words.
                Change::Gone(_) | Change::Unknown(_) => {}
            },
        }
        // What was said of the creation of pods is over when all are there, and events stay for an hour.
        if self.wanted.is_some_and(|wanted| self.pods.len() >= wanted) {
            self.creation = None;
        }
        self.news()
    }

    fn lacks_pods(&self) -> bool {
        let all_exist = self.wanted.is_none_or(|wanted| self.pods.len() >= wanted);
        self.pods_are_known && !all_exist && !self.is_given_back
    }

    fn is_known<T>(&mut self, what: &'static str, change: &Change<T>) -> bool {
        if let Change::Unknown(why) = change {
            self.unknown.insert(what, why.clone());
            return false;
        }
        self.unknown.remove(what);
        true
    }

    fn see_pods(&mut self, change: Change<PodState>) {
        match change {
            Change::All(pods) => {
                self.pods_are_known = true;
                self.pods = pods
                    .into_iter()
                    .map(|pod| (pod.name.clone(), pod))
                    .collect();
            }
            Change::Is(pod) => {
                self.pods.insert(pod.name.clone(), pod);
            }
            Change::Gone(pod) => {
                self.pods.remove(&pod.name);
            }
            Change::Unknown(_) => {}
        }
        let has_not_started =
            |pod: &PodState| matches!(pod.state, MachineState::Waiting | MachineState::Starting);
        let pods = &self.pods;
        self.warnings
            .retain(|name, _| pods.get(name).is_some_and(has_not_started));
    }

    fn see_job(&mut self, change: Change<JobState>) {
        match change {
            Change::All(jobs) => match jobs.into_iter().next() {
                Some(job) => self.see_job(Change::Is(job)),
                // Unless it has yet to be made.
                None => self.job_is_gone = self.wanted.is_some(),
            },
            Change::Is(job) => {
                self.wanted = Some(job.parallelism);
                self.job_failure = job.failure;
                self.job_is_suspended = job.suspended;
                self.job_is_gone = false;
            }
            Change::Gone(_) => self.job_is_gone = true,
            Change::Unknown(_) => {}
        }
    }

    fn warn(&mut self, warning: Warning) {
        let text = bounded(&said(&warning.reason, warning.message.as_deref()));
        if warning.object == self.job {
            if warning.reason == "FailedCreate" {
                self.creation = Some(text);
            }
        } else if self.pods.contains_key(&warning.object)
            && !KNOWN_OTHERWISE.contains(&warning.reason.as_str())
        {
            self.warnings.insert(warning.object, text);
        }
    }

    /// What differs from what was reported.
    fn news(&mut self) -> Vec<MachineNews> {
        let now = self.now();
        let before: BTreeSet<&String> = self.reported.keys().collect();
        let ended: Vec<String> = before
            .into_iter()
            .filter(|machine| !now.contains_key(*machine))
            .cloned()
            .collect();
        let mut news: Vec<MachineNews> = now
            .iter()
            .filter(|(machine, is)| self.reported.get(*machine) != Some(is))
            .map(|(machine, (state, reason))| MachineNews {
                machine: machine.clone(),
                state: *state,
                reason: reason.clone(),
            })
            .collect();
        news.extend(ended.into_iter().map(|machine| MachineNews {
            machine,
            state: MachineState::Gone,
            reason: None,
        }));
        self.reported = now;
        news
    }

    fn now(&self) -> BTreeMap<String, (MachineState, Option<String>)> {
        let mut now = BTreeMap::new();
        for (name, pod) in &self.pods {
            let reason = pod.reason.as_ref().or_else(|| self.warnings.get(name));
            now.insert(name.clone(), (pod.state, reason.cloned()));
        }
        let failure = match &self.job_failure {
            Some(failure) => Some(failure.clone()),
            None if self.job_is_gone && !self.is_given_back => {
                Some("the Job was deleted".to_owned())
            }
            None => None,
        };
        let waiting = || {
            let suspended = self.job_is_suspended.as_ref();
            suspended
                .or(self.creation.as_ref().filter(|_| self.lacks_pods()))
                .or_else(|| self.unknown.values().next())
        };
        let of_the_job = match failure {
            Some(failure) => Some((MachineState::Failed, Some(failure))),
            None => waiting().map(|why| (MachineState::Waiting, Some(why.clone()))),
        };
        if let Some(state) = of_the_job {
            now.insert(self.job.clone(), state);
        }
        now
    }
}

#[cfg(test)]
mod tests {
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

    fn shown(news: &[MachineNews]) -> Vec<String> {
        news.iter()
            .map(|one| {
                let reason = one.reason.as_deref().unwrap_or("-");
                format!("{} {} {reason}", one.machine, one.state.word())
            })
            .collect()
    }

    #[test]
    fn pods_are_reported_when_something_is_new_of_them() {
        let mut observed = Observed::of("j".to_owned());
        let all = |state| Seen::Pods(Change::All(vec![pod("j-0-a", state, None)]));
        let news = observed.see(all(MachineState::Waiting));
        assert_eq!(shown(&news), ["j-0-a waiting -"]);
        assert!(observed.see(all(MachineState::Waiting)).is_empty());
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
        assert!(observed.see(Seen::Pods(Change::All(Vec::new()))).is_empty());
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
}
