//! Infrastructures of kind `kubernetes`, against a stand-in of the API server that starts an agent's process for each pod.

mod access;
mod provider;
mod role;
mod runs;

use std::collections::BTreeMap;

use greylag_infra::RunId;
use greylag_reporting::Token;
use greylag_reporting::provisioning::{
    Kubernetes, KubernetesSettings, MachineState, Order, Provider, ProviderNews,
};
use greylag_tests::KubernetesStandIn;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::SOON;

/// The infrastructure.
const INFRASTRUCTURE: &str = "on demand";

/// A coordinator's provider for the stand-in, and what it reports of a run.
struct Asked {
    provider: std::sync::Arc<Kubernetes>,
    order: Order,
}

/// Settings that lead to the stand-in.
fn settings(cluster: &KubernetesStandIn, further: &str) -> KubernetesSettings {
    let kubeconfig = cluster.kubeconfig();
    let text = format!("kubeconfig = {kubeconfig:?}\n{further}");
    let settings: KubernetesSettings = toml::from_str(&text).expect("settings");
    settings.check().expect("they are valid");
    settings
}

/// Another coordinator: its data directory.
fn coordinator() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

impl Asked {
    fn new(cluster: &KubernetesStandIn, coordinator: &TempDir, run: &str, agents: u32) -> Self {
        let settings = settings(cluster, "image = \"registry.example/greylag\"\n");
        Self::with(settings, coordinator, run, agents)
    }

    fn with(settings: KubernetesSettings, coordinator: &TempDir, run: &str, agents: u32) -> Self {
        Self {
            provider: std::sync::Arc::new(Kubernetes::new(
                settings,
                INFRASTRUCTURE,
                coordinator.path(),
            )),
            order: Order {
                run: RunId::from(run),
                test: "checkout".to_owned(),
                number: 14,
                infrastructure: INFRASTRUCTURE.to_owned(),
                agents,
                // Agents that find nothing there dial on.
                coordinator_url: "http://127.0.0.1:1".to_owned(),
                token: Token::new("token-of-the-run").ok(),
                accept_uploads: false,
                agents_timeout: SOON,
            },
        }
    }

    async fn request(&self) -> Result<(), String> {
        let asked = self.provider.request(&self.order).await;
        asked.map_err(|error| format!("final {}: {error}", error.is_final()))
    }

    async fn release(&self) {
        self.provider
            .release(&self.order.run)
            .await
            .expect("given back");
    }

    fn follow(&self) -> Followed {
        let (news, inbox) = mpsc::channel(100);
        let (provider, run) = (self.provider.clone(), self.order.run.clone());
        Followed {
            inbox,
            task: tokio::spawn(async move { provider.follow(&run, news).await }),
            now: BTreeMap::new(),
            seen: Vec::new(),
        }
    }
}

/// What is reported of a run.
struct Followed {
    inbox: mpsc::Receiver<ProviderNews>,
    task: JoinHandle<()>,
    now: BTreeMap<String, (MachineState, String)>,
    seen: Vec<String>,
}

impl Followed {
    /// Waits until a machine whose name begins so is in this state, with a reason that holds a text.
    async fn wait_for(&mut self, machine: &str, state: MachineState, reason: &str) {
        let is_so = |(name, (is, why)): (&String, &(MachineState, String))| {
            name.starts_with(machine) && *is == state && why.contains(reason)
        };
        while !self.now.iter().any(is_so) {
            let Ok(news) = timeout(SOON, self.inbox.recv()).await else {
                panic!("{machine} is not {state:?} {reason:?}: {:#?}", self.seen);
            };
            let ProviderNews::Machine(news) = news.expect("following does not end") else {
                continue;
            };
            let why = news.reason.unwrap_or_default();
            self.seen
                .push(format!("{} {:?} {why}", news.machine, news.state));
            self.now.insert(news.machine, (news.state, why));
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}
