//! The way to a cluster's API server.

use std::time::Duration;

use futures_util::TryFutureExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::errors::{KubernetesError, with_causes};
use super::labels::Ownership;
use super::settings::KubernetesSettings;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a program may take that a kubeconfig names for its credentials: some ask a person.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may take.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What is used of a cluster. WHEN ADDING A VERB: the Role in `infra/deploy/kubernetes/on-demand/`.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) namespace: String,
    /// Whose the objects are.
    pub(super) owner: Ownership,
    pub(super) jobs: Api<Job>,
    pub(super) secrets: Api<Secret>,
    pub(super) pods: Api<Pod>,
    pub(super) events: Api<Event>,
}

impl Cluster {
    /// Takes what the settings name, or finds a way as kubectl and pods do. Nothing is asked of the API server.
    pub(super) async fn find(
        settings: &KubernetesSettings,
        owner: Ownership,
    ) -> Result<Self, KubernetesError> {
        let access =
            |error: &(dyn std::error::Error + 'static)| KubernetesError::Access(with_causes(error));
        let options = KubeConfigOptions {
            context: settings.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match (&settings.kubeconfig, &settings.context) {
            (Some(path), _) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| access(&error))?;
                let read = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                read.map_err(|error| access(&error))?
            }
            (None, Some(_)) => {
                let read = Config::from_kubeconfig(&options).await;
                read.map_err(|error| access(&error))?
            }
            (None, None) => Config::infer().await.map_err(|error| access(&error))?,
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // Whoever calls asks again, and says meanwhile what is wrong.
        config.default_retry = false;
        let namespace = settings.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        // Here a plugin of the kubeconfig runs, which may take its time.
        let connecting = spawn_blocking(move || Client::try_from(config));
        let client = match timeout(PLUGIN_TIMEOUT, connecting).await {
            Ok(Ok(client)) => client.map_err(|error| access(&error))?,
            Ok(Err(error)) => return Err(access(&error)),
            Err(_) => return Err(KubernetesError::Plugin(PLUGIN_TIMEOUT.as_secs())),
        };
        Ok(Self {
            jobs: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            events: Api::namespaced(client, &namespace),
            namespace,
            owner,
        })
    }
}

/// Without the client, which holds what it was configured with.
impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Waits for an answer, not for ever. `action` completes "cannot …".
pub(super) async fn answered<T>(
    action: &str,
    asked: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, KubernetesError> {
    let asked = asked.map_err(|error| KubernetesError::new(action, error));
    timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|_| {
        Err(KubernetesError::TimedOut {
            action: action.to_owned(),
            seconds: ANSWER_TIMEOUT.as_secs(),
        })
    })
}
