//! What a cluster does by itself: pods for Jobs, the status of Jobs, and an end for what belonged to a Job that is gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::text;
use super::{NAMESPACE, Shared, State, kubelet};

/// How often the cluster looks at itself, beside each time that something has changed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The label and annotation with a pod's index.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Runs the controllers until the task is aborted.
pub(super) async fn control(shared: Arc<Shared>) {
    let mut version = shared.version.subscribe();
    loop {
        version.mark_unchanged();
        let new_pods = shared.change(|state| {
            let new_pods = create_pods(state);
            judge_jobs(state);
            collect_garbage(state);
            new_pods
        });
        for pod in new_pods {
            tokio::spawn(kubelet::run(Arc::clone(&shared), pod));
        }
        // Its own changes wake it once more, and find nothing to do.
        let _ = tokio::time::timeout(LOOK_EVERY, version.changed()).await;
    }
}

/// Creates the pods that Jobs lack, and gives their names.
fn create_pods(state: &mut State) -> Vec<String> {
    let mut created = Vec::new();
    for job in state.objects.all("jobs") {
        let uid = text(&job["metadata"]["uid"]);
        let name = text(&job["metadata"]["name"]);
        let is_over = job["status"]["conditions"].is_array();
        let wanted = job["spec"]["completions"].as_u64().unwrap_or(1) as usize;
        let pods = state.objects.all("pods");
        let existing: BTreeSet<String> = pods
            .iter()
            .filter(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == *uid)
            .map(|pod| text(&pod["metadata"]["annotations"][INDEX]))
            .collect();
        for index in (0..wanted).filter(|index| !is_over && !existing.contains(&index.to_string()))
        {
            let pod_name = format!("{name}-{index}-{:05x}", state.objects.version() % 0xfffff);
            if state
                .quota
                .is_some_and(|most| state.objects.all("pods").len() >= most)
            {
                let message = format!(
                    "Error creating: pods \"{pod_name}\" is forbidden: exceeded quota: load, requested: pods=1, used: pods={most}, limited: pods={most}",
                    most = state.quota.unwrap_or_default(),
                );
                warn(state, ("Job", &name), "FailedCreate", &message);
                break;
            }
            let mut pod = job["spec"]["template"].clone();
            pod["apiVersion"] = json!("v1");
            pod["kind"] = json!("Pod");
            pod["metadata"]["name"] = json!(pod_name);
            pod["metadata"]["namespace"] = json!(NAMESPACE);
            pod["metadata"]["annotations"][INDEX] = json!(index.to_string());
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true,
            }]);
            pod["status"] = json!({ "phase": "Pending" });
            if state.objects.create("pods", pod).is_ok() {
                created.push(pod_name);
            }
        }
    }
    created
}

/// Writes an event, once.
fn warn(state: &mut State, (kind, name): (&str, &str), reason: &str, message: &str) {
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": format!("{name}.{reason}"), "namespace": NAMESPACE },
        "involvedObject": { "kind": kind, "name": name, "namespace": NAMESPACE },
        "type": "Warning", "reason": reason, "message": message,
    });
    // It exists already from the second time on.
    let _ = state.objects.create("events", event);
}

/// A Job is over when all of its pods are.
fn judge_jobs(state: &mut State) {
    for job in state.objects.all("jobs") {
        let uid = text(&job["metadata"]["uid"]);
        let name = text(&job["metadata"]["name"]);
        let wanted = job["spec"]["completions"].as_u64().unwrap_or(1) as usize;
        let mut pods = state.objects.all("pods");
        pods.retain(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == *uid);
        let in_phase = |phase: &str| -> usize {
            pods.iter()
                .filter(|pod| pod["status"]["phase"] == phase)
                .count()
        };
        let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
        if succeeded + failed < wanted || job["status"]["conditions"].is_array() {
            continue;
        }
        let condition = if failed == 0 {
            json!({ "type": "Complete", "status": "True" })
        } else {
            json!({
                "type": "Failed", "status": "True", "reason": "FailedIndexes",
                "message": "Job has failed indexes",
            })
        };
        state.objects.update("jobs", &name, |job| {
            job["status"] = json!({
                "succeeded": succeeded, "failed": failed, "conditions": [condition],
            });
        });
    }
}

/// Ends what is owned by something that is gone. Pods are deleted by their kubelet.
fn collect_garbage(state: &mut State) {
    let jobs = state.objects.all("jobs");
    let uids: BTreeSet<String> = jobs
        .iter()
        .map(|job| text(&job["metadata"]["uid"]))
        .collect();
    let is_orphan = |object: &Value| {
        let owner = &object["metadata"]["ownerReferences"][0]["uid"];
        owner.as_str().is_some_and(|owner| !uids.contains(owner))
    };
    for secret in state.objects.all("secrets").into_iter().filter(is_orphan) {
        state
            .objects
            .delete("secrets", &text(&secret["metadata"]["name"]));
    }
    for pod in state.objects.all("pods").into_iter().filter(is_orphan) {
        state
            .objects
            .update("pods", &text(&pod["metadata"]["name"]), |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            });
    }
}
