//! Machines of runs: what a provider is asked, and what becomes of what it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use greylag_infra::{AgentCount, Fleet, LoadTest, RunId, RunPhase};
use greylag_reporting::coordinator::{ProvisionedInfrastructure, Provisioning};
use greylag_reporting::provisioning::{
    MachineNews, MachineState, Order, Provider, ProviderKind, ProvisionError,
};
use greylag_reporting::{Role, Scope};
use tokio::sync::mpsc;

use crate::site::*;

/// Does as it is told, and remembers what it was asked.
#[derive(Debug, Default)]
struct FakeProvider {
    kind: Option<ProviderKind>,
    said: Mutex<Said>,
    /// Runs that have machines according to it.
    held: Vec<RunId>,
}

#[derive(Debug, Default)]
struct Said {
    orders: Vec<Order>,
    released: Vec<RunId>,
    /// What it answers to the next requests; then `Ok`.
    answers: Vec<ProvisionError>,
    /// What becomes of the machines of whoever asks next.
    news: Vec<MachineNews>,
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
        sender: mpsc::Sender<MachineNews>,
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
        async { Ok(self.held.clone()) }.boxed()
    }
}

async fn site_with(dir: &std::path::Path, provider: &Arc<FakeProvider>) -> Site {
    let infrastructure = ProvisionedInfrastructure {
        provider: Arc::clone(provider) as Arc<dyn Provider>,
        coordinator_url: "http://load.example:8089".to_owned(),
    };
    let provisioning = Provisioning {
        infrastructures: BTreeMap::from([("lab".to_owned(), infrastructure)]),
        accept_uploads: true,
    };
    Site::open_with(dir, PATIENCE, provisioning).await
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
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    for (agents, asked) in [
        (AgentCount::new(2, 5).unwrap(), 5),
        (AgentCount::default(), 1),
    ] {
        let run = site.coordinator.start_run(of_agents(agents)).await.unwrap();
        provider
            .until("an order", |said| said.orders.len() == 1)
            .await;
        let order = provider.said(|said| said.orders.remove(0));
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
        let check = || site.coordinator.tokens().check(token.expose().as_bytes());
        let grant = check().unwrap();
        assert_eq!(
            (grant.role, grant.infrastructure),
            (Role::Agent, Some("lab".to_owned()))
        );
        assert_eq!(grant.run.as_ref(), Some(&run.id));
        assert!(grant.expires_at.is_some());
        site.coordinator.stop_run(&run.id).await.unwrap();
        provider
            .until("to give back", |said| said.released == [run.id.clone()])
            .await;
        provider.said(|said| said.released.clear());
        assert_eq!(check(), None);
    }
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_asked_again_and_what_is_final_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    provider.said(|said| {
        said.answers = vec![
            ProvisionError::refused("no such image"),
            ProvisionError::unavailable("the server is busy"),
        ];
    });
    let run = site
        .coordinator
        .start_run(of_agents(AgentCount::default()))
        .await
        .unwrap();
    let mut changes = site.coordinator.changes();
    let mut reasons = Vec::new();
    let phase = loop {
        let phase = site.run(&run.id).await.phase;
        if phase.is_over() {
            break phase;
        }
        reasons.extend(phase.wait_reason());
        changes.changed().await.unwrap();
    };
    let busy = "waiting for 1 of 1 agent: the server is busy; asking again";
    assert!(reasons.iter().any(|reason| reason == busy), "{reasons:?}");
    let RunPhase::Failed(reason) = phase else {
        panic!("{phase:?}");
    };
    assert_eq!(reason.code(), "machines_refused");
    let words = "infrastructure lab did not make the machines: no such image";
    assert_eq!(reason.to_string(), words);
    assert_eq!(provider.said(|said| said.orders.len()), 2);
    provider
        .until("to give back", |said| said.released == [run.id.clone()])
        .await;
    let shown = site.coordinator.machines().remove("lab").unwrap();
    assert_eq!(shown.last_error.as_deref(), Some("no such image"));
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_machines_say_is_in_the_log_without_escapes_and_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    let token = "greylag_abc0123def_Zm9v-YmFyX2Jh";
    let news = |reason: String| MachineNews {
        machine: "up".to_owned(),
        state: MachineState::Starting,
        reason: Some(reason),
    };
    provider.said(|said| {
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
    let run = site
        .coordinator
        .start_run(of_agents(AgentCount::default()))
        .await
        .unwrap();
    let mut changes = site.coordinator.changes();
    let until_said = async {
        while !site
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
    site.coordinator.stop_run(&run.id).await.unwrap();
    provider
        .until("to give back", |said| !said.released.is_empty())
        .await;
    let log = log_of(&site, &run.id).await;
    assert!(log.contains("up: TOKEN=greylag_abc0123def_…\n"), "{log}");
    assert!(log.contains("up: found greylag_abc0123def_…\n"), "{log}");
    assert!(!log.contains("Zm9v") && !log.contains('\u{1b}'));
    assert!(log.lines().all(|line| line.len() < 2_000));
    assert!(
        log.contains("(what else machines say is not kept)"),
        "{log}"
    );
    assert!(!log.contains("line 2999"));
    site.close().await;
}

/// Machines that are there although nothing of them is kept here: their run is over, or was forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn machines_of_runs_that_are_over_are_given_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    provider.said(|said| said.answers = vec![ProvisionError::refused("no")]);
    let run = site
        .coordinator
        .start_run(of_agents(AgentCount::default()))
        .await
        .unwrap();
    site.until_over(&run.id).await;
    provider
        .until("to give back", |said| !said.released.is_empty())
        .await;
    site.close().await;

    let provider = Arc::new(FakeProvider {
        held: vec!["forgotten".into(), run.id.clone()],
        ..FakeProvider::default()
    });
    let site = site_with(dir.path(), &provider).await;
    provider
        .until("to give back", |said| {
            let forgotten = &"forgotten".into();
            said.released.contains(&run.id) && said.released.contains(forgotten)
        })
        .await;
    site.close().await;
}

/// Killed after it was saved that there will be machines, and before it was saved that it is the run's turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_turn_was_not_saved_asks_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    let start = || site.coordinator.start_run(of_agents(AgentCount::default()));
    let (first, second) = (start().await.unwrap(), start().await.unwrap());
    provider
        .until("an order", |said| said.orders.len() == 1)
        .await;
    site.coordinator.stop_run(&first.id).await.unwrap();
    provider
        .until("to give back", |said| said.released == [first.id.clone()])
        .await;
    provider
        .until("the other's", |said| said.orders.len() == 2)
        .await;
    site.close().await;
    let database = rusqlite::Connection::open(dir.path().join("greylag.sqlite")).unwrap();
    let queued = "UPDATE runs SET phase = ?1 WHERE id = ?2";
    let busy = serde_json::to_string(&second.phase).unwrap();
    assert!(busy.contains("Queued"), "{busy}");
    assert_eq!(database.execute(queued, [&busy, second.id.as_str()]), Ok(1));
    drop(database);

    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    provider
        .until("an order", |said| said.orders.len() == 1)
        .await;
    assert_eq!(provider.said(|said| said.orders[0].run.clone()), second.id);
    site.coordinator.stop_run(&second.id).await.unwrap();
    provider
        .until("to give back", |said| said.released == [second.id.clone()])
        .await;
    site.close().await;
}

/// Agents of what is being cleared up would be ended under the run.
#[tokio::test(flavor = "multi_thread")]
async fn agents_of_what_is_cleared_up_do_not_begin_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let provider = Arc::<FakeProvider>::default();
    let site = site_with(dir.path(), &provider).await;
    let test = of_agents(AgentCount::default());
    let run = site.coordinator.start_run(test).await.unwrap();
    provider
        .until("an order", |said| said.orders.len() == 1)
        .await;
    let token = |provider: &FakeProvider| {
        let order = provider.said(|said| said.orders.pop()).unwrap();
        order.token.unwrap().expose().to_owned()
    };
    let old = token(&provider);
    site.close().await;

    let provider = Arc::<FakeProvider>::default();
    provider.said(|said| said.clears_up = true);
    let site = site_with(dir.path(), &provider).await;
    let check = |token: &str| site.coordinator.tokens().check(token.as_bytes());
    provider
        .until("to clear up", |said| said.is_clearing_up)
        .await;
    assert!(check(&old).is_some());
    assert!(provider.said(|said| said.orders.is_empty()));
    provider.said(|said| said.clears_up = false);
    provider
        .until("an order", |said| said.orders.len() == 1)
        .await;
    assert!(check(&old).is_none());
    assert!(check(&token(&provider)).is_some());
    site.coordinator.stop_run(&run.id).await.unwrap();
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_given_back_by_the_kind_that_made_them() {
    let dir = tempfile::tempdir().unwrap();
    let of_kind = |kind| {
        Arc::new(FakeProvider {
            kind: Some(kind),
            ..FakeProvider::default()
        })
    };
    let provider = of_kind(ProviderKind::Command);
    let site = site_with(dir.path(), &provider).await;
    let test = of_agents(AgentCount::default());
    let run = site.coordinator.start_run(test).await.unwrap();
    provider
        .until("an order", |said| said.orders.len() == 1)
        .await;
    let order = provider.said(|said| said.orders.remove(0));
    let token = order.token.unwrap();
    site.close().await;

    let provider = of_kind(ProviderKind::Kubernetes);
    let site = site_with(dir.path(), &provider).await;
    let shown = site.coordinator.machines().remove("lab").unwrap();
    let error = shown.last_error.unwrap();
    assert!(error.contains("with the kind command any more"), "{error}");
    site.coordinator.stop_run(&run.id).await.unwrap();
    site.until_over(&run.id).await;
    let check = || site.coordinator.tokens().check(token.expose().as_bytes());
    let revoked = async {
        while check().is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, revoked).await.unwrap();
    assert!(provider.said(|said| said.orders.is_empty() && said.released.is_empty()));
    site.close().await;

    let provider = of_kind(ProviderKind::Command);
    let site = site_with(dir.path(), &provider).await;
    provider
        .until("to give back", |said| said.released == [run.id.clone()])
        .await;
    site.close().await;
}
