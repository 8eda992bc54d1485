//! The task of one run's machines.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::{
    AgentId, ConnectionStatus, InfrastructureView, LATE_RESULTS, MAX_DURATION, PREPARE_TIMEOUT,
    RunId, RunRecord, WallTime,
};
use tokio::sync::{mpsc, watch};

use super::log::{RunLog, bounded, bounded_text};
use super::{Over, Pauses, ProvisionedInfrastructure};
use crate::Token;
use crate::coordinator::Coordinator;
use crate::coordinator::owner::Command;
use crate::provisioning::{Order, ProviderNews, ProvisionError};
use crate::store::{HeldMachines, StoreError};
use crate::tokens::{Grant, Role};

/// News that wait to be taken; who brings more is held up.
const NEWS_QUEUE: usize = 256;
/// How long agents have to end by themselves after their run, before their machines are given back.
const AGENTS_END: Duration = Duration::from_secs(10);
/// How often it is tried to save, while that fails.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// What a run asks for.
#[derive(Debug)]
pub(super) struct Ask {
    test: String,
    number: u64,
    agents: u32,
    /// How long the run waits for them.
    agents_timeout: Duration,
    /// How long the run may last from now on.
    lasts: Duration,
}

impl Ask {
    /// A run that does not say how many agents it wants gets one.
    pub(super) fn of(run: &RunRecord) -> Self {
        let fleet = &run.test.fleet;
        let agents = match fleet.agents.is_given() {
            true => fleet.agents.most(),
            false => 1,
        };
        // Neither who changes the load nor a scenario's load shape can make it longer than the longest there is.
        let agents_timeout = Duration::from_secs(fleet.agents_timeout_s);
        let lasts = agents_timeout + PREPARE_TIMEOUT + MAX_DURATION + LATE_RESULTS;
        Self {
            test: run.test.name.clone(),
            number: run.number,
            agents,
            agents_timeout,
            lasts,
        }
    }

    fn label(&self) -> String {
        label_of(&self.test, self.number)
    }
}

fn label_of(test: &str, number: u64) -> String {
    format!("#{number} of {test}")
}

/// One run and where its machines come from.
#[derive(Debug)]
pub(super) struct Job {
    coordinator: Coordinator,
    infrastructure: String,
    provisioned: ProvisionedInfrastructure,
    run_id: RunId,
    over: Over,
}

impl Job {
    pub(super) fn new(
        coordinator: &Coordinator,
        infrastructure: &str,
        provisioned: &ProvisionedInfrastructure,
        run_id: &RunId,
        over: Over,
    ) -> Self {
        Self {
            coordinator: coordinator.clone(),
            infrastructure: infrastructure.to_owned(),
            provisioned: provisioned.clone(),
            run_id: run_id.clone(),
            over,
        }
    }

    /// Gets machines if they are to be asked for, follows them until the run is over, and gives them back.
    pub(super) async fn run(self, ask: Option<Ask>) {
        let mut log = RunLog::of(&self.coordinator, &self.run_id);
        let label = match &ask {
            Some(ask) => ask.label(),
            None => self.label().await,
        };
        self.board()
            .asks(&self.infrastructure, &self.run_id, &label);
        let over = self.over.token.clone();
        let getting = async {
            match &ask {
                Some(ask) => self.get(ask, &mut log).await,
                None => self.following(pending(), &mut log).await,
            }
        };
        // Nothing is left of it: what it was doing is dropped.
        let _ = over.run_until_cancelled(getting).await;
        self.agents_end().await;
        self.give_back(&mut log).await;
    }

    /// The run as people know it; empty if it was deleted.
    async fn label(&self) -> String {
        let run = self.coordinator.store().run(&self.run_id).await;
        let run = run.ok().flatten();
        run.map_or_else(String::new, |run| label_of(&run.test.name, run.number))
    }

    fn board(&self) -> &super::MachineBoard {
        &self.coordinator.shared.machines
    }

    /// Never returns: it is dropped when the run is over.
    async fn get(&self, ask: &Ask, log: &mut RunLog) {
        self.hold().await;
        let (board, infrastructure) = (self.board(), self.infrastructure.as_str());
        let says = |text| {
            board.obstacle(infrastructure, &self.run_id, Some(text));
            self.coordinator.changed();
        };
        board.others_are_gone(infrastructure, says).await;
        board.obstacle(infrastructure, &self.run_id, None);
        log.note(format!(
            "asking infrastructure {infrastructure} for {} machine{}",
            ask.agents,
            if ask.agents == 1 { "" } else { "s" }
        ));
        log.save().await;
        let asking = async {
            if let Err(error) = self.request(ask).await {
                let problem = self.failed(&error);
                let run_id = self.run_id.clone();
                let refused = Command::MachinesRefused { run_id, problem };
                self.coordinator.command(refused).await;
            }
            pending::<()>().await;
        };
        self.following(asking, log).await;
    }

    /// Asks until the answer is final.
    async fn request(&self, ask: &Ask) -> Result<(), ProvisionError> {
        let mut pauses = Pauses::default();
        let mut token = None;
        loop {
            match self.request_once(ask, &mut token).await {
                Ok(()) => {
                    self.board().succeeded(&self.infrastructure);
                    self.obstacle(None);
                    return Ok(());
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    let text = self.failed(&error);
                    self.obstacle(Some(format!("{text}; asking again")));
                    tokio::time::sleep(pauses.next()).await;
                }
            }
        }
    }

    async fn request_once(
        &self,
        ask: &Ask,
        token: &mut Option<Token>,
    ) -> Result<(), ProvisionError> {
        let provider = &self.provisioned.provider;
        if provider.clear(&self.run_id).await? {
            // Agents of it that are left are not the run's any more.
            let revoked = self.coordinator.tokens().revoke_of_run(&self.run_id).await;
            revoked.map_err(ProvisionError::unavailable)?;
            *token = None;
        }
        self.board()
            .clears(&self.infrastructure, &self.run_id, false);
        let token = match token {
            Some(token) => token.clone(),
            None => token.insert(self.token(ask).await).clone(),
        };
        let order = Order {
            run: self.run_id.clone(),
            test: ask.test.clone(),
            number: ask.number,
            infrastructure: self.infrastructure.clone(),
            agents: ask.agents,
            coordinator_url: self.provisioned.coordinator_url.clone(),
            token: Some(token),
            accept_uploads: self.coordinator.shared.provisioning.accept_uploads,
            agents_timeout: ask.agents_timeout,
        };
        provider.request(&order).await
    }

    fn obstacle(&self, text: Option<String>) {
        let board = self.board();
        board.obstacle(&self.infrastructure, &self.run_id, text);
        self.coordinator.changed();
    }

    /// Shows what failed, and returns it as it is shown.
    fn failed(&self, error: &ProvisionError) -> String {
        let text = bounded_text(&error.to_string());
        tracing::warn!(run = %self.run_id, infrastructure = %self.infrastructure, "machines: {text}");
        self.board().failed(&self.infrastructure, text.clone());
        self.coordinator.changed();
        text
    }

    /// Saves that machines have to be given back, before any is asked for.
    async fn hold(&self) {
        let held = HeldMachines {
            run_id: self.run_id.clone(),
            infrastructure: self.infrastructure.clone(),
            kind: Some(self.provisioned.provider.kind().word().to_owned()),
        };
        let save = || self.coordinator.store().hold_machines(held.clone());
        self.until_saved("machines are asked for", save).await;
    }

    /// Saves something, and tries again until it is saved. Never returns once the coordinator has ended.
    async fn until_saved<F: Future<Output = Result<(), StoreError>>>(
        &self,
        what: &str,
        save: impl Fn() -> F,
    ) {
        while let Err(error) = save().await {
            if matches!(error, StoreError::Closed) {
                pending::<()>().await;
            }
            tracing::error!(%error, run = %self.run_id, "cannot save that {what}; trying again");
            tokio::time::sleep(SAVE_AGAIN).await;
        }
    }

    /// What lets this run's agents in. Those of an earlier process are good, too, until the run is over.
    async fn token(&self, ask: &Ask) -> Token {
        loop {
            let now: WallTime = self.coordinator.now();
            let grant = Grant {
                label: format!("run {}", self.run_id.shortened()),
                infrastructure: Some(self.infrastructure.clone()),
                run: Some(self.run_id.clone()),
                expires_at: Some(now + ask.lasts),
                ..Grant::of_role(Role::Agent)
            };
            match self.coordinator.tokens().create(grant).await {
                Ok((_, token)) => return token,
                Err(error) => {
                    self.obstacle(Some(format!(
                        "cannot create a token for the agents: {error}"
                    )));
                    tokio::time::sleep(SAVE_AGAIN).await;
                }
            }
        }
    }

    /// Follows the run's machines while something is done.
    async fn following<T>(&self, done: impl Future<Output = T>, log: &mut RunLog) -> T {
        let (sender, mut news) = mpsc::channel(NEWS_QUEUE);
        let provider = Arc::clone(&self.provisioned.provider);
        let mut following = std::pin::pin!(async {
            provider.follow(&self.run_id, sender).await;
            pending::<()>().await;
        });
        let mut done = std::pin::pin!(done);
        let mut batch = Vec::new();
        loop {
            let ended = tokio::select! {
                ended = &mut done => Some(ended),
                () = &mut following => None,
                count = news.recv_many(&mut batch, NEWS_QUEUE), if !news.is_closed() || !news.is_empty() => {
                    let _ = count;
                    None
                }
            };
            while let (true, Ok(more)) = (ended.is_some(), news.try_recv()) {
                batch.push(more);
            }
            self.take(batch.drain(..), log).await;
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    async fn take(&self, batch: impl Iterator<Item = ProviderNews>, log: &mut RunLog) {
        let (board, infrastructure) = (self.board(), self.infrastructure.as_str());
        for news in batch {
            match news {
                ProviderNews::Machine(news) => {
                    let line = board.note(infrastructure, &self.run_id, bounded(news));
                    if let Some(line) = line {
                        log.news(line);
                    }
                }
                ProviderNews::AtMost(machines) => {
                    board.can_be_at_most(infrastructure, &self.run_id, machines);
                }
            }
        }
        log.save().await;
    }

    /// Agents of one run end by themselves after it, which is better than being ended.
    async fn agents_end(&self) {
        let Some(agents) = self.over.agents.get().filter(|agents| !agents.is_empty()) else {
            return;
        };
        let mut views: watch::Receiver<_> = self.coordinator.shared.infrastructures.clone();
        let gone = views.wait_for(|views| !are_connected(views, agents));
        // In either case the machines are given back now.
        let _ = tokio::time::timeout(AGENTS_END, gone).await;
    }

    /// Gives everything back, and tries until that has succeeded.
    async fn give_back(&self, log: &mut RunLog) {
        self.board().gives_back(&self.infrastructure, &self.run_id);
        self.coordinator.changed();
        let mut pauses = Pauses::default();
        let mut said: Option<String> = None;
        log.begins_anew();
        loop {
            // At the latest now nothing is let in for this run any more.
            let revoked = self.coordinator.tokens().revoke_of_run(&self.run_id).await;
            let released = self.provisioned.provider.release(&self.run_id);
            let released = self.following(released, log).await;
            let Err(error) = released.and(revoked.map_err(ProvisionError::unavailable)) else {
                break;
            };
            let text = self.failed(&error);
            let pause = pauses.next();
            if said.as_ref() != Some(&text) {
                log.note(format!(
                    "the machines cannot be given back: {text}; trying again in {} s, and then after longer pauses",
                    pause.as_secs()
                ));
                log.save().await;
                said = Some(text);
            }
            tokio::time::sleep(pause).await;
        }
        log.note("the machines have been given back".to_owned());
        log.save().await;
        let save = || self.coordinator.store().machines_released(&self.run_id);
        self.until_saved("machines were given back", save).await;
        let board = self.board();
        // What failed before it succeeded is not wrong any more.
        if said.is_some() {
            board.succeeded(&self.infrastructure);
        }
        board.released(&self.infrastructure, &self.run_id);
        self.coordinator.changed();
    }
}

fn are_connected(views: &[InfrastructureView], agents: &BTreeSet<AgentId>) -> bool {
    let known = views.iter().flat_map(|view| &view.agents);
    known
        .filter(|agent| agent.status != ConnectionStatus::Disconnected)
        .any(|agent| agents.contains(&agent.id))
}
