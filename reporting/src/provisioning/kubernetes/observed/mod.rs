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
use crate::provisioning::{MachineNews, MachineState, ProviderNews};

/// Warnings about a pod that its status has, too, or that say nothing about why it does not start.
const KNOWN_OTHERWISE: [&str; 6] = [
    "FailedScheduling",
    "Failed",
    "BackOff",
    "InspectFailed",
    "ErrImageNeverPull",
    "Unhealthy",
];

/// Reasons why a Job has failed that its pods know better.
const SAID_BY_PODS: [&str; 2] = ["FailedIndexes", "BackoffLimitExceeded"];

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
    /// How many pods have ended, also of those that are gone.
    ended: usize,
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
    let status = job.status.as_ref();
    let ended = status
        .into_iter()
        .flat_map(|status| [status.failed, status.succeeded]);
    let ended = ended
        .flatten()
        .filter_map(|pods| usize::try_from(pods).ok());
    Some(JobState {
        parallelism: parallelism.and_then(|pods| usize::try_from(pods).ok())?,
        ended: ended.sum(),
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
    /// How many the Job says have ended.
    ended: usize,
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
    reported_at_most: Option<usize>,
}

impl Observed {
    pub(super) fn of(job: String) -> Self {
        Self {
            job,
            pods: BTreeMap::new(),
            pods_are_known: false,
            warnings: BTreeMap::new(),
            wanted: None,
            ended: 0,
            job_failure: None,
            job_is_suspended: None,
            job_is_gone: false,
            is_given_back: false,
            creation: None,
            unknown: BTreeMap::new(),
            reported: BTreeMap::new(),
            reported_at_most: None,
        }
    }

    /// From now on the Job and its pods go as they are meant to.
    pub(super) fn is_given_back(&mut self) {
        self.is_given_back = true;
    }

    /// Takes in what was seen and gives what is new of it.
    pub(super) fn see(&mut self, seen: Seen) -> Vec<ProviderNews> {
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
        let mut news: Vec<ProviderNews> = self.news().into_iter().map(Into::into).collect();
        let at_most = self.at_most();
        if at_most != self.reported_at_most {
            self.reported_at_most = at_most;
            // Why, is before it.
            news.extend(at_most.map(ProviderNews::AtMost));
        }
        news
    }

    /// How many pods run or may still do so: none is made in the place of one that has ended.
    fn at_most(&self) -> Option<usize> {
        let wanted = self
            .wanted
            .filter(|_| self.pods_are_known && !self.is_given_back)?;
        let is_over = self.job_is_gone || self.job_failure.is_some() && !self.is_said_by_pods();
        if is_over {
            return Some(0);
        }
        let ended =
            |pod: &&PodState| matches!(pod.state, MachineState::Failed | MachineState::Gone);
        let seen_to_end = self.pods.values().filter(ended).count();
        // What the Job counts beyond that has ended and is gone; or it has been faster than its pods, whose news come.
        let absent = wanted.saturating_sub(self.pods.len());
        let gone = self.ended.saturating_sub(seen_to_end).min(absent);
        Some(wanted.saturating_sub(seen_to_end + gone))
    }

    /// Whether the Job has failed for nothing but that pods have.
    fn is_said_by_pods(&self) -> bool {
        let failure = self.job_failure.as_deref().unwrap_or_default();
        SAID_BY_PODS
            .iter()
            .any(|reason| failure.starts_with(reason))
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
                self.ended = job.ended;
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
        let has_failed = |pod: &PodState| pod.state == MachineState::Failed;
        let failure = match &self.job_failure {
            Some(_) if self.is_said_by_pods() && self.pods.values().any(has_failed) => None,
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
mod tests;
