//! Kind `kubernetes`: the agents of a run are the pods of a Job.
//!
//! A run has one indexed Job and, if the coordinator has tokens, a Secret that the Job owns. Both are named after the run and
//! labelled with it, the infrastructure and the coordinator (`labels.rs`), so that each coordinator finds and deletes only
//! what is its own. `manifests.rs` makes them from the settings (`settings.rs`, `merge.rs`), `watch.rs` and `observed.rs`
//! report what becomes of the pods, `errors.rs` says which answers of the API server are final.

mod cluster;
mod coordinator_id;
mod errors;
mod labels;
mod manifests;
mod merge;
mod observed;
mod pods;
mod settings;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use greylag_infra::RunId;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;

use super::{MachineNews, Order, Provider, ProviderKind, ProvisionError};
use crate::Token;
use cluster::{Cluster, answered};
use coordinator_id::CoordinatorId;
use errors::KubernetesError;
use labels::{Ownership, RUN, object_name};
use observed::{Observed, Seen};
use watch::Watched;

pub use settings::{KubernetesSettings, SettingsError};

/// What is seen of a cluster and waits to be reported.
const SEEN_QUEUE: usize = 64;
/// Pause before looking again for a way to the cluster, such as a kubeconfig that is being written.
const ACCESS_PAUSE: Duration = Duration::from_secs(5);

/// Makes agents as pods of a cluster.
#[derive(Debug)]
pub struct Kubernetes {
    settings: KubernetesSettings,
    infrastructure: String,
    /// Where the coordinator's id is.
    data_dir: PathBuf,
    cluster: OnceCell<Cluster>,
}

impl Kubernetes {
    /// For an infrastructure of the coordinator with this data directory. The cluster is looked for when it is first needed.
    pub fn new(settings: KubernetesSettings, infrastructure: &str, data_dir: &Path) -> Self {
        Self {
            settings,
            infrastructure: infrastructure.to_owned(),
            data_dir: data_dir.to_owned(),
            cluster: OnceCell::new(),
        }
    }

    async fn cluster(&self) -> Result<&Cluster, KubernetesError> {
        let find = async || {
            let coordinator = CoordinatorId::of(&self.data_dir)?;
            let owner = Ownership::new(&coordinator, &self.infrastructure);
            Cluster::find(&self.settings, owner).await
        };
        self.cluster.get_or_try_init(find).await
    }

    async fn create(&self, order: &Order) -> Result<(), KubernetesError> {
        let cluster = self.cluster().await?;
        let job = manifests::job(&self.settings, &cluster.owner, order)?;
        let name = object_name(&order.run);
        let action = format!("create Job {name} in namespace {}", cluster.namespace);
        let created = answered(&action, cluster.jobs.create(&PostParams::default(), &job)).await;
        let (job, is_new) = match created {
            Ok(job) => (job, true),
            Err(error) if already_exists(&error) => {
                (self.own_job(cluster, &order.run).await?, false)
            }
            Err(error) => return Err(error),
        };
        let Some(token) = &order.token else {
            return Ok(());
        };
        let created = self.create_secret(cluster, &order.run, &job, token).await;
        match created {
            // An earlier request made it: with a Job of ours that was there already, it is ours as well.
            Err(error) if !is_new && already_exists(&error) => Ok(()),
            Err(error) if already_exists(&error) => {
                // Of somebody else. Without it the Job is of no use, and no later request shall take it for a sign
                // that the Secret is ours.
                self.delete_job(cluster, &job, &name).await?;
                Err(KubernetesError::Foreign {
                    kind: "Secret",
                    name,
                    namespace: cluster.namespace.clone(),
                })
            }
            created => created,
        }
    }

    async fn create_secret(
        &self,
        cluster: &Cluster,
        run: &RunId,
        job: &Job,
        token: &Token,
    ) -> Result<(), KubernetesError> {
        let secret = manifests::secret(&cluster.owner, run, job, token);
        let (name, namespace) = (object_name(run), &cluster.namespace);
        let action = format!("create Secret {name} in namespace {namespace}");
        let params = PostParams::default();
        let created = cluster.secrets.create(&params, &secret);
        answered(&action, created).await.map(drop)
    }

    /// The Job of this name, if this coordinator made it for this run.
    async fn own_job(&self, cluster: &Cluster, run: &RunId) -> Result<Job, KubernetesError> {
        let (name, namespace) = (object_name(run), cluster.namespace.clone());
        let action = format!("get Job {name} in namespace {namespace}");
        let job = answered(&action, cluster.jobs.get(&name)).await?;
        let labels = job.metadata.labels.as_ref();
        if labels.is_some_and(|labels| cluster.owner.is_of(labels, run)) {
            return Ok(job);
        }
        Err(KubernetesError::Foreign {
            kind: "Job",
            name,
            namespace,
        })
    }

    async fn delete(&self, run: &RunId) -> Result<(), KubernetesError> {
        let cluster = self.cluster().await?;
        let (name, namespace) = (object_name(run), &cluster.namespace);
        let job = match self.own_job(cluster, run).await {
            // The Secret went with the Job, or is about to.
            Err(error) if is_gone(&error) => return Ok(()),
            // Not ours to delete.
            Err(KubernetesError::Foreign { .. }) => return Ok(()),
            job => job?,
        };
        let action = format!("delete Secret {name} in namespace {namespace}");
        let params = DeleteParams::default();
        match answered(&action, cluster.secrets.delete(&name, &params)).await {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
        self.delete_job(cluster, &job, &name).await
    }

    /// Deletes just this Job; its pods and its Secret follow.
    async fn delete_job(
        &self,
        cluster: &Cluster,
        job: &Job,
        name: &str,
    ) -> Result<(), KubernetesError> {
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: job.metadata.uid.clone(),
            resource_version: None,
        });
        let action = format!("delete Job {name} in namespace {}", cluster.namespace);
        match answered(&action, cluster.jobs.delete(name, &params)).await {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn runs(&self) -> Result<Vec<RunId>, KubernetesError> {
        let cluster = self.cluster().await?;
        let params = ListParams::default().labels(&cluster.owner.selector());
        let action = format!("list Jobs in namespace {}", cluster.namespace);
        let jobs = answered(&action, cluster.jobs.list(&params)).await?;
        let runs = jobs.items.into_iter().filter_map(|job| {
            let mut labels = job.metadata.labels?;
            // One that is being deleted is as good as gone.
            job.metadata.deletion_timestamp.is_none().then_some(())?;
            labels.remove(RUN).map(RunId::from)
        });
        Ok(runs.collect())
    }

    async fn report(&self, run: &RunId, news: mpsc::Sender<MachineNews>) {
        let cluster = loop {
            match self.cluster().await {
                Ok(cluster) => break cluster,
                Err(error) => tracing::warn!(%run, %error, "pods cannot be followed"),
            }
            sleep(ACCESS_PAUSE).await;
        };
        let name = object_name(run);
        let namespace = &cluster.namespace;
        let pods = Watched {
            api: cluster.pods.clone(),
            what: format!("pods in namespace {namespace}"),
            labels: Some(cluster.owner.selector_of(run)),
            fields: None,
            read: pods::read,
        };
        let job = Watched {
            api: cluster.jobs.clone(),
            what: format!("Jobs in namespace {namespace}"),
            labels: Some(cluster.owner.selector_of(run)),
            fields: None,
            read: observed::read_job,
        };
        let warnings = Watched {
            api: cluster.events.clone(),
            what: format!("events in namespace {namespace}"),
            labels: None,
            // Events have no labels, and those of all pods cannot be selected by one field.
            fields: Some("type=Warning".to_owned()),
            read: observed::read_warning,
        };
        let (seen, mut inbox) = mpsc::channel(SEEN_QUEUE);
        let watching = async {
            tokio::join!(
                pods.follow(&seen, Seen::Pods),
                job.follow(&seen, Seen::Job),
                warnings.follow(&seen, Seen::Warnings),
            )
        };
        let reporting = async {
            let mut observed = Observed::of(name);
            while let Some(seen) = inbox.recv().await {
                for one in observed.see(seen) {
                    if news.send(one).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            _ = watching => {}
            () = reporting => {}
        }
    }
}

fn already_exists(error: &KubernetesError) -> bool {
    error
        .status()
        .is_some_and(kube::core::Status::is_already_exists)
}

fn is_gone(error: &KubernetesError) -> bool {
    error.status().is_some_and(kube::core::Status::is_not_found)
}

impl Provider for Kubernetes {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Kubernetes
    }

    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        async { Ok(self.create(order).await?) }.boxed()
    }

    fn follow<'a>(&'a self, run: &'a RunId, news: mpsc::Sender<MachineNews>) -> BoxFuture<'a, ()> {
        self.report(run, news).boxed()
    }

    fn release<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>> {
        async { Ok(self.delete(run).await?) }.boxed()
    }

    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        async { Ok(self.runs().await?) }.boxed()
    }
}

#[cfg(test)]
mod tests;
