//! What the provider asks of an API server, and what it makes of the answers.

use greylag_reporting::provisioning::{MachineState, Provider};
use greylag_tests::{KubernetesStandIn, NAMESPACE, PodFate, wait};
use serde_json::json;

use super::{Asked, coordinator, settings};
use crate::support::{SOON, greylag};

async fn cluster() -> KubernetesStandIn {
    KubernetesStandIn::start(&greylag()).await
}

async fn wait_for_objects(cluster: &KubernetesStandIn, resource: &str, number: usize) {
    let what = format!("{number} {resource}");
    wait::until(&what, SOON, async || {
        let objects = cluster.objects(resource);
        if objects.len() == number {
            Ok(())
        } else {
            Err(json!(objects).to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_has_a_job_and_a_secret_until_it_is_given_back() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "k3v9x0000000", 3);
    asked.request().await.expect("the cluster is willing");
    asked.request().await.expect("asking again changes nothing");
    assert_eq!(cluster.objects("jobs").len(), 1);
    let secrets = cluster.objects("secrets");
    let job = &cluster.objects("jobs")[0];
    assert_eq!(secrets.len(), 1);
    let owner = &secrets[0]["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], job["metadata"]["uid"]);

    let mut followed = asked.follow();
    for index in 0..3 {
        let pod = format!("greylag-k3v9x0000000-{index}-");
        followed.wait_for(&pod, MachineState::Running, "").await;
    }
    let held = asked.provider.held().await.expect("a list");
    assert_eq!(held, std::slice::from_ref(&asked.order.run));

    asked.release().await;
    assert!(cluster.objects("jobs").is_empty() && cluster.objects("secrets").is_empty());
    wait_for_objects(&cluster, "pods", 0).await;
    asked.release().await;
    assert!(asked.provider.held().await.expect("a list").is_empty());
}

#[tokio::test]
async fn coordinators_leave_each_others_jobs_alone() {
    let cluster = cluster().await;
    let (one, other) = (coordinator(), coordinator());
    let mine = Asked::new(&cluster, &one, "mine00000000", 1);
    let theirs = Asked::new(&cluster, &other, "theirs000000", 1);
    mine.request().await.expect("the cluster is willing");
    theirs.request().await.expect("the cluster is willing");
    let held = mine.provider.held().await.expect("a list");
    assert_eq!(held, std::slice::from_ref(&mine.order.run));

    let foreign = Asked::new(&cluster, &one, "theirs000000", 1);
    let refused = foreign.request().await.expect_err("it is not ours");
    assert_eq!(
        refused,
        "final true: Job greylag-theirs000000 in namespace load-tests already exists and was not made for this run by this coordinator"
    );
    foreign.release().await;
    assert_eq!(cluster.objects("jobs").len(), 2);
    assert_eq!(cluster.objects("secrets").len(), 2);
}

#[tokio::test]
async fn a_job_that_is_made_after_its_run_was_stopped_is_given_back() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "k3v9x0000000", 1);
    cluster.hold_up_jobs();
    tokio::select! {
        _ = asked.request() => panic!("it is held up"),
        // The run is stopped: whoever asked goes.
        () = cluster.wait_for_held_up_job() => {}
    }
    let mut release = asked.provider.release(&asked.order.run);
    tokio::select! {
        released = &mut release => panic!("it may yet be made: {released:?}"),
        () = wait::until_true("somebody to look for the Job", SOON, || {
            cluster.used().iter().any(|used| used.verb == "get")
        }) => {}
    }
    assert!(cluster.objects("jobs").is_empty());
    cluster.let_jobs_in();
    release.await.expect("given back");
    assert!(cluster.objects("jobs").is_empty());
    wait_for_objects(&cluster, "pods", 0).await;
}

#[tokio::test]
async fn a_job_that_is_being_deleted_is_waited_for() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    asked.request().await.expect("the cluster is willing");
    cluster.begin_to_delete("jobs", "greylag-r");
    let refused = asked.request().await.expect_err("it is being deleted");
    assert_eq!(
        refused,
        "final false: Job greylag-r in namespace load-tests is being deleted"
    );
    cluster.remove("jobs", "greylag-r");
    asked.request().await.expect("the name is free");
    asked.release().await;
}

#[tokio::test]
async fn renewed_credentials_are_read() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    asked.request().await.expect("the cluster is willing");
    cluster.renew_token("another-token");
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty());
}

#[tokio::test]
async fn a_job_is_given_back_although_its_secret_must_not_be_deleted() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    asked.request().await.expect("the cluster is willing");
    cluster.forbid("delete", "secrets");
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty());
    // It goes with its owner.
    wait_for_objects(&cluster, "secrets", 0).await;
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_neither_used_nor_deleted() {
    let cluster = cluster().await;
    let secret =
        json!({ "metadata": { "name": "greylag-k3v9x0000000" }, "stringData": { "token": "x" } });
    cluster.put("secrets", secret);
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "k3v9x0000000", 1);
    asked.request().await.expect("the cluster is willing");
    assert_eq!(cluster.objects("secrets").len(), 2);
    let mut followed = asked.follow();
    followed
        .wait_for("greylag-k3v9x0000000-0-", MachineState::Running, "")
        .await;
    asked.release().await;
    assert_eq!(cluster.objects("secrets").len(), 1);
}

#[tokio::test]
async fn what_is_forbidden_is_named_and_final() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "k3v9x0000000", 1);
    cluster.forbid("create", "secrets");
    let refused = asked.request().await.expect_err("it is forbidden");
    assert!(
        refused.starts_with("final true: cannot create Secret greylag-k3v9x0000000-")
            && refused.contains(" in namespace load-tests: secrets is forbidden: User ")
            && refused.contains("cannot create resource \"secrets\""),
        "{refused}"
    );
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty(), "the Job is given back");
    cluster.forbid("create", "jobs");
    let refused = asked.request().await.expect_err("it is forbidden");
    assert!(
        refused.contains("cannot create resource \"jobs\" in API group \"batch\""),
        "{refused}"
    );
    let elsewhere = settings(&cluster, "image = \"x\"\nnamespace = \"another\"\n");
    let elsewhere = Asked::with(elsewhere, &data, "k3v9x0000000", 1);
    let refused = elsewhere
        .request()
        .await
        .expect_err("it is another namespace");
    assert!(
        refused.contains("in the namespace \"another\""),
        "{refused}"
    );
}

#[tokio::test]
async fn a_template_that_the_server_refuses_is_final() {
    let cluster = cluster().await;
    for (further, message) in [
        (
            "image = \"x\"\nresources = { requests = { cpu = \"lots\" } }",
            "quantities must match",
        ),
        (
            "image = \"x \"",
            "must not have leading or trailing whitespace",
        ),
    ] {
        let settings = settings(&cluster, further);
        let data = coordinator();
        let asked = Asked::with(settings, &data, "k3v9x0000000", 1);
        let refused = asked.request().await.expect_err("it is not valid");
        assert!(
            refused.starts_with("final true: cannot create Job "),
            "{refused}"
        );
        assert!(refused.contains(message), "{refused}");
    }
}

#[tokio::test]
async fn each_pod_says_why_it_does_not_run() {
    let cluster = cluster().await;
    let out_of_memory = cluster.directory().join("out-of-memory");
    let message = "0/3 nodes are available: 3 Insufficient cpu.";
    cluster.decide(0, PodFate::Unschedulable(message.to_owned()));
    cluster.decide(1, PodFate::ImagePullBackOff);
    cluster.decide(2, PodFate::OutOfMemory(out_of_memory.clone()));
    cluster.decide(3, PodFate::Evicted);
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 5);
    let mut followed = asked.follow();
    asked.request().await.expect("the cluster is willing");
    followed
        .wait_for("greylag-r-4-", MachineState::Running, "")
        .await;
    std::fs::write(&out_of_memory, "").expect("the directory is ours");
    let wanted = "OOMKilled (exit code 137)";
    followed
        .wait_for("greylag-r-2-", MachineState::Failed, wanted)
        .await;
    for (machine, state, wanted) in [
        (
            "greylag-r-0-",
            MachineState::Waiting,
            "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
        ),
        (
            "greylag-r-1-",
            MachineState::Starting,
            "ImagePullBackOff: Back-off pulling image \"registry.example/greylag\": ErrImagePull: not found",
        ),
        (
            "greylag-r-3-",
            MachineState::Failed,
            "Evicted: The node was low on resource: ephemeral-storage.",
        ),
    ] {
        followed.wait_for(machine, state, wanted).await;
    }
    asked.release().await;
    wait_for_objects(&cluster, "pods", 0).await;
}

#[tokio::test]
async fn pods_that_a_quota_forbids_are_reported_until_they_come() {
    let cluster = cluster().await;
    cluster.set_quota(Some(1));
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 2);
    asked.request().await.expect("the cluster is willing");
    let mut followed = asked.follow();
    followed
        .wait_for("greylag-r", MachineState::Waiting, "exceeded quota: load")
        .await;
    cluster.set_quota(None);
    followed
        .wait_for("greylag-r-1-", MachineState::Running, "")
        .await;
    assert!(
        followed
            .seen
            .iter()
            .any(|news| news.starts_with("greylag-r Gone")),
        "{:?}",
        followed.seen
    );
}

#[tokio::test]
async fn a_server_that_forgets_or_is_away_is_endured() {
    let cluster = cluster().await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    let mut followed = asked.follow();
    asked.request().await.expect("the cluster is willing");
    followed
        .wait_for("greylag-r-0-", MachineState::Running, "")
        .await;

    cluster.forget_changes();
    let out_of_memory = cluster.directory().join("out-of-memory");
    cluster.decide(0, PodFate::OutOfMemory(out_of_memory.clone()));
    asked.release().await;
    followed
        .wait_for("greylag-r-0-", MachineState::Gone, "")
        .await;
    asked.request().await.expect("it can be asked for again");
    followed
        .wait_for("greylag-r-0-", MachineState::Running, "")
        .await;

    cluster.go_away();
    followed
        .wait_for("greylag-r", MachineState::Waiting, "cannot ")
        .await;
    let refused = asked.request().await.expect_err("it is away");
    assert!(
        refused.starts_with("final false: cannot create Job"),
        "{refused}"
    );
    assert!(asked.provider.release(&asked.order.run).await.is_err());
    // Meanwhile the pod ends.
    std::fs::write(&out_of_memory, "").expect("the directory is ours");
    wait::until_true("the pod to fail", SOON, || {
        let pods = cluster.objects("pods");
        pods.iter().any(|pod| pod["status"]["phase"] == "Failed")
    })
    .await;
    cluster.come_back();
    followed
        .wait_for("greylag-r-0-", MachineState::Failed, "OOMKilled")
        .await;
    asked.release().await;
    assert!(cluster.objects("jobs").is_empty(), "{NAMESPACE} is empty");
}
