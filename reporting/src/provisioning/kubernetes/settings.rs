//! What the configuration file says of an infrastructure of kind `kubernetes`, and what can be wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::labels::{OWN_PREFIX, is_label_key, is_label_value, is_subdomain};
use super::manifests::{AGENT_NAME, TOKEN, try_template};
use crate::provisioning::ConfigDuration;

/// How long a Job that has ended is kept when no coordinator deletes it.
const DEFAULT_TTL: Duration = Duration::from_secs(3_600);
/// After how long without a run an agent ends, so that a Job whose coordinator never returns ends, too.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Settings of an infrastructure whose agents are the pods of Jobs.
///
/// ```toml
/// [infrastructures.cluster]
/// kind = "kubernetes"
/// image = "registry.example/my-load:1.4"
/// resources = { requests = { cpu = 2, memory = "1Gi" } }
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesSettings {
    /// The image of the agents.
    pub(super) image: String,
    /// When the image is pulled: Kubernetes decides unless it is given.
    pub(super) image_pull_policy: Option<PullPolicy>,
    /// Secrets with what the registry asks for.
    #[serde(default)]
    pub(super) image_pull_secrets: Vec<String>,
    /// What starts Greylag in the image, in place of its entry point.
    #[serde(default)]
    pub(super) command: Vec<String>,
    /// Further arguments of `greylag agent`.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// A kubeconfig [default: as kubectl, else that of the pod that the coordinator is in].
    pub(super) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: its current one].
    pub(super) context: Option<String>,
    /// Where the Jobs are made [default: that of the context or pod].
    pub(super) namespace: Option<String>,
    /// Requests and limits of an agent's container.
    #[serde(default)]
    pub(super) resources: Resources,
    /// Labels that an agent's node must have.
    #[serde(default)]
    pub(super) node_selector: BTreeMap<String, String>,
    /// Taints of nodes that agents put up with.
    #[serde(default)]
    pub(super) tolerations: Vec<Map<String, Value>>,
    /// Whether agents of a run are on different nodes.
    #[serde(default)]
    pub(super) spread: Spread,
    /// Labels of Jobs and pods.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Annotations of Jobs and pods.
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    /// The service account of the agents; its token is not mounted.
    pub(super) service_account: Option<String>,
    /// Variables of the agents.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// How long a Job that has ended is kept if no coordinator deletes it.
    #[serde(default = "default_ttl")]
    pub(super) ttl: ConfigDuration,
    /// After how long without a run an agent ends by itself.
    #[serde(default = "default_idle_timeout")]
    pub(super) idle_timeout: ConfigDuration,
    /// After how long Kubernetes ends a Job, whatever it does.
    pub(super) deadline: Option<ConfigDuration>,
    /// Part of a pod template, merged into what the other settings make.
    #[serde(default)]
    pub(super) pod_template: Map<String, Value>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// How a run's agents are spread over nodes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Spread {
    /// On different nodes where there is room: agents on one node share its processors and its link.
    #[default]
    Preferred,
    /// On different nodes, or they wait.
    Required,
    /// As Kubernetes likes.
    None,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    #[serde(default)]
    pub(super) requests: BTreeMap<String, Amount>,
    #[serde(default)]
    pub(super) limits: BTreeMap<String, Amount>,
}

/// A quantity: `"500m"`, `"1Gi"`, `2`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Text(String),
    Whole(u64),
    Decimal(f64),
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Whole(number) => number.fmt(formatter),
            Self::Decimal(number) => number.fmt(formatter),
        }
    }
}

fn default_ttl() -> ConfigDuration {
    ConfigDuration(DEFAULT_TTL)
}

fn default_idle_timeout() -> ConfigDuration {
    ConfigDuration(DEFAULT_IDLE_TIMEOUT)
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("`image` is empty")]
    NoImage,
    #[error("`{text}` is not a valid name for `{key}`")]
    Name { key: &'static str, text: String },
    #[error("`{key}` is not a valid key for `{setting}`")]
    Key { setting: &'static str, key: String },
    #[error("`{value}` is not a valid value for the label `{key}`")]
    LabelValue { key: String, value: String },
    #[error(
        "`{setting}` must not have keys that begin with `{OWN_PREFIX}`: Greylag finds its objects by them"
    )]
    OwnKey { setting: &'static str },
    #[error("`env` must not set {0}: Greylag does")]
    OwnVariable(String),
    #[error("`{0}` must be a whole number of seconds, at least 1s")]
    Duration(&'static str),
    #[error("`{0}` is not a valid field of a pod template")]
    Field(String),
    #[error("this does not make a valid pod template: {0}")]
    Template(String),
    #[error("the restart policy is always Never: an agent that comes back is another one")]
    RestartPolicy,
    #[error("`kubeconfig` must be an absolute path")]
    RelativePath,
    #[error("`kubeconfig`: {0}")]
    Kubeconfig(String),
    #[error("`{context}` is not a context of the kubeconfig; available contexts: {available}")]
    Context { context: String, available: String },
}

impl KubernetesSettings {
    /// Checks everything that can be checked without the cluster; reads the kubeconfig if one is named.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.image.trim().is_empty() {
            return Err(SettingsError::NoImage);
        }
        let names = [
            ("namespace", &self.namespace),
            ("service_account", &self.service_account),
        ];
        for (key, name) in names {
            if let Some(name) = name.as_ref().filter(|name| !is_subdomain(name)) {
                let text = name.clone();
                return Err(SettingsError::Name { key, text });
            }
        }
        check_keys("labels", self.labels.keys())?;
        check_keys("annotations", self.annotations.keys())?;
        if let Some((key, value)) = self.labels.iter().find(|(_, value)| !is_label_value(value)) {
            let (key, value) = (key.clone(), value.clone());
            return Err(SettingsError::LabelValue { key, value });
        }
        if let Some(name) = [TOKEN, AGENT_NAME]
            .iter()
            .find(|name| self.env.contains_key(**name))
        {
            return Err(SettingsError::OwnVariable((*name).to_owned()));
        }
        let durations = [
            ("ttl", Some(self.ttl)),
            ("idle_timeout", Some(self.idle_timeout)),
            ("deadline", self.deadline),
        ];
        for (key, duration) in durations {
            let Some(ConfigDuration(duration)) = duration else {
                continue;
            };
            let fits = i32::try_from(duration.as_secs()).is_ok_and(|seconds| seconds > 0);
            if !fits || duration.subsec_nanos() != 0 {
                return Err(SettingsError::Duration(key));
            }
        }
        try_template(self)?;
        self.check_kubeconfig()
    }

    fn check_kubeconfig(&self) -> Result<(), SettingsError> {
        let wrong = |error: kube::config::KubeconfigError| {
            SettingsError::Kubeconfig(super::errors::with_causes(&error))
        };
        if self
            .kubeconfig
            .as_ref()
            .is_some_and(|path| path.is_relative())
        {
            return Err(SettingsError::RelativePath);
        }
        let kubeconfig = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => kube::config::Kubeconfig::read_from(path).map_err(wrong)?,
            (None, Some(_)) => kube::config::Kubeconfig::read().map_err(wrong)?,
            (None, None) => return Ok(()),
        };
        let Some(context) = &self.context else {
            return Ok(());
        };
        let mut names = kubeconfig.contexts.iter().map(|one| one.name.as_str());
        if names.clone().any(|name| name == context) {
            return Ok(());
        }
        let available: Vec<&str> = names.by_ref().collect();
        Err(SettingsError::Context {
            context: context.clone(),
            available: available.join(", "),
        })
    }
}

fn check_keys<'a>(
    setting: &'static str,
    mut keys: impl Iterator<Item = &'a String>,
) -> Result<(), SettingsError> {
    keys.try_for_each(|key| {
        if key.starts_with(OWN_PREFIX) {
            return Err(SettingsError::OwnKey { setting });
        }
        if is_label_key(key) {
            return Ok(());
        }
        let key = key.clone();
        Err(SettingsError::Key { setting, key })
    })
}
