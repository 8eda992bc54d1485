//! One pod: its place, its container, which is a process, and its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::controllers::INDEX;
use super::objects::text;
use super::{NAMESPACE, PodFate, Shared};
use crate::process::Process;

/// How often a kubelet looks at its pod and its process.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// How long a process is given to end after SIGTERM; clusters give it what its pod says.
const GRACE: Duration = Duration::from_secs(10);

/// What a process that was killed ended with, as shells count it.
const KILLED: i32 = 137;

/// Runs a pod until it is gone.
pub(super) async fn run(shared: Arc<Shared>, name: String) {
    let pod = Pod { shared, name };
    let Some(object) = pod.object() else {
        return;
    };
    let index = text(&object["metadata"]["annotations"][INDEX]);
    let index: usize = index.parse().expect("pods of indexed Jobs have an index");
    let fate = pod.shared.state().fates.get(&index).cloned();
    let fate = fate.unwrap_or(PodFate::Runs);
    match fate {
        PodFate::Unschedulable(message) => pod.set(json!({
            "phase": "Pending",
            "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            }],
        })),
        PodFate::ImagePullBackOff => pod.set(pending(
            "ImagePullBackOff",
            "Back-off pulling image \"registry.example/greylag\": ErrImagePull: not found",
        )),
        PodFate::Evicted => pod.set(json!({
            "phase": "Failed", "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage.",
        })),
        PodFate::Runs => pod.run_container(container_of(&object), None).await,
        PodFate::OutOfMemory(when) => {
            pod.run_container(container_of(&object), Some(when)).await;
        }
    }
    while !pod.is_deleted() {
        sleep(LOOK_EVERY).await;
    }
    pod.shared
        .change(|state| state.objects.delete("pods", &pod.name));
}

struct Pod {
    shared: Arc<Shared>,
    name: String,
}

impl Pod {
    fn object(&self) -> Option<Value> {
        self.shared.state().objects.get("pods", &self.name).cloned()
    }

    fn set(&self, status: Value) {
        self.shared.change(|state| {
            state
                .objects
                .update("pods", &self.name, |pod| pod["status"] = status);
        });
    }

    fn is_deleted(&self) -> bool {
        let pod = self.object();
        pod.is_none_or(|pod| pod["metadata"]["deletionTimestamp"].is_string())
    }

    async fn run_container(&self, container: Value, out_of_memory: Option<PathBuf>) {
        self.set(pending("ContainerCreating", ""));
        let variables = loop {
            match self.variables(&container) {
                Ok(variables) => break variables,
                Err(missing) => self.set(pending("CreateContainerConfigError", &missing)),
            }
            if self.is_deleted() {
                return;
            }
            sleep(LOOK_EVERY).await;
        };
        let directory = TempDir::new().expect("a temporary directory");
        let mut command = self.shared.greylag.command(arguments(&container));
        command.envs(variables).current_dir(directory.path());
        let mut process = Process::start(format!("pod {}", self.name), &mut command);
        self.set(json!({
            "phase": "Running",
            "conditions": [{ "type": "PodScheduled", "status": "True" }],
            "containerStatuses": [status(&json!({ "running": {} }))],
        }));
        let mut terminated_at = None;
        let mut is_out_of_memory = false;
        while process.is_running() {
            if out_of_memory.as_ref().is_some_and(|when| when.exists()) {
                is_out_of_memory = true;
                for worker in process.descendants() {
                    worker.signal(Signal::KILL);
                }
                process.signal(Signal::KILL);
            }
            if self.is_deleted() {
                let since = *terminated_at.get_or_insert_with(|| {
                    process.signal(Signal::TERM);
                    Instant::now()
                });
                if since.elapsed() > GRACE {
                    process.signal(Signal::KILL);
                }
            }
            sleep(LOOK_EVERY).await;
        }
        let ended = process.try_status().and_then(|status| status.code());
        let code = ended.unwrap_or(KILLED);
        let (phase, reason) = match code {
            _ if is_out_of_memory => ("Failed", "OOMKilled"),
            0 => ("Succeeded", "Completed"),
            _ => ("Failed", "Error"),
        };
        let ended = json!({ "terminated": { "exitCode": code, "reason": reason } });
        self.set(json!({ "phase": phase, "containerStatuses": [status(&ended)] }));
    }

    /// The container's variables, or what is missing for them.
    fn variables(&self, container: &Value) -> Result<Vec<(String, String)>, String> {
        let state = self.shared.state();
        let list = container["env"].as_array().into_iter().flatten();
        list.map(|variable| {
            let source = &variable["valueFrom"];
            let value = if source.is_null() {
                text(&variable["value"])
            } else if source["fieldRef"]["fieldPath"] == "metadata.name" {
                self.name.clone()
            } else {
                let reference = &source["secretKeyRef"];
                let (secret, key) = (text(&reference["name"]), text(&reference["key"]));
                let found = state.objects.get("secrets", &secret);
                let found = found.ok_or_else(|| format!("secret \"{secret}\" not found"))?;
                let missing = || format!("couldn't find key {key} in Secret {NAMESPACE}/{secret}");
                let value = found["stringData"][&key].as_str();
                value.ok_or_else(missing)?.to_owned()
            };
            Ok((text(&variable["name"]), value))
        })
        .collect()
    }
}

fn container_of(pod: &Value) -> Value {
    pod["spec"]["containers"][0].clone()
}

fn arguments(container: &Value) -> Vec<String> {
    let arguments = container["args"].as_array().into_iter().flatten();
    arguments.map(text).collect()
}

fn pending(reason: &str, message: &str) -> Value {
    json!({
        "phase": "Pending",
        "conditions": [{ "type": "PodScheduled", "status": "True" }],
        "containerStatuses": [status(&json!({ "waiting": { "reason": reason, "message": message } }))],
    })
}

fn status(state: &Value) -> Value {
    json!({
        "name": "agent", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    })
}
