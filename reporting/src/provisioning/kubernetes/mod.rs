//! Kind `kubernetes`: the agents of a run are the pods of a Job.
//!
//! A run has one indexed Job and, if the coordinator has tokens, a Secret that the Job names and owns. Both are labelled with the run, the infrastructure and the coordinator (`labels.rs`), so that each coordinator finds and deletes only
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
mod run_set;
mod settings;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use greylag_infra::RunId;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

use super::{Order, Provider, ProviderKind, ProviderNews, ProvisionError};
use cluster::{ANSWER_TIMEOUT, Cluster, answered};
use coordinator_id::CoordinatorId;
use errors::KubernetesError;
use labels::{Ownership, RUN, new_secret_name, object_name};
use observed::{Observed, Seen};
use run_set::RunSet;
use watch::Watched;

pub use settings::{KubernetesSettings, SettingsError};

/// What is seen of a cluster and waits to be reported.
const SEEN_QUEUE: usize = 64;
/// Pause before looking again for a way to the cluster, such as a kubeconfig that is being written.
const ACCESS_PAUSE: Duration = Duration::from_secs(5);

/// Pause before looking again for a Job that may still come.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Makes agents as pods of a cluster.
#[derive(Debug)]
pub struct Kubernetes {
    settings: KubernetesSettings,
    infrastructure: String,
    /// Where the coordinator's id is.
    data_dir: PathBuf,
    /// The way to the cluster, once it was needed.
    cluster: Mutex<Option<Cluster>>,
    /// Runs whose Job was asked for without an answer, or perhaps by an earlier process: it may yet be made.
    unanswered: RunSet,
    /// Runs whose Job is being deleted by this coordinator.
    given_back: RunSet,
}

impl Kubernetes {
    /// For an infrastructure of the coordinator with this data directory. The cluster is looked for when it is first needed.
    pub fn new(settings: KubernetesSettings, infrastructure: &str, data_dir: &Path) -> Self {
        Self {
            settings,
            infrastructure: infrastructure.to_owned(),
            data_dir: data_dir.to_owned(),
            cluster: Mutex::default(),
            unanswered: RunSet::default(),
            given_back: RunSet::default(),
        }
    }

    async fn cluster(&self) -> Result<Cluster, KubernetesError> {
        let mut known = self.cluster.lock().await;
        if let Some(cluster) = &*known {
            return Ok(cluster.clone());
        }
        let coordinator = CoordinatorId::of(&self.data_dir)?;
        let owner = Ownership::new(&coordinator, &self.infrastructure);
        let cluster = Cluster::find(&self.settings, owner).await?;
        Ok(known.insert(cluster).clone())
    }

    /// Does something, and once more if the server no longer accepts the credentials, which may have been renewed since
    /// they were read.
    async fn with_access<T, F>(&self, act: impl Fn() -> F) -> Result<T, ProvisionError>
    where
        F: Future<Output = Result<T, KubernetesError>>,
    {
        match act().await {
            Err(error) if error.is_unauthorized() => {
                self.read_access_again().await;
                Ok(act().await?)
            }
            done => Ok(done?),
        }
    }

    async fn read_access_again(&self) {
        *self.cluster.lock().await = None;
    }

    async fn create(&self, order: &Order) -> Result<(), KubernetesError> {
        let cluster = self.cluster().await?;
        let job = self.create_job(&cluster, order).await?;
        // A Job of an earlier process has a name of its own for it.
        let (Some(token), Some(secret)) = (&order.token, manifests::secret_of(&job)) else {
            return Ok(());
        };
        let object = manifests::secret(&cluster.owner, &order.run, &job, secret, token);
        let namespace = &cluster.namespace;
        let action = format!("create Secret {secret} in namespace {namespace}");
        let params = PostParams::default();
        match answered(&action, cluster.secrets.create(&params, &object)).await {
            // An earlier request made it.
            Err(error) if already_exists(&error) => Ok(()),
            created => created.map(drop),
        }
    }

    /// The run's Job, also if an earlier request made it.
    async fn create_job(&self, cluster: &Cluster, order: &Order) -> Result<Job, KubernetesError> {
        let (run, namespace) = (&order.run, &cluster.namespace);
        let secret = new_secret_name(run);
        let job = manifests::job(&self.settings, &cluster.owner, order, &secret)?;
        let name = object_name(run);
        let action = format!("create Job {name} in namespace {namespace}");
        // Remembered from before it is sent: whoever asks may be dropped meanwhile.
        let is_first = self.unanswered.insert(run);
        let created = answered(&action, cluster.jobs.create(&PostParams::default(), &job)).await;
        match created {
            Err(error) if already_exists(&error) => {
                self.unanswered.remove(run);
                let job = self.own_job(cluster, run).await?;
                match job.metadata.deletion_timestamp {
                    // Its pods are being deleted, too; the next one gets pods of its own.
                    Some(_) => Err(KubernetesError::Ending {
                        name,
                        namespace: namespace.clone(),
                    }),
                    None => Ok(job),
                }
            }
            Err(error) => {
                if is_first && error.status().is_some() && error.is_final() {
                    self.unanswered.remove(run);
                }
                Err(error)
            }
            Ok(job) => {
                self.unanswered.remove(run);
                Ok(job)
            }
        }
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
        Err(KubernetesError::Foreign { name, namespace })
    }

    async fn delete(&self, run: &RunId) -> Result<(), KubernetesError> {
        let _given_back = self.given_back.during(run);
        let cluster = self.cluster().await?;
        let until = Instant::now() + ANSWER_TIMEOUT;
        let job = loop {
            match self.own_job(&cluster, run).await {
                Err(error) if is_gone(&error) => {}
                // Not ours to delete.
                Err(KubernetesError::Foreign { .. }) => return Ok(()),
                job => break job?,
            }
            if !self.unanswered.contains(run) || Instant::now() >= until {
                self.unanswered.remove(run);
                // The Secret went with the Job, or is about to.
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        };
        self.delete_job(&cluster, &job, &object_name(run)).await?;
        self.unanswered.remove(run);
        if let Some(secret) = manifests::secret_of(&job) {
            let action = format!("delete Secret {secret} in namespace {}", cluster.namespace);
            let params = DeleteParams::default();
            match answered(&action, cluster.secrets.delete(secret, &params)).await {
                // It goes with its Job, only later.
                Err(error) if !is_gone(&error) => {
                    tracing::warn!(%run, %error, "the token of a run")
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes just this Job; its pods follow.
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

    async fn report(&self, run: &RunId, news: mpsc::Sender<ProviderNews>) {
        let (seen, mut inbox) = mpsc::channel(SEEN_QUEUE);
        let watching = async {
            loop {
                match self.cluster().await {
                    Ok(cluster) => {
                        watch(&cluster, run, &seen).await;
                        self.read_access_again().await;
                    }
                    Err(error) => tracing::warn!(%run, %error, "pods cannot be followed"),
                }
                sleep(ACCESS_PAUSE).await;
            }
        };
        let reporting = async {
            let mut observed = Observed::of(object_name(run));
            while let Some(seen) = inbox.recv().await {
                if self.given_back.contains(run) {
                    observed.is_given_back();
                }
                for one in observed.see(seen) {
                    if news.send(one).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = watching => {}
            () = reporting => {}
        }
    }
}

/// Reports what is seen of a run, until the server no longer accepts the credentials.
async fn watch(cluster: &Cluster, run: &RunId, seen: &mpsc::Sender<Seen>) {
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
    tokio::select! {
        () = pods.follow(seen, Seen::Pods) => {}
        () = job.follow(seen, Seen::Job) => {}
        () = warnings.follow(seen, Seen::Warnings) => {}
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

    fn inherits(&self, run: &RunId) {
        self.unanswered.insert(run);
    }

    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        self.with_access(|| self.create(order)).boxed()
    }

    fn follow<'a>(&'a self, run: &'a RunId, news: mpsc::Sender<ProviderNews>) -> BoxFuture<'a, ()> {
        self.report(run, news).boxed()
    }

    fn release<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>> {
        self.with_access(|| self.delete(run)).boxed()
    }

    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        self.with_access(|| self.runs()).boxed()
    }
}

#[cfg(test)]
mod tests;
