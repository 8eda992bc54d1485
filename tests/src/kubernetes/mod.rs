//! A stand-in of a Kubernetes cluster: the API server's part that Greylag uses, a Job controller, a garbage collector, and a
//! kubelet that starts an agent's process for each pod, as the pod's specification says.
//!
//! It answers as an API server does in what matters to a client: versions of objects, lists in pages, watches with bookmarks
//! that end and forget (410 Gone), conflicts, refusals with their `Status`. It has no images, nodes or limits: what becomes of
//! a pod is decided by its [`PodFate`].

mod access;
mod api;
mod controllers;
mod kubelet;
mod objects;
mod selectors;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chaos_proxy::ChaosProxy;
use crate::cluster::Greylag;
use access::{Access, Authority};
use objects::Objects;

/// The one namespace that exists.
pub const NAMESPACE: &str = "load-tests";
/// What its clients have to show at first.
const CLIENT_TOKEN: &str = "stand-in-token";

/// What becomes of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodFate {
    /// It gets a node, and its container runs until it ends.
    Runs,
    /// No node takes it, for this reason.
    Unschedulable(String),
    /// Its image cannot be pulled.
    ImagePullBackOff,
    /// Its container is killed for its memory as soon as this file exists, and its process with it.
    OutOfMemory(PathBuf),
    /// Its node evicts it before its container starts.
    Evicted,
}

/// What a client did: verb, group and resource, as a Role names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `create`, `get`, `list`, `watch`, `delete`.
    pub verb: String,
    /// `batch`, or nothing for the core.
    pub group: String,
    /// `jobs`, `pods`, …
    pub resource: String,
}

/// A running stand-in; it ends, and its pods with it, when it is dropped.
#[derive(Debug)]
pub struct KubernetesStandIn {
    shared: Arc<Shared>,
    proxy: ChaosProxy,
    directory: TempDir,
    access: Mutex<Access>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    greylag: Greylag,
    state: Mutex<State>,
    /// Version of the newest object.
    version: watch::Sender<u64>,
    /// Whether Jobs that are asked for are held up, and how many are.
    held_up: watch::Sender<(bool, usize)>,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    used: BTreeSet<Permission>,
    forbidden: BTreeSet<(String, String)>,
    fates: BTreeMap<usize, PodFate>,
    quota: Option<usize>,
    dead_after_job: Option<u32>,
    /// What clients have to show, once it is another one.
    token: Option<String>,
    /// What was listed, as of a version, for the pages that follow.
    lists: BTreeMap<(u64, String), Vec<Value>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Changes something, and wakes who watches.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let version = state.objects.version();
        drop(state);
        self.version.send_if_modified(|known| {
            let is_new = *known != version;
            *known = version;
            is_new
        });
        changed
    }
}

impl KubernetesStandIn {
    /// Starts a cluster whose pods are processes of this binary.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(greylag: &Greylag) -> Self {
        Self::start_with(greylag, None).await
    }

    /// The same over TLS, with an authority that only its kubeconfig knows.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start_encrypted(greylag: &Greylag) -> Self {
        Self::start_with(greylag, Some(Authority::new())).await
    }

    async fn start_with(greylag: &Greylag, authority: Option<Authority>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            greylag: greylag.clone(),
            state: Mutex::default(),
            version: watch::Sender::new(0),
            held_up: watch::Sender::new((false, 0)),
        });
        let server = axum::serve(listener, api::router(Arc::clone(&shared)));
        let mut tasks = vec![
            tokio::spawn(async move {
                server.await.expect("it serves until it is aborted");
            }),
            tokio::spawn(controllers::control(Arc::clone(&shared))),
        ];
        let (address, scheme) = match &authority {
            Some(authority) => {
                let (address, task) = access::encrypt(authority, address).await;
                tasks.push(task);
                (address, "https")
            }
            None => (address, "http"),
        };
        let proxy = ChaosProxy::start(&address.to_string()).await;
        let directory = tempfile::Builder::new()
            .prefix("greylag-kubernetes-")
            .tempdir()
            .expect("a temporary directory");
        let access = Access {
            server: proxy.url().replacen("http", scheme, 1),
            cluster: authority
                .as_ref()
                .map_or_else(String::new, Authority::field),
            user: format!("token: {CLIENT_TOKEN}"),
        };
        let cluster = Self {
            shared,
            proxy,
            directory,
            access: Mutex::new(access),
            tasks,
        };
        cluster.change_access(|_| ());
        cluster
    }

    fn change_access(&self, change: impl FnOnce(&mut Access)) {
        let mut access = self.access.lock().expect("no holder panics");
        change(&mut access);
        std::fs::write(self.kubeconfig(), access.kubeconfig()).expect("the directory is ours");
    }

    /// Has the kubeconfig lead through this proxy.
    pub fn reach_through(&self, proxy: &str) {
        self.change_access(|access| access.cluster += &format!(", proxy-url: '{proxy}'"));
    }

    /// Has the kubeconfig trust an authority that has signed nothing.
    pub fn trust_another_authority(&self) {
        self.change_access(|access| access.cluster = Authority::new().field());
    }

    /// Accepts this token from now on; how clients get it is for these fields of the kubeconfig's user to say.
    pub fn accept(&self, token: &str, user: &str) {
        self.shared.state().token = Some(token.to_owned());
        self.change_access(|access| user.clone_into(&mut access.user));
    }

    /// No longer accepts what clients showed; the kubeconfig has what it accepts now.
    pub fn renew_token(&self, token: &str) {
        self.accept(token, &format!("token: {token}"));
    }

    /// What leads a client here.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// A directory for a test's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Decides over pods of this index that come from now on.
    pub fn decide(&self, index: usize, fate: PodFate) {
        self.shared.change(|state| state.fates.insert(index, fate));
    }

    /// Refuses this verb on this resource from now on.
    pub fn forbid(&self, verb: &str, resource: &str) {
        let what = (verb.to_owned(), resource.to_owned());
        self.shared.change(|state| state.forbidden.insert(what));
    }

    /// Lets at most so many pods exist.
    pub fn set_quota(&self, pods: Option<usize>) {
        self.shared.change(|state| state.quota = pods);
    }

    /// Kills this process with `kill -9` as soon as it has created a Job, before it has the answer.
    pub fn kill_after_job(&self, pid: u32) {
        self.shared.change(|state| state.dead_after_job = Some(pid));
    }

    /// Holds up Jobs that are asked for; they are made even if their client has gone.
    pub fn hold_up_jobs(&self) {
        self.shared.held_up.send_modify(|held_up| held_up.0 = true);
    }

    /// Waits until a Job is held up.
    ///
    /// # Panics
    /// Never: this has the sender.
    pub async fn wait_for_held_up_job(&self) {
        let mut held_up = self.shared.held_up.subscribe();
        let is_held_up = held_up.wait_for(|held_up| held_up.1 > 0);
        is_held_up.await.expect("the sender is ours");
    }

    /// Makes the Jobs that were held up.
    pub fn let_jobs_in(&self) {
        self.shared.held_up.send_modify(|held_up| held_up.0 = false);
    }

    /// Is out of reach until it [comes back](Self::come_back): connections break.
    pub fn go_away(&self) {
        self.proxy.cut();
    }

    /// Answers again.
    pub fn come_back(&self) {
        self.proxy.restore();
    }

    /// Forgets everything that has changed: each watch ends with 410 Gone.
    pub fn forget_changes(&self) {
        self.shared.change(|state| state.objects.forget_changes());
    }

    /// Puts an object of somebody else there.
    pub fn put(&self, resource: &str, object: Value) {
        self.shared
            .change(|state| state.objects.create(resource, object))
            .expect("its name is free");
    }

    /// Begins to delete an object that something still holds.
    pub fn begin_to_delete(&self, resource: &str, name: &str) {
        self.shared.change(|state| {
            state.objects.update(resource, name, |object| {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            });
        });
    }

    /// Takes an object away.
    pub fn remove(&self, resource: &str, name: &str) {
        self.shared
            .change(|state| state.objects.delete(resource, name))
            .expect("it is there");
    }

    /// The objects of a resource, such as `jobs`.
    pub fn objects(&self, resource: &str) -> Vec<Value> {
        self.shared.state().objects.all(resource)
    }

    /// What was done so far does not count for [`Self::used`].
    pub fn forget_uses(&self) {
        self.shared.state().used.clear();
    }

    /// What clients did that was allowed.
    pub fn used(&self) -> BTreeSet<Permission> {
        self.shared.state().used.clone()
    }
}

impl Drop for KubernetesStandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // Kubelets see that their pods are gone, if the test's runtime goes on; else their processes end with them.
        self.shared.change(|state| state.objects.clear());
    }
}
