//! What a pod says of itself, in few words.

use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus,
};

use super::errors::bounded;
use super::manifests::CONTAINER;
use crate::provisioning::MachineState;

/// A pod as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodState {
    pub(super) name: String,
    pub(super) state: MachineState,
    /// Why it is not running.
    pub(super) reason: Option<String>,
}

/// What waits without anything being wrong.
const USUAL_REASONS: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// The condition of a pod that the cluster takes away: preempted, evicted, its node drained or gone.
const DISRUPTED: &str = "DisruptionTarget";

pub(super) fn read(pod: &Pod) -> Option<PodState> {
    let name = pod.metadata.name.clone()?;
    let (state, reason) = match &pod.status {
        Some(status) => state_of(status),
        None => (MachineState::Waiting, None),
    };
    Some(PodState {
        name,
        state,
        reason,
    })
}

fn state_of(status: &PodStatus) -> (MachineState, Option<String>) {
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let agent = containers.iter().find(|one| one.name == CONTAINER);
    let agent = agent.and_then(|one| one.state.as_ref());
    // The agent's end is what counts, whatever containers beside it do.
    if let Some(ended) = agent.and_then(|state| state.terminated.as_ref()) {
        return end_of(status, ended);
    }
    match status.phase.as_deref() {
        Some("Succeeded") => (MachineState::Gone, None),
        Some("Failed") => (MachineState::Failed, Some(failure_of(status))),
        _ if agent.is_some_and(|state| state.running.is_some()) => (MachineState::Running, None),
        _ => match unscheduled(status) {
            Some(reason) => (MachineState::Waiting, Some(reason)),
            None if is_scheduled(status) => (MachineState::Starting, waiting_of(status)),
            None => (MachineState::Waiting, None),
        },
    }
}

fn end_of(status: &PodStatus, ended: &ContainerStateTerminated) -> (MachineState, Option<String>) {
    if ended.exit_code == 0 {
        return (MachineState::Gone, None);
    }
    let why = match ended.reason.as_deref() {
        None | Some("" | "Error") => match (disruption_of(status), ended.signal) {
            (Some(disruption), _) => disruption,
            (None, Some(signal)) if signal > 0 => format!("ended by signal {signal}"),
            (None, _) => "ended".to_owned(),
        },
        Some(reason) => reason.to_owned(),
    };
    let code = ended.exit_code;
    let message = said("", ended.message.as_deref());
    let reason = bounded(&format!("{why} (exit code {code}){message}"));
    (MachineState::Failed, Some(reason))
}

/// Of a pod that failed without its agent having ended: it never started, or its node is gone.
fn failure_of(status: &PodStatus) -> String {
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty());
    match (reason, disruption_of(status)) {
        (Some(reason), _) => bounded(&said(reason, status.message.as_deref())),
        (None, Some(disruption)) => disruption,
        (None, None) => waiting_of(status).unwrap_or_else(|| "failed".to_owned()),
    }
}

fn disruption_of(status: &PodStatus) -> Option<String> {
    let condition = condition(status, DISRUPTED).filter(|one| one.status == "True")?;
    let reason = condition.reason.as_deref().unwrap_or(DISRUPTED);
    Some(bounded(&said(reason, condition.message.as_deref())))
}

fn is_scheduled(status: &PodStatus) -> bool {
    condition(status, "PodScheduled").is_some_and(|one| one.status == "True")
}

/// Why there is no node for it.
fn unscheduled(status: &PodStatus) -> Option<String> {
    let condition = condition(status, "PodScheduled").filter(|one| one.status == "False")?;
    let reason = condition.reason.as_deref().unwrap_or("Unschedulable");
    Some(bounded(&said(reason, condition.message.as_deref())))
}

/// Why the first container waits that waits for something unusual.
fn waiting_of(status: &PodStatus) -> Option<String> {
    let lists = [&status.init_container_statuses, &status.container_statuses];
    let all = lists.into_iter().flatten().flatten();
    all.filter_map(waiting_container).next()
}

fn waiting_container(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    if let Some(ended) = &state.terminated {
        // An init container; the agent's own end is read elsewhere.
        let (name, code) = (&status.name, ended.exit_code);
        return (code != 0).then(|| bounded(&format!("{name} ended (exit code {code})")));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    if reason.is_empty() || USUAL_REASONS.contains(&reason) {
        return None;
    }
    Some(bounded(&said(reason, waiting.message.as_deref())))
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    conditions.iter().find(|one| one.type_ == kind)
}

/// `Reason: message`.
pub(super) fn said(reason: &str, message: Option<&str>) -> String {
    match message.map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(status: &Value) -> (MachineState, Option<String>) {
        let pod = json!({ "metadata": { "name": "p" }, "status": status });
        let pod = read(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(pod.name, "p");
        (pod.state, pod.reason)
    }

    fn agent(state: &Value) -> Value {
        json!([{
            "name": "agent", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }])
    }

    #[test]
    fn states_and_reasons_are_those_that_clusters_give() {
        use MachineState::{Failed, Gone, Running, Starting, Waiting};
        let scheduled = json!([{ "type": "PodScheduled", "status": "True" }]);
        let pulling = json!({ "waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\": not found",
        } });
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        let config = json!({ "waiting": {
            "reason": "CreateContainerConfigError", "message": "secret \"greylag-r\" not found",
        } });
        let cases = [
            (json!({ "phase": "Pending" }), Waiting, None),
            (
                json!({ "phase": "Pending", "conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient cpu.",
                }] }),
                Waiting,
                Some("Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."),
            ),
            (
                json!({ "phase": "Pending", "conditions": scheduled, "containerStatuses": agent(&creating) }),
                Starting,
                None,
            ),
            (
                json!({ "phase": "Pending", "conditions": scheduled, "containerStatuses": agent(&pulling) }),
                Starting,
                Some("ImagePullBackOff: Back-off pulling image \"x\": not found"),
            ),
            (
                json!({ "phase": "Pending", "conditions": scheduled, "containerStatuses": agent(&config) }),
                Starting,
                Some("CreateContainerConfigError: secret \"greylag-r\" not found"),
            ),
            (
                json!({ "phase": "Running", "conditions": scheduled,
                    "containerStatuses": agent(&json!({ "running": {} })) }),
                Running,
                None,
            ),
            (
                json!({ "phase": "Failed",
                    "containerStatuses": agent(&json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } })) }),
                Failed,
                Some("OOMKilled (exit code 137)"),
            ),
            (
                json!({ "phase": "Failed",
                    "containerStatuses": agent(&json!({ "terminated": { "exitCode": 1, "reason": "Error" } })) }),
                Failed,
                Some("ended (exit code 1)"),
            ),
            (
                json!({ "phase": "Failed", "conditions": [{
                    "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
                    "message": "default-scheduler: preempting to accommodate a higher priority pod",
                }], "containerStatuses": agent(&json!({ "terminated": { "exitCode": 143, "reason": "Error" } })) }),
                Failed,
                Some(
                    "PreemptionByScheduler: default-scheduler: preempting to accommodate a higher priority pod (exit code 143)",
                ),
            ),
            (
                json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." }),
                Failed,
                Some("Evicted: The node was low on resource: memory."),
            ),
            (json!({ "phase": "Succeeded" }), Gone, None),
            (
                // A container beside the agent that does not end.
                json!({ "phase": "Running", "containerStatuses": agent(&json!({ "terminated": { "exitCode": 0 } })) }),
                Gone,
                None,
            ),
        ];
        for (status, state, reason) in cases {
            assert_eq!(
                shown(&status),
                (state, reason.map(str::to_owned)),
                "{status}"
            );
        }
    }
}
