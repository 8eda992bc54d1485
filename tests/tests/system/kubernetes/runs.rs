//! Whole runs on pods: they come, run and go, whatever happens on the way.

use std::time::Duration;

use greylag_tests::{Cluster, KubernetesStandIn, Nginx, PodFate, heavy, wait};
use serde_json::{Value, json};

use super::INFRASTRUCTURE;
use crate::support::{RUN_TIMEOUT, SOON, assert_finishes_as_logged, greylag, test};

/// A coordinator whose infrastructure is a cluster.
struct Site {
    kubernetes: KubernetesStandIn,
    coordinator: Cluster,
    nginx: Nginx,
}

impl Site {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// With further settings of the coordinator, as lines of its file.
    async fn start_with(settings: &str) -> Self {
        Self::on(KubernetesStandIn::start(&greylag()).await, settings).await
    }

    async fn on(kubernetes: KubernetesStandIn, settings: &str) -> Self {
        let config = kubernetes.directory().join("coordinator.toml");
        let text = format!(
            "{settings}[infrastructures.{INFRASTRUCTURE:?}]\nkind = \"kubernetes\"\n\
             image = \"registry.example/greylag\"\nkubeconfig = {:?}\n",
            kubernetes.kubeconfig(),
        );
        std::fs::write(&config, text).expect("the directory is ours");
        let config = config.to_str().expect("a path in UTF-8");
        Self {
            coordinator: Cluster::start_with(&greylag(), &["--config", config]).await,
            nginx: Nginx::start().await,
            kubernetes,
        }
    }

    async fn ask(&self, changes: Value) -> String {
        let mut all =
            json!({ "users": 4, "ramp_up": 0, "duration": 2, "share": false, "workers": 2 });
        let keys = changes.as_object().expect("an object").clone();
        all.as_object_mut().expect("an object").extend(keys);
        let load = test(&self.nginx.url(), INFRASTRUCTURE, all);
        self.coordinator.api().start(&load).await
    }

    async fn wait_for_log(&self, id: &str, words: &str) -> String {
        wait::until(words, SOON, async || {
            let log = self.coordinator.api().log(id).await;
            if log.contains(words) {
                Ok(log)
            } else {
                Err(log)
            }
        })
        .await
    }

    /// Waits until the run says that it waits for this.
    async fn wait_for_reason(&self, id: &str, words: &str) {
        let says = |progress: &Value| {
            let waiting = progress["waiting"].as_str().unwrap_or_default();
            waiting.contains(words)
        };
        self.coordinator.api().wait_for(id, words, SOON, says).await;
    }

    /// Nothing is left of a run: neither Job nor Secret nor pod, and no process.
    async fn wait_until_nothing_is_left(&self) {
        wait::until("an empty cluster", RUN_TIMEOUT, async || {
            let left: Vec<Value> = ["jobs", "secrets", "pods"]
                .into_iter()
                .flat_map(|resource| self.kubernetes.objects(resource))
                .collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(json!(left).to_string())
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_run_gets_its_agents_as_pods_and_leaves_nothing() {
    let _turn = heavy().await;
    let kubernetes = KubernetesStandIn::start_encrypted(&greylag()).await;
    let site = Site::on(kubernetes, "").await;
    let id = site.ask(json!({ "agents": 2, "duration": 5 })).await;
    // They end with their run, so they are looked for from its beginning on.
    let names = wait::until("two agents", RUN_TIMEOUT, async || {
        let known = site.coordinator.api().infrastructures().await;
        let infrastructure = &known[0];
        assert_eq!(infrastructure["kind"], json!("kubernetes"));
        let agents = infrastructure["agents"].as_array().into_iter().flatten();
        let names = agents.filter_map(|agent| agent["name"].as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        if names.len() == 2 {
            Ok(names)
        } else {
            Err(known.to_string())
        }
    })
    .await;
    let pods = site.kubernetes.objects("pods");
    assert!(pods.len() <= 2, "{pods:?}");
    for (index, name) in names.iter().enumerate() {
        assert!(
            name.starts_with(&format!("greylag-{id}-{index}-")),
            "{names:?}"
        );
    }
    site.wait_for_log(&id, "All workers are ready").await;
    site.wait_for_log(&id, "the machines have been given back")
        .await;
    site.wait_until_nothing_is_left().await;
    let log = site.coordinator.api().log(&id).await;
    assert!(!log.contains("the Job was deleted"), "{log}");
    let Site {
        coordinator, nginx, ..
    } = site;
    assert_finishes_as_logged(&coordinator, nginx, &id).await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_leaves_nothing() {
    let _turn = heavy().await;
    let site = Site::start().await;
    let api = site.coordinator.api();
    let id = site.ask(json!({ "duration": 600 })).await;
    api.wait_for_requests(&id, 1, RUN_TIMEOUT).await;
    assert_eq!(site.kubernetes.objects("secrets").len(), 1);
    api.stop(&id).await;
    site.wait_until_nothing_is_left().await;

    let message = "0/3 nodes are available: 3 Insufficient cpu.";
    site.kubernetes
        .decide(0, PodFate::Unschedulable(message.to_owned()));
    let id = site.ask(json!({ "duration": 600 })).await;
    site.wait_for_reason(&id, &format!("Unschedulable: {message}"))
        .await;
    site.wait_for_log(&id, &format!("Unschedulable: {message}"))
        .await;
    let known = api.infrastructures().await;
    let machine = &known[0]["machines"][0];
    assert_eq!(machine["state"], json!("waiting"), "{known}");
    assert_eq!(
        machine["reason"],
        json!(format!("Unschedulable: {message}"))
    );
    api.stop(&id).await;
    site.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn a_pod_that_runs_out_of_memory_is_named_with_its_exit_code() {
    let _turn = heavy().await;
    // The run fails when the lease is over.
    let site = Site::start_with("lease = \"5s\"\n").await;
    let api = site.coordinator.api();
    let out_of_memory = site.kubernetes.directory().join("out-of-memory");
    site.kubernetes
        .decide(1, PodFate::OutOfMemory(out_of_memory.clone()));
    let id = site.ask(json!({ "duration": 600, "agents": 2 })).await;
    api.wait_for_requests(&id, 1, RUN_TIMEOUT).await;
    std::fs::write(out_of_memory, "").expect("the directory is ours");
    let log = site
        .wait_for_log(&id, "failed: OOMKilled (exit code 137)")
        .await;
    assert!(log.contains(&format!("greylag-{id}-1-")), "{log}");
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    site.wait_until_nothing_is_left().await;
}

/// Killed when the Job exists and the Secret does not.
#[tokio::test]
async fn a_coordinator_killed_between_job_and_prepare_goes_on_and_leaves_nothing() {
    let _turn = heavy().await;
    let mut site = Site::start().await;
    let pid = site.coordinator.coordinator().pid();
    site.kubernetes.kill_after_job(pid);
    let id = site.ask(json!({ "agents": 2 })).await;
    wait::until_true("a Job", SOON, || {
        !site.kubernetes.objects("jobs").is_empty()
    })
    .await;
    site.coordinator.kill_coordinator().await;
    assert!(site.kubernetes.objects("secrets").is_empty());
    site.coordinator.restart_coordinator().await;
    let api = site.coordinator.api();
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    site.wait_until_nothing_is_left().await;

    // And while its agents are on their way: another run, whose pods have no place.
    site.kubernetes
        .decide(0, PodFate::Unschedulable("no nodes".to_owned()));
    let id = site.ask(json!({})).await;
    site.wait_for_reason(&id, "Unschedulable: no nodes").await;
    site.coordinator.kill_coordinator().await;
    site.coordinator.restart_coordinator().await;
    site.wait_for_reason(&id, "Unschedulable: no nodes").await;
    assert_eq!(site.kubernetes.objects("jobs").len(), 1);
    site.coordinator.api().stop(&id).await;
    site.wait_until_nothing_is_left().await;
}

/// Killed while it is not known whether there will be a Job, and again while that of a run that is over is looked for.
#[tokio::test]
async fn a_job_whose_creation_was_not_answered_is_adopted_or_given_back_after_a_kill() {
    let _turn = heavy().await;
    let mut site = Site::start().await;
    site.kubernetes.hold_up_jobs();
    let id = site.ask(json!({})).await;
    site.kubernetes.wait_for_held_up_job().await;
    site.coordinator.kill_coordinator().await;
    site.coordinator.restart_coordinator().await;
    site.kubernetes.let_jobs_in();
    let api = site.coordinator.api();
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    site.wait_until_nothing_is_left().await;

    site.kubernetes.hold_up_jobs();
    let id = site.ask(json!({})).await;
    site.kubernetes.wait_for_held_up_job().await;
    site.coordinator.api().stop(&id).await;
    site.coordinator.kill_coordinator().await;
    site.kubernetes.forget_uses();
    site.coordinator.restart_coordinator().await;
    wait::until_true("somebody to look for the Job", SOON, || {
        let used = site.kubernetes.used();
        used.iter().any(|used| used.verb == "get")
    })
    .await;
    site.kubernetes.let_jobs_in();
    site.wait_for_log(&id, "the machines have been given back")
        .await;
    site.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn a_run_whose_pods_have_failed_does_not_wait_for_others() {
    let _turn = heavy().await;
    let site = Site::start().await;
    let out_of_memory = site.kubernetes.directory().join("out-of-memory");
    std::fs::write(&out_of_memory, "").expect("the directory is ours");
    site.kubernetes.decide(0, PodFate::Evicted);
    site.kubernetes
        .decide(1, PodFate::OutOfMemory(out_of_memory));
    // One of three is left.
    let id = site.ask(json!({ "agents": "2..3" })).await;
    let failed = site
        .coordinator
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = failed["failure_reason"].as_str().unwrap_or_default();
    assert!(
        reason
            .starts_with("infrastructure on demand did not make the machines: 2 machines failed (")
            && reason.contains("Evicted: The node was low on resource: ephemeral-storage.")
            && reason.contains("OOMKilled (exit code 137)"),
        "{failed}"
    );
    site.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn a_cluster_that_refuses_fails_the_run_with_what_is_missing() {
    let _turn = heavy().await;
    let site = Site::start().await;
    site.kubernetes.forbid("create", "jobs");
    let id = site.ask(json!({})).await;
    let failed = site
        .coordinator
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = failed["failure_reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("cannot create resource \"jobs\" in API group \"batch\""),
        "{failed}"
    );
    site.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn a_run_goes_on_without_the_api_server_and_is_given_back_when_it_answers() {
    const AWAY: Duration = Duration::from_secs(2);
    /// Requests of about three seconds.
    const SOME: u64 = 200;
    let _turn = heavy().await;
    let site = Site::start().await;
    site.kubernetes.go_away();
    let api = site.coordinator.api();
    let id = site.ask(json!({ "duration": 600 })).await;
    // Unless it is still to be found out what is there.
    site.wait_for_reason(&id, " in namespace load-tests").await;
    site.kubernetes.come_back();
    api.wait_for_requests(&id, 1, RUN_TIMEOUT).await;
    site.kubernetes.go_away();
    let progress = api.wait_for_requests(&id, 1, RUN_TIMEOUT).await;
    let counted = progress["requests"].as_u64().expect("a number");
    api.wait_for_requests(&id, counted + SOME, RUN_TIMEOUT)
        .await;
    api.stop(&id).await;
    let stopped = api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    assert_eq!(stopped["failure_code"], "stopped_by_user", "{stopped}");
    site.wait_for_log(&id, "the machines cannot be given back")
        .await;
    // Longer than the first pauses are.
    tokio::time::sleep(AWAY).await;
    site.kubernetes.come_back();
    site.wait_until_nothing_is_left().await;
}
