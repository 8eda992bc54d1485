//! What is asked of a cluster is what the manifests allow, and what is made there is valid.

use std::collections::BTreeSet;

use greylag_reporting::provisioning::{MachineState, Provider};
use greylag_tests::{KubernetesStandIn, Permission, wait};
use serde_json::Value;

use super::{Asked, coordinator};
use crate::deploy::{assert_valid, deploy, read_yaml};
use crate::support::{SOON, greylag};

/// Everything that the manifests' Role allows.
async fn allowed() -> BTreeSet<Permission> {
    let objects = read_yaml(&[deploy().join("kubernetes/on-demand/rbac.yaml")]).await;
    let objects = objects.as_array().expect("a list");
    let role = objects.iter().find(|object| object["kind"] == "Role");
    let rules = role.expect("a Role")["rules"].as_array().expect("rules");
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|text| text.as_str().expect("a text").to_owned())
            .collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let (group, resource) = (group.clone(), resource.clone());
                    all.insert(Permission {
                        verb,
                        group,
                        resource,
                    });
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn the_role_allows_what_is_used_and_the_job_is_valid() {
    let cluster = KubernetesStandIn::start(&greylag()).await;
    let data = coordinator();
    let asked = Asked::new(&cluster, &data, "r", 1);
    asked.request().await.expect("the cluster is willing");
    asked
        .request()
        .await
        .expect("asking again looks at what is there");
    let mut followed = asked.follow();
    followed
        .wait_for("greylag-r-0-", MachineState::Running, "")
        .await;

    let mut files = Vec::new();
    for resource in ["jobs", "secrets"] {
        let file = cluster.directory().join(format!("{resource}.yaml"));
        std::fs::write(&file, cluster.objects(resource)[0].to_string()).expect("a file");
        files.push(file);
    }
    let said = assert_valid(&files).await;
    assert!(
        said.contains("job/greylag-r") && said.contains("secret/greylag-r"),
        "{said}"
    );

    asked.provider.held().await.expect("a list");
    asked.release().await;
    let allowed = allowed().await;
    // What follows the run lists and watches as soon as it comes to it.
    wait::until("everything that is allowed to be used", SOON, async || {
        let used = cluster.used();
        if used == allowed {
            Ok(())
        } else {
            Err(format!("{used:?}"))
        }
    })
    .await;
}
