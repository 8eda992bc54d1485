//! Machines of runs: what a provider is asked, and what becomes of what it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use greylag_infra::protocol::{ToAgent, ToCoordinator};
use greylag_infra::{AgentCount, Fleet, LoadTest, RunId, RunPhase, RunRecord};
use greylag_reporting::coordinator::{ProvisionedInfrastructure, Provisioning};
use greylag_reporting::provisioning::{
    MachineNews, MachineState, Order, Provider, ProviderKind, ProviderNews, ProvisionError,
};
use greylag_reporting::{Grant, Role, Scope, Token};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::site::*;

/// Does as it is told, and remembers what it was asked.
#[derive(Debug, Default)]
struct FakeProvider {
    kind: Option<ProviderKind>,
    said: Mutex<Said>,
    /// Runs that have machines according to it.
    held: Vec<RunId>,
    /// Whether it says so only once it is asked to.
    holds_back: bool,
}

#[derive(Debug, Default)]
struct Said {
    orders: Vec<Order>,
    released: Vec<RunId>,
    /// What it answers to the next requests; then `Ok`.
    answers: Vec<ProvisionError>,
    /// What becomes of the machines of whoever asks next.
    news: Vec<ProviderNews>,
    /// Whether it may say which runs have machines.
    says_held: bool,
    /// Runs that an earlier process may have asked for, and those that have begun.
    inherited: Vec<RunId>,
    begun: Vec<RunId>,
    /// Whether something of an earlier process is cleared up, which takes until this is said.
    clears_up: bool,
    /// Whether that has begun.
    is_clearing_up: bool,
}

impl FakeProvider {
    fn said<T>(&self, look: impl FnOnce(&mut Said) -> T) -> T {
        look(&mut self.said.lock().unwrap())
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Said) -> bool) {
        let waiting = async {
            while !self.said(|said| is_so(said)) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{what}: {self:?}"));
    }
}

impl Provider for FakeProvider {
    fn kind(&self) -> ProviderKind {
        self.kind.unwrap_or(ProviderKind::Command)
    }

    fn clear<'a>(&'a self, _run: &'a RunId) -> BoxFuture<'a, Result<bool, ProvisionError>> {
        async {
            let clears_up = self.said(|said| {
                said.is_clearing_up = said.clears_up;
                said.clears_up
            });
            self.until("to be cleared up", |said| !said.clears_up).await;
            Ok(clears_up)
        }
        .boxed()
    }

    fn request<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        let answer = self.said(|said| {
            said.orders.push(order.clone());
            said.answers.pop().map_or(Ok(()), Err)
        });
        async { answer }.boxed()
    }

    fn follow<'a>(
        &'a self,
        _run: &'a RunId,
        sender: mpsc::Sender<ProviderNews>,
    ) -> BoxFuture<'a, ()> {
        async move {
            for news in self.said(|said| std::mem::take(&mut said.news)) {
                sender.send(news).await.unwrap();
            }
            // That it ends by itself ends nothing else.
        }
        .boxed()
    }

    fn release<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>> {
        self.said(|said| said.released.push(run.clone()));
        async { Ok(()) }.boxed()
    }

    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        async {
            if self.holds_back {
                self.until("to say", |said| said.says_held).await;
            }
            Ok(self.held.clone())
        }
        .boxed()
    }

    fn inherits(&self, run: &RunId) {
        self.said(|said| said.inherited.push(run.clone()));
    }

    fn begins(&self, run: &RunId) {
        self.said(|said| said.begun.push(run.clone()));
    }
}

/// A coordinator whose infrastructure `lab` is made by a provider.
struct Lab {
    directory: TempDir,
    provider: Arc<FakeProvider>,
    site: Site,
}

impl Lab {
    async fn open() -> Self {
        Self::open_with(FakeProvider::default()).await
    }

    async fn open_with(provider: FakeProvider) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), provider).await
    }

    async fn open_in(directory: TempDir, provider: FakeProvider) -> Self {
        let provider = Arc::new(provider);
        let infrastructure = ProvisionedInfrastructure {
            provider: Arc::clone(&provider) as Arc<dyn Provider>,
            coordinator_url: "http://load.example:8089".to_owned(),
        };
        let provisioning = Provisioning {
            infrastructures: BTreeMap::from([("lab".to_owned(), infrastructure)]),
            accept_uploads: true,
        };
        let site = Site::open_with(directory.path(), PATIENCE, provisioning).await;
        Self {
            directory,
            provider,
            site,
        }
    }

    /// Ends the coordinator, and starts it again with another provider.
    async fn restart(self, provider: FakeProvider) -> Self {
        Self::open_in(self.close().await, provider).await
    }

    async fn close(self) -> TempDir {
        self.site.close().await;
        self.directory
    }

    /// A run that waits for one agent.
    async fn ask(&self) -> RunRecord {
        self.ask_for(AgentCount::default()).await
    }

    async fn ask_for(&self, agents: AgentCount) -> RunRecord {
        let started = self.site.coordinator.start_run(of_agents(agents)).await;
        started.unwrap()
    }

    async fn stop(&self, run: &RunRecord) {
        self.site.coordinator.stop_run(&run.id).await.unwrap();
    }

    /// Takes the next order.
    async fn order(&self) -> Order {
        self.until_ordered(1).await;
        self.provider.said(|said| said.orders.remove(0))
    }

    async fn until_ordered(&self, orders: usize) {
        let provider = &self.provider;
        provider
            .until("an order", |said| said.orders.len() == orders)
            .await;
    }

    /// Waits until just this run's machines are given back.
    async fn until_released(&self, run: &RunRecord) {
        let provider = &self.provider;
        provider
            .until("to give back", |said| said.released == [run.id.clone()])
            .await;
    }

    fn lets_in(&self, token: &Token) -> Option<Grant> {
        let tokens = self.site.coordinator.tokens();
        tokens.check(token.expose().as_bytes())
    }
}

fn of_agents(agents: AgentCount) -> LoadTest {
    LoadTest {
        workers: 1,
        fleet: Fleet {
            agents,
            ..Fleet::default()
        },
        ..load_test()
    }
}

async fn log_of(site: &Site, id: &RunId) -> String {
    let store = site.coordinator.store();
    let lines = store.log(id, &Scope::default(), 0, 10_000).await.unwrap();
    let texts = lines.into_iter().map(|line| line.text);
    texts.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asks_for_as_many_agents_as_it_takes_at_most_and_for_one_by_default() {
    let lab = Lab::open().await;
    for (agents, asked) in [
        (AgentCount::new(2, 5).unwrap(), 5),
        (AgentCount::default(), 1),
    ] {
        let run = lab.ask_for(agents).await;
        let order = lab.order().await;
        assert_eq!(
            (&order.run, order.agents, order.number),
            (&run.id, asked, run.number)
        );
        assert_eq!(
            (order.infrastructure.as_str(), order.accept_uploads),
            ("lab", true)
        );
        assert_eq!(order.coordinator_url, "http://load.example:8089");

        // Its token lets in agents of this run, as long as it is there.
        let token = order.token.unwrap();
        let grant = lab.lets_in(&token).unwrap();
        assert_eq!(
            (grant.role, grant.infrastructure),
            (Role::Agent, Some("lab".to_owned()))
        );
        assert_eq!(grant.run.as_ref(), Some(&run.id));
        assert!(grant.expires_at.is_some());
        lab.stop(&run).await;
        lab.until_released(&run).await;
        lab.provider.said(|said| said.released.clear());
        assert_eq!(lab.lets_in(&token), None);
    }
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_asked_again_and_what_is_final_fails_the_run() {
    let lab = Lab::open().await;
    let busy = || ProvisionError::unavailable("the server is busy");
    let answers = std::iter::repeat_with(busy).take(1_000).collect();
    lab.provider.said(|said| said.answers = answers);
    let run = lab.ask().await;
    let mut changes = lab.site.coordinator.changes();
    let busy = "waiting for 1 of 1 agent: the server is busy; asking again";
    let until_busy = async {
        while lab.site.run(&run.id).await.phase.wait_reason().as_deref() != Some(busy) {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, until_busy).await.unwrap();
    lab.provider.said(|said| {
        said.answers = vec![ProvisionError::refused("no such image")];
        said.orders.clear();
    });
    let phase = lab.site.until_over(&run.id).await;
    let words = "infrastructure lab did not make the machines: no such image";
    assert_eq!(refusal(phase), words);
    lab.until_released(&run).await;
    assert_eq!(lab.provider.said(|said| said.orders.len()), 1);
    let shown = lab.site.coordinator.machines().remove("lab").unwrap();
    assert_eq!(shown.last_error.as_deref(), Some("no such image"));
    lab.close().await;
}

/// What the message of a run says whose machines were refused.
fn refusal(phase: RunPhase) -> String {
    let RunPhase::Failed(reason) = phase else {
        panic!("{phase:?}");
    };
    assert_eq!(reason.code(), "machines_refused");
    reason.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_wait_for_machines_that_cannot_come_any_more() {
    let lab = Lab::open().await;
    let news = |machine: &str, state, reason: Option<&str>| {
        ProviderNews::Machine(MachineNews {
            machine: machine.to_owned(),
            state,
            reason: reason.map(str::to_owned),
        })
    };
    lab.provider.said(|said| {
        said.news = vec![
            news("pod-0", MachineState::Running, None),
            ProviderNews::AtMost(4),
            news("pod-1", MachineState::Failed, Some("OOMKilled")),
            news("pod-2", MachineState::Failed, Some("OOMKilled")),
            news("pod-3", MachineState::Failed, Some("Evicted")),
            ProviderNews::AtMost(1),
        ];
    });
    let run = lab.ask_for(AgentCount::new(2, 4).unwrap()).await;
    let phase = lab.site.until_over(&run.id).await;
    let words = "infrastructure lab did not make the machines: 3 machines failed (pod-1: OOMKilled; pod-3: Evicted)";
    assert_eq!(refusal(phase), words);
    lab.until_released(&run).await;
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_with_fewer_agents_when_the_others_cannot_come() {
    let lab = Lab::open().await;
    lab.provider
        .said(|said| said.news = vec![ProviderNews::AtMost(2)]);
    let run = lab.ask_for(AgentCount::new(2, 5).unwrap()).await;
    let token = lab.order().await.token.unwrap();
    let mut agents = Vec::new();
    for name in ["a", "b"] {
        let dialled = FakeAgent::dial_with(&lab.site.url, token.expose()).await;
        let mut agent = dialled.unwrap();
        agent.send(&ToCoordinator::Hello(hello(name, &[]))).await;
        agents.push(agent);
    }
    let welcome = agents[0].receive().await;
    assert!(matches!(welcome, Some(ToAgent::Welcome(_))));
    // Long before another could be thought to come.
    let prepare = agents[0].receive().await;
    assert!(matches!(prepare, Some(ToAgent::Prepare(_))), "{prepare:?}");
    let begun = lab.provider.said(|said| said.begun.clone());
    assert_eq!(begun, std::slice::from_ref(&run.id));
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_machines_say_is_in_the_log_without_escapes_and_tokens() {
    let lab = Lab::open().await;
    let token = "greylag_abc0123def_Zm9v-YmFyX2Jh";
    let news = |reason: String| {
        ProviderNews::Machine(MachineNews {
            machine: "up".to_owned(),
            state: MachineState::Starting,
            reason: Some(reason),
        })
    };
    lab.provider.said(|said| {
        said.news = (0..3_000)
            .map(|number| news(format!("line {number}")))
            .collect();
        said.news
            .insert(0, news(format!("\u{1b}[31mTOKEN={token}\u{7}")));
        // As tools colour what they have found.
        let coloured = token.replace("greylag_", "greylag_\u{1b}[m\u{1b}[K");
        said.news.insert(1, news(format!("found {coloured}")));
        said.news.insert(2, news("x".repeat(100_000)));
    });
    let run = lab.ask().await;
    let mut changes = lab.site.coordinator.changes();
    let until_said = async {
        while !lab
            .site
            .run(&run.id)
            .await
            .phase
            .wait_reason()
            .is_some_and(|reason| reason.ends_with("line 2999"))
        {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, until_said).await.unwrap();
    lab.stop(&run).await;
    lab.until_released(&run).await;
    let log = log_of(&lab.site, &run.id).await;
    assert!(log.contains("up: TOKEN=greylag_abc0123def_…\n"), "{log}");
    assert!(log.contains("up: found greylag_abc0123def_…\n"), "{log}");
    assert!(!log.contains("Zm9v") && !log.contains('\u{1b}'));
    assert!(log.lines().all(|line| line.len() < 2_000));
    assert!(
        log.contains("(what else machines say is not kept)"),
        "{log}"
    );
    assert!(!log.contains("line 2999"));
    lab.close().await;
}

/// Machines that are there although nothing of them is kept here: their run is over, or was forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn machines_of_runs_that_are_over_are_given_back_after_a_restart() {
    let lab = Lab::open().await;
    lab.provider
        .said(|said| said.answers = vec![ProvisionError::refused("no")]);
    let run = lab.ask().await;
    lab.site.until_over(&run.id).await;
    lab.until_released(&run).await;
    let lab = lab
        .restart(FakeProvider {
            held: vec!["forgotten".into(), run.id.clone()],
            ..FakeProvider::default()
        })
        .await;
    lab.provider
        .until("to give back", |said| {
            let forgotten = &"forgotten".into();
            said.released.contains(&run.id) && said.released.contains(forgotten)
        })
        .await;
    lab.close().await;
}

/// What gives the old ones back may not tell them from new ones.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_before_it_is_known_what_is_still_there() {
    let lab = Lab::open_with(FakeProvider {
        held: vec!["forgotten".into()],
        holds_back: true,
        ..FakeProvider::default()
    })
    .await;
    let run = lab.ask().await;
    let waits = async {
        let mut changes = lab.site.coordinator.changes();
        while !lab
            .site
            .run(&run.id)
            .await
            .phase
            .wait_reason()
            .is_some_and(|reason| reason.contains("machines of earlier runs are still there"))
        {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap();
    assert!(lab.provider.said(|said| said.orders.is_empty()));
    lab.provider.said(|said| said.says_held = true);
    lab.until_ordered(1).await;
    let released = lab.provider.said(|said| said.released.clone());
    assert_eq!(released, [RunId::from("forgotten")], "first");
    lab.close().await;
}

/// Killed after it was saved that there will be machines, and before it was saved that it is the run's turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_turn_was_not_saved_asks_after_a_restart() {
    let lab = Lab::open().await;
    let (first, second) = (lab.ask().await, lab.ask().await);
    lab.until_ordered(1).await;
    lab.stop(&first).await;
    lab.until_released(&first).await;
    lab.until_ordered(2).await;
    assert!(lab.provider.said(|said| said.inherited.is_empty()));
    let directory = lab.close().await;
    let database = rusqlite::Connection::open(directory.path().join("greylag.sqlite")).unwrap();
    let queued = "UPDATE runs SET phase = ?1 WHERE id = ?2";
    let busy = serde_json::to_string(&second.phase).unwrap();
    assert!(busy.contains("Queued"), "{busy}");
    assert_eq!(database.execute(queued, [&busy, second.id.as_str()]), Ok(1));
    drop(database);

    let lab = Lab::open_in(directory, FakeProvider::default()).await;
    assert_eq!(lab.order().await.run, second.id);
    let inherited = lab.provider.said(|said| said.inherited.clone());
    assert_eq!(inherited, std::slice::from_ref(&second.id));
    lab.stop(&second).await;
    lab.until_released(&second).await;
    lab.close().await;
}

/// Agents of what is being cleared up would be ended under the run.
#[tokio::test(flavor = "multi_thread")]
async fn agents_of_what_is_cleared_up_do_not_begin_the_run() {
    let lab = Lab::open().await;
    let run = lab.ask().await;
    let old = lab.order().await.token.unwrap();
    let provider = FakeProvider::default();
    provider.said(|said| said.clears_up = true);
    let lab = lab.restart(provider).await;
    lab.provider
        .until("to clear up", |said| said.is_clearing_up)
        .await;
    assert!(lab.lets_in(&old).is_some());
    assert!(lab.provider.said(|said| said.orders.is_empty()));
    lab.provider.said(|said| said.clears_up = false);
    let new = lab.order().await.token.unwrap();
    assert!(lab.lets_in(&old).is_none());
    assert!(lab.lets_in(&new).is_some());
    lab.stop(&run).await;
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_given_back_by_the_kind_that_made_them() {
    let of_kind = |kind| FakeProvider {
        kind: Some(kind),
        ..FakeProvider::default()
    };
    let lab = Lab::open_with(of_kind(ProviderKind::Command)).await;
    let run = lab.ask().await;
    let token = lab.order().await.token.unwrap();

    let lab = lab.restart(of_kind(ProviderKind::Kubernetes)).await;
    let shown = lab.site.coordinator.machines().remove("lab").unwrap();
    let error = shown.last_error.unwrap();
    assert!(error.contains("with the kind command any more"), "{error}");
    lab.stop(&run).await;
    lab.site.until_over(&run.id).await;
    let revoked = async {
        while lab.lets_in(&token).is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, revoked).await.unwrap();
    let asked = |said: &mut Said| !said.orders.is_empty() || !said.released.is_empty();
    assert!(!lab.provider.said(asked));

    let lab = lab.restart(of_kind(ProviderKind::Command)).await;
    lab.until_released(&run).await;
    lab.close().await;
}
