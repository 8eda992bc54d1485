//! The Job and the Secret of a run.
//!
//! The Job comes first, and the Secret names it as its owner: whatever kills the coordinator in between, no token is left
//! that deleting the Job does not take along. (A Job that is suspended until the Secret exists would do as well, but Kueue
//! suspends and resumes Jobs itself.) Pods that are faster than the Secret wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::RunId;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Map, Value, json};

use super::labels::{INFRASTRUCTURE, NUMBER, Ownership, RUN, SECRET, TEST, object_name};
use super::merge::{lost_field, merge};
use super::settings::{Amount, KubernetesSettings, SettingsError, Spread};
use crate::Token;
use crate::provisioning::Order;

/// The container that the agent is in.
pub(super) const CONTAINER: &str = "agent";
/// Variables that Greylag sets.
pub(super) const TOKEN: &str = "GREYLAG_TOKEN";
pub(super) const AGENT_NAME: &str = "GREYLAG_AGENT_NAME";
/// The Secret's one key.
const TOKEN_KEY: &str = "token";
/// As in the image of `infra/deploy/Containerfile`.
const USER: i64 = 65_532;
/// Users finish what they are doing, and the last results are saved.
const TERMINATION_GRACE_S: i64 = 90;
/// Where an agent keeps programs that were uploaded: its root directory is read-only.
const CACHE: &str = "/tmp/greylag-builds";

/// The Job that makes a run's agents: a pod for each, with its index. They read their token from this Secret.
pub(super) fn job(
    settings: &KubernetesSettings,
    owner: &Ownership,
    order: &Order,
    secret: &str,
) -> Result<Job, SettingsError> {
    let mut labels = settings.labels.clone();
    labels.extend(owner.labels(&order.run));
    let mut annotations = settings.annotations.clone();
    annotations.extend(
        [
            (INFRASTRUCTURE, order.infrastructure.clone()),
            (TEST, order.test.clone()),
            (NUMBER, order.number.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    if order.token.is_some() {
        annotations.insert(SECRET.to_owned(), secret.to_owned());
    }
    let agents = i32::try_from(order.agents).unwrap_or(i32::MAX);
    // The settings are checked: their durations fit.
    let seconds = |duration: Duration| duration.as_secs() as i32;
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(object_name(&order.run)),
            labels: Some(labels.clone()),
            annotations: Some(annotations.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            parallelism: Some(agents),
            completions: Some(agents),
            // No agent is started again, since a run takes none that comes later; and one that fails does not end the
            // others, as a `backoffLimit` of 0 would: they may go on without it, or still hand over results.
            backoff_limit_per_index: Some(0),
            ttl_seconds_after_finished: Some(seconds(settings.ttl.0)),
            active_deadline_seconds: settings
                .deadline
                .map(|deadline| i64::from(seconds(deadline.0))),
            template: pod_template(settings, order, secret, labels, annotations)?,
            ..JobSpec::default()
        }),
        status: None,
    })
}

/// The name of the Secret that a Job's agents read, if they do.
pub(super) fn secret_of(job: &Job) -> Option<&str> {
    let annotations = job.metadata.annotations.as_ref()?;
    annotations.get(SECRET).map(String::as_str)
}

/// The Secret with what a run's agents show to the coordinator. It goes with its Job.
pub(super) fn secret(
    owner: &Ownership,
    run: &RunId,
    job: &Job,
    name: &str,
    token: &Token,
) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(owner.labels(run)),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: object_name(run),
                uid: job.metadata.uid.clone().unwrap_or_default(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        string_data: Some(BTreeMap::from([(
            TOKEN_KEY.to_owned(),
            token.expose().to_owned(),
        )])),
        ..Secret::default()
    }
}

/// Whether the settings make a pod template.
pub(super) fn try_template(settings: &KubernetesSettings) -> Result<(), SettingsError> {
    let order = Order {
        run: RunId::from("k3v9x0000000"),
        test: String::new(),
        number: 1,
        infrastructure: "infrastructure".to_owned(),
        agents: 1,
        coordinator_url: "http://coordinator".to_owned(),
        token: Token::new("token").ok(),
        accept_uploads: true,
        agents_timeout: Duration::ZERO,
    };
    let (labels, annotations) = (settings.labels.clone(), settings.annotations.clone());
    pod_template(settings, &order, "secret", labels, annotations).map(drop)
}

fn pod_template(
    settings: &KubernetesSettings,
    order: &Order,
    secret: &str,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> Result<PodTemplateSpec, SettingsError> {
    let own_labels = labels.clone();
    let mut template = object(json!({
        "metadata": { "labels": labels, "annotations": annotations },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            // Otherwise Kubernetes sets variables for each Service that Greylag would read as its options.
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": TERMINATION_GRACE_S,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [container(settings, order, secret)],
            "volumes": [{ "name": "tmp", "emptyDir": {} }],
        },
    }));
    // What is not given is left to Kubernetes.
    let mut given = Map::new();
    if !settings.node_selector.is_empty() {
        given.insert("nodeSelector".to_owned(), json!(settings.node_selector));
    }
    if !settings.tolerations.is_empty() {
        given.insert("tolerations".to_owned(), json!(settings.tolerations));
    }
    if let Some(account) = &settings.service_account {
        given.insert("serviceAccountName".to_owned(), json!(account));
    }
    if !settings.image_pull_secrets.is_empty() {
        let names = settings.image_pull_secrets.iter();
        let secrets: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
        given.insert("imagePullSecrets".to_owned(), json!(secrets));
    }
    if let Some((field, spread)) = spread(settings.spread, order) {
        given.insert(field.to_owned(), spread);
    }
    merge(&mut template, &object(json!({ "spec": given })));
    merge(&mut template, &settings.pod_template);

    let given = Value::Object(template);
    let mut template: PodTemplateSpec = serde_json::from_value(given.clone())
        .map_err(|error| SettingsError::Template(error.to_string()))?;
    // What is read leaves out silently what it does not know.
    let understood = json!(template);
    if let Some(field) = lost_field(&given, &understood) {
        return Err(SettingsError::Field(field));
    }
    if understood["spec"]["restartPolicy"] != "Never" {
        return Err(SettingsError::RestartPolicy);
    }
    let metadata = template.metadata.get_or_insert_default();
    metadata.labels.get_or_insert_default().extend(own_labels);
    Ok(template)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn container(settings: &KubernetesSettings, order: &Order, secret: &str) -> Value {
    // The first agents wait for the last ones.
    let idle_timeout = settings.idle_timeout.0.max(order.agents_timeout);
    let mut args = vec![
        "agent".to_owned(),
        "--once".to_owned(),
        format!("--infrastructure={}", order.infrastructure),
        format!("--coordinator={}", order.coordinator_url),
        format!("--idle-timeout={}s", idle_timeout.as_secs()),
    ];
    if order.accept_uploads {
        args.extend(["--accept-uploads".to_owned(), format!("--cache={CACHE}")]);
    }
    args.extend(settings.args.iter().cloned());
    let mut container = object(json!({
        "name": CONTAINER,
        "image": settings.image,
        "args": args,
        "env": variables(settings, order, secret),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
    }));
    let mut give = |key: &str, value: Value| container.insert(key.to_owned(), value);
    if !settings.command.is_empty() {
        give("command", json!(settings.command));
    }
    if let Some(policy) = settings.image_pull_policy {
        give("imagePullPolicy", json!(policy.word()));
    }
    let amounts = |amounts: &BTreeMap<String, Amount>| -> BTreeMap<String, String> {
        let texts = amounts.iter();
        texts
            .map(|(name, amount)| (name.clone(), amount.to_string()))
            .collect()
    };
    let resources = [
        ("requests", amounts(&settings.resources.requests)),
        ("limits", amounts(&settings.resources.limits)),
    ];
    let resources: BTreeMap<_, _> = resources
        .into_iter()
        .filter(|(_, amounts)| !amounts.is_empty())
        .collect();
    if !resources.is_empty() {
        give("resources", json!(resources));
    }
    Value::Object(container)
}

/// The agent is called as its pod, so that both can be compared.
fn variables(settings: &KubernetesSettings, order: &Order, secret: &str) -> Vec<Value> {
    let mut variables = vec![json!({
        "name": AGENT_NAME,
        "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } },
    })];
    if order.token.is_some() {
        let reference = json!({ "name": secret, "key": TOKEN_KEY });
        variables.push(json!({ "name": TOKEN, "valueFrom": { "secretKeyRef": reference } }));
    }
    let given = settings.env.iter();
    variables.extend(given.map(|(name, value)| json!({ "name": name, "value": value })));
    variables
}

/// The field of a pod's specification that spreads pods over nodes. A spread that is required would not do for
/// [`Spread::Required`]: it puts a second pod on each node once all of them have one.
fn spread(spread: Spread, order: &Order) -> Option<(&'static str, Value)> {
    let topology = "kubernetes.io/hostname";
    let of_the_run = json!({ "matchLabels": { RUN: order.run } });
    match spread {
        Spread::Preferred => Some((
            "topologySpreadConstraints",
            json!([{
                "maxSkew": 1,
                "topologyKey": topology,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": of_the_run,
            }]),
        )),
        Spread::Required => Some((
            "affinity",
            json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
                "topologyKey": topology,
                "labelSelector": of_the_run,
            }] } }),
        )),
        Spread::None => None,
    }
}
