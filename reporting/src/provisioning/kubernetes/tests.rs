use serde_json::json;

use super::coordinator_id::CoordinatorId;
use super::*;
use crate::Token;
use crate::provisioning::CoordinatorFile;

const EVERYTHING: &str = r#"
image = "registry.example/my-load:1.4"
image_pull_policy = "Always"
image_pull_secrets = ["registry"]
command = ["/my-load"]
args = ["--ca", "/ca/ca.pem"]
namespace = "load"
resources = { requests = { cpu = 2, memory = "1Gi" }, limits = { memory = "1Gi" } }
node_selector = { pool = "load" }
tolerations = [{ key = "load", operator = "Exists", effect = "NoSchedule" }]
spread = "required"
labels = { "kueue.x-k8s.io/queue-name" = "load-tests" }
annotations = { team = "shop" }
service_account = "load"
env = { RUST_LOG = "debug" }
ttl = "10m"
idle_timeout = "30m"
deadline = "12h"

[pod_template.spec]
priorityClassName = "low"
securityContext = { runAsUser = 1000 }
volumes = [{ name = "ca", configMap = { name = "ca" } }]

[[pod_template.spec.containers]]
name = "agent"
volumeMounts = [{ name = "ca", mountPath = "/ca" }]
"#;

const SECRET: &str = "greylag-k3v9x0000000-abc";

fn settings(text: &str) -> KubernetesSettings {
    let settings: KubernetesSettings = toml::from_str(text).unwrap();
    settings.check().unwrap();
    settings
}

fn order() -> Order {
    Order {
        run: RunId::from("k3v9x0000000"),
        test: "check out".to_owned(),
        number: 14,
        infrastructure: "eu west".to_owned(),
        agents: 3,
        coordinator_url: "http://greylag:8089".to_owned(),
        token: Token::new("secret-token").ok(),
        accept_uploads: true,
        agents_timeout: Duration::from_secs(300),
    }
}

fn owner() -> Ownership {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("coordinator-id"),
        "0123456789abcdef\n",
    )
    .unwrap();
    Ownership::new(&CoordinatorId::of(directory.path()).unwrap(), "eu west")
}

#[test]
fn settings_make_a_job() {
    let job = manifests::job(&settings(EVERYTHING), &owner(), &order(), SECRET).unwrap();
    insta::assert_json_snapshot!(job);
}

#[test]
fn a_job_of_nothing_but_an_image_is_hardened() {
    let job = manifests::job(&settings("image = \"x\""), &owner(), &order(), SECRET).unwrap();
    insta::assert_json_snapshot!(job);
}

#[test]
fn the_secret_is_owned_by_its_job() {
    let owner = owner();
    let mut job = manifests::job(&settings("image = \"x\""), &owner, &order(), SECRET).unwrap();
    job.metadata.uid = Some("1-2-3".to_owned());
    let token = order().token.unwrap();
    let secret = json!(manifests::secret(
        &owner,
        &order().run,
        &job,
        SECRET,
        &token
    ));
    let expected = json!([{
        "apiVersion": "batch/v1", "kind": "Job", "name": "greylag-k3v9x0000000", "uid": "1-2-3",
    }]);
    assert_eq!(secret["metadata"]["ownerReferences"], expected);
    assert_eq!(secret["metadata"]["name"], SECRET);
    assert_eq!(manifests::secret_of(&job), Some(SECRET));
    assert_eq!(secret["stringData"], json!({ "token": "secret-token" }));
}

#[test]
fn a_job_without_a_token_asks_for_no_secret() {
    let order = Order {
        token: None,
        ..order()
    };
    let job = manifests::job(&settings("image = \"x\""), &owner(), &order, SECRET).unwrap();
    assert!(!json!(job).to_string().contains("secretKeyRef"));
}

#[test]
fn agents_wait_at_least_as_long_as_their_run() {
    let order = Order {
        agents_timeout: Duration::from_secs(7_200),
        ..order()
    };
    let job = manifests::job(&settings("image = \"x\""), &owner(), &order, SECRET).unwrap();
    assert!(json!(job).to_string().contains("--idle-timeout=7200s"));
}

#[test]
fn own_labels_cannot_be_replaced() {
    let text = "image = \"x\"\n[pod_template.metadata.labels]\n\"greylag/run\" = \"another\"\n";
    let job = manifests::job(&settings(text), &owner(), &order(), SECRET).unwrap();
    let labels = job.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels[RUN], "k3v9x0000000");
}

#[test]
fn bad_settings_are_validation_errors() {
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        kubeconfig.path(),
        "contexts:\n- name: prod\n  context: { cluster: c, user: u }\n- name: lab\n  context: { cluster: c, user: u }\n",
    )
    .unwrap();
    let context = format!(
        "image = \"x\"\nkubeconfig = {:?}\ncontext = \"prd\"",
        kubeconfig.path()
    );
    let cases = [
        "",
        "image = \" \"",
        "image = \"x\"\nimge = \"y\"",
        "image = \"x\"\nimage_pull_policy = \"Sometimes\"",
        "image = \"x\"\nspread = \"wide\"",
        "image = \"x\"\nnamespace = \"Two Words\"",
        "image = \"x\"\nlabels = { \"a b\" = \"c\" }",
        "image = \"x\"\nlabels = { a = \"b c\" }",
        "image = \"x\"\nlabels = { \"greylag/run\" = \"mine\" }",
        "image = \"x\"\nenv = { GREYLAG_TOKEN = \"mine\" }",
        "image = \"x\"\nttl = \"500ms\"",
        "image = \"x\"\nttl = \"soon\"",
        "image = \"x\"\nresources = { request = { cpu = 1 } }",
        "image = \"x\"\ntolerations = [{ kee = \"load\" }]",
        "image = \"x\"\npod_template = { spec = { hostNetwrk = true } }",
        "image = \"x\"\npod_template = { spec = { hostNetwork = \"yes\" } }",
        "image = \"x\"\npod_template = { spec = { restartPolicy = \"Always\" } }",
        "image = \"x\"\npod_template = { spec = { containers = [{ name = \"agent\", envFro = 1 }] } }",
        &context,
        "image = \"x\"\nkubeconfig = \"/nowhere/kubeconfig\"",
        "image = \"x\"\nkubeconfig = \"kubeconfig\"",
    ];
    let mut shown = String::new();
    for case in cases {
        let text = format!("[infrastructures.c]\nkind = \"kubernetes\"\n{case}\n");
        let errors = CoordinatorFile::from_toml(&text).unwrap_err();
        let case = case.replace(&format!("{:?}", kubeconfig.path()), "FILE");
        shown.push_str(&format!("{}\n  {errors}\n", case.replace('\n', "; ")));
    }
    insta::assert_snapshot!(shown);
}
