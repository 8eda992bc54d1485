//! The one task that changes registry and runs. `select!` only chooses an event; handling it is done below, in
//! order, with every record saved before it is announced.

mod agents;
mod late_results;
mod news;
mod requests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::protocol::{Hello, LogLine, ToAgent};
use greylag_infra::{
    Admission, AgentId, InfrastructureView, LoadProfile, LoadTest, Registry, RunEffect, RunEvent,
    RunId, RunLifecycle, RunRecord, RunTime, SetUpData, StartTerms, UnfinishedRun, WallTime,
    save_once,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::admission::HelloRefused;
use super::dispatch::StartRefused;
use super::machines::Machines;
use super::ramp_news::{RampNews, announce};
use crate::store::StoreError;
use crate::thresholds::ThresholdAbort;

use super::{
    ChangeUsersError, ConnectionFault, Coordinator, CreateInfrastructureError, StartedRun,
    StopRunError, count_check, thresholds,
};

/// Most commands that are handled before what they lead to is performed.
const COMMANDS_AT_ONCE: usize = 256;
/// How often lease and deadlines are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How many ticks apart it is looked how full the disk is.
const LOOK_AT_DISK_EVERY: u32 = 10;
/// Messages waiting to be written to one agent; an agent that lets them pile up is disconnected.
pub(super) const AGENT_QUEUE: usize = 1_024;

/// Requests and events for the owner.
pub(super) enum Command {
    StartRun {
        test: Box<LoadTest>,
        terms: StartTerms,
        reply: oneshot::Sender<Result<StartedRun, StartRefused>>,
    },
    StopRun {
        run_id: RunId,
        reply: oneshot::Sender<Result<(), StopRunError>>,
    },
    ChangeUsers {
        run_id: RunId,
        users: u64,
        over: Duration,
        reply: oneshot::Sender<Result<(), ChangeUsersError>>,
    },
    CreateInfrastructure {
        name: String,
        reply: oneshot::Sender<Result<(), CreateInfrastructureError>>,
    },
    AgentConnected {
        connection: u64,
        hello: Box<Hello>,
        admission: Admission,
        outgoing: mpsc::Sender<ToAgent>,
        /// The refusal, if the hello is not accepted.
        reply: oneshot::Sender<Result<(), HelloRefused>>,
    },
    AgentReady {
        agent_id: AgentId,
        run_id: RunId,
        shape: Option<LoadProfile>,
        set_up_data: Option<SetUpData>,
    },
    AgentDisconnected {
        connection: u64,
        agent_id: AgentId,
    },
    MachinesRefused {
        run_id: RunId,
        problem: String,
    },
    ThresholdBreached {
        run_id: RunId,
        abort: ThresholdAbort,
    },
    Shutdown {
        reply: oneshot::Sender<()>,
    },
}

struct Connection {
    number: u64,
    outgoing: mpsc::Sender<ToAgent>,
}

/// A run and what is still to be done for it: effects wait here while the store cannot save.
struct LiveRun {
    lifecycle: RunLifecycle,
    pending: VecDeque<RunEffect>,
    ramps: RampNews,
    over: bool,
    /// Runs that were asked for before have smaller numbers.
    order: u64,
}

pub(super) struct Owner {
    coordinator: Coordinator,
    registry: Registry,
    runs: BTreeMap<RunId, LiveRun>,
    machines: Machines,
    /// Of the next run.
    next_order: u64,
    /// Whether a run that waits may have its turn now, or another reason to wait.
    queue_changed: bool,
    /// Until when no run that waits begins, because agents come back to a coordinator that was restarted.
    no_turn_before: WallTime,
    connections: BTreeMap<AgentId, Connection>,
    views: watch::Sender<Arc<Vec<InfrastructureView>>>,
    /// Whether the views are older than the registry.
    registry_changed: bool,
    /// How often it was looked at lease and deadlines.
    ticks: u32,
    /// Tries whether the store can save again.
    trial: Option<JoinHandle<()>>,
    late_results: late_results::LateResults,
}

impl Owner {
    pub(super) fn new(
        coordinator: &Coordinator,
        registry: Registry,
        views: watch::Sender<Arc<Vec<InfrastructureView>>>,
    ) -> Self {
        let mut owner = Self {
            coordinator: coordinator.clone(),
            registry,
            runs: BTreeMap::new(),
            machines: Machines::of(coordinator),
            next_order: 0,
            queue_changed: false,
            no_turn_before: WallTime::default(),
            connections: BTreeMap::new(),
            views,
            registry_changed: true,
            ticks: 0,
            trial: None,
            late_results: late_results::LateResults::default(),
        };
        owner.publish();
        owner
    }

    /// Takes up the runs an earlier coordinator left unfinished.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn recover(&mut self, unfinished: Vec<RunRecord>) -> Result<(), StoreError> {
        self.machines.recover(&unfinished).await?;
        for record in unfinished {
            let run_id = record.id.clone();
            tracing::info!(run = %run_id, test = %record.test.name, "resuming an unfinished run");
            let unfinished = UnfinishedRun {
                set_up_data: self.saved_set_up_data(&run_id).await,
                saved: self.saved_run_time(&run_id).await,
                record,
            };
            let now = self.coordinator.now();
            // Not by the clock, which may have been set meanwhile.
            let said_until = unfinished.record.started_at.map(|_| unfinished.saved);
            let ramps = RampNews::since(said_until);
            let (lifecycle, effects) =
                RunLifecycle::recover(unfinished, self.coordinator.shared.lease, now);
            if lifecycle.terms_of_waiting().is_some() {
                self.no_turn_before = now + waiting::AGENTS_COME_BACK;
            }
            self.adopt(run_id, lifecycle, effects, ramps).await;
        }
        Ok(())
    }

    async fn saved_set_up_data(&self, run_id: &RunId) -> Option<SetUpData> {
        let saved = self.coordinator.store().set_up_data(run_id).await;
        saved.unwrap_or_else(|error| {
            tracing::error!(%error, run = %run_id, "cannot read the set-up data");
            None
        })
    }

    async fn saved_run_time(&self, run_id: &RunId) -> RunTime {
        match self.coordinator.store().last_second(run_id).await {
            Ok(second) => second.map_or(RunTime::ZERO, RunTime::of_second),
            Err(error) => {
                tracing::error!(%error, run = %run_id, "cannot read how far results are saved");
                RunTime::ZERO
            }
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let coordinator = self.coordinator.clone();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut commands = Vec::new();
        loop {
            let mut is_tick = false;
            tokio::select! {
                count = inbox.recv_many(&mut commands, COMMANDS_AT_ONCE) => if count == 0 {
                    return;
                },
                () = coordinator.shared.news.urgent() => {}
                _ = tick.tick() => is_tick = true,
            }
            // Before the news: what is not being saved any more is among them.
            let waiting = is_tick.then(|| coordinator.shared.saving.agents());
            self.take_news().await;
            let mut shut_down = None;
            for command in commands.drain(..) {
                match command {
                    Command::Shutdown { reply } => shut_down = Some(reply),
                    command => self.handle(command).await,
                }
            }
            if let Some(waiting) = waiting {
                self.tick(&waiting).await;
            }
            self.publish();
            self.perform_all().await;
            // Again for those whose reason to wait is saved now.
            for _ in 0..2 {
                self.let_waiting_runs_begin();
                self.perform_all().await;
            }
            if let Some(reply) = shut_down {
                // The asker may have given up waiting; the end is the same.
                let _ = reply.send(());
                return;
            }
        }
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::StartRun { test, terms, reply } => {
                let answer = self.start_run(*test, &terms).await;
                let _ = reply.send(answer);
            }
            Command::StopRun { run_id, reply } => {
                let answer = self.stop_run(&run_id).await;
                let _ = reply.send(answer);
            }
            Command::ChangeUsers {
                run_id,
                users,
                over,
                reply,
            } => {
                let answer = self.change_users(&run_id, users, over).await;
                let _ = reply.send(answer);
            }
            Command::CreateInfrastructure { name, reply } => {
                let answer = self.create_infrastructure(&name).await;
                let _ = reply.send(answer);
            }
            Command::AgentConnected {
                connection,
                hello,
                admission,
                outgoing,
                reply,
            } => {
                let connection = Connection {
                    number: connection,
                    outgoing,
                };
                self.agent_connected(connection, &hello, admission, reply)
                    .await;
            }
            Command::AgentReady {
                agent_id,
                run_id,
                shape,
                set_up_data,
            } => {
                let event = RunEvent::AgentReady {
                    agent_id,
                    shape,
                    set_up_data,
                };
                self.note(&run_id, event);
            }
            Command::AgentDisconnected {
                connection,
                agent_id,
            } => {
                self.agent_disconnected(connection, &agent_id);
            }
            Command::MachinesRefused { run_id, problem } => {
                self.note(&run_id, RunEvent::MachinesRefused { problem });
            }
            Command::ThresholdBreached { run_id, abort } => {
                let ThresholdAbort { threshold, since_s } = abort;
                self.note(&run_id, RunEvent::ThresholdBreached { threshold, since_s });
            }
            Command::Shutdown { .. } => {}
        }
    }

    /// Time has passed, in which results of some agents wait to be saved.
    async fn tick(&mut self, waiting: &BTreeSet<AgentId>) {
        self.give_time(waiting);
        let run_ids: Vec<RunId> = self.runs.keys().cloned().collect();
        for run_id in run_ids {
            // One whose reason to wait cannot be saved may have its agents by now.
            let is_behind = self.runs.get(&run_id).is_some_and(|run| {
                run.lifecycle.terms_of_waiting().is_some() && !run.pending.is_empty()
            });
            if !is_behind {
                self.note(&run_id, RunEvent::Tick);
            }
            if let Some(run) = self.runs.get_mut(&run_id) {
                announce(&self.coordinator, run.lifecycle.record(), &mut run.ramps).await;
            }
        }
        self.queue_changed = true;
        self.registry.forget_strangers(self.coordinator.now());
        let (runs, machines) = (&self.runs, &self.machines);
        self.registry.forget_gone_of_runs(|run_id| {
            !runs.contains_key(run_id) && !machines.are_known_of(run_id)
        });
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(LOOK_AT_DISK_EVERY) {
            self.coordinator.store().look_at_disk();
        }
        self.try_to_save();
        self.judge_late_results();
        self.registry_changed = true;
        // Rates and times of a run change even while nothing comes in.
        if !self.runs.is_empty() {
            self.coordinator.changed();
        }
    }

    /// Finds out whether the store can save again, when no agent is left whose results would show it: until then no agent
    /// counts as lost.
    fn try_to_save(&mut self) {
        let now = self.coordinator.now();
        let is_on = self
            .trial
            .as_ref()
            .is_some_and(|trial| !trial.is_finished());
        if is_on || !self.coordinator.shared.saving.is_untried(now) {
            return;
        }
        let coordinator = self.coordinator.clone();
        self.trial = Some(tokio::spawn(async move {
            let tried = coordinator.store().try_to_save().await;
            coordinator.shared.saving.note(&tried, coordinator.now());
            coordinator.changed();
        }));
    }

    /// Says whose results wait here, before it is looked at who is late: those that are being saved, and all while the
    /// store cannot save.
    fn give_time(&mut self, waiting_here: &BTreeSet<AgentId>) {
        let all = self.coordinator.shared.saving.fails().is_some();
        let now = self.coordinator.now();
        for run in self.runs.values_mut() {
            let agents = run.lifecycle.record().agents.iter();
            let waiting = agents.map(|agent| &agent.id);
            let waiting = waiting.filter(|id| all || waiting_here.contains(id));
            let waiting: Vec<AgentId> = waiting.cloned().collect();
            for agent_id in waiting {
                let event = RunEvent::ResultsWait { agent_id };
                run.pending.extend(run.lifecycle.handle(event, now));
            }
        }
    }

    async fn adopt(
        &mut self,
        run_id: RunId,
        lifecycle: RunLifecycle,
        effects: Vec<RunEffect>,
        ramps: RampNews,
    ) {
        thresholds::follow(&self.coordinator, lifecycle.record());
        let run = LiveRun {
            lifecycle,
            pending: effects.into(),
            ramps,
            over: false,
            order: self.next_order,
        };
        self.next_order += 1;
        self.queue_changed = true;
        self.runs.insert(run_id.clone(), run);
        self.perform(&run_id).await;
    }

    /// Takes an event of a run. What it leads to is performed with that of all other events that are there, so that the
    /// store is asked once for a thousand agents that end together.
    fn note(&mut self, run_id: &RunId, event: RunEvent) {
        self.note_at(run_id, event, self.coordinator.now());
    }

    fn note_at(&mut self, run_id: &RunId, event: RunEvent, at: WallTime) {
        if let Some(run) = self.runs.get_mut(run_id) {
            run.pending.extend(run.lifecycle.handle(event, at));
        }
    }

    /// Takes an event and performs what it leads to.
    async fn advance(&mut self, run_id: &RunId, event: RunEvent) {
        self.note(run_id, event);
        self.perform(run_id).await;
    }

    async fn perform_all(&mut self) {
        let waiting = self.runs.iter().filter(|(_, run)| !run.pending.is_empty());
        let waiting: Vec<RunId> = waiting.map(|(run_id, _)| run_id.clone()).collect();
        for run_id in waiting {
            self.perform(&run_id).await;
        }
    }

    /// Performs what is pending, in order; stops at a save that fails and tries again at the next tick.
    async fn perform(&mut self, run_id: &RunId) {
        let coordinator = self.coordinator.clone();
        if let Some(run) = self.runs.get_mut(run_id) {
            run.pending = save_once(std::mem::take(&mut run.pending));
        }
        while let Some(run) = self.runs.get_mut(run_id) {
            let Some(effect) = run.pending.pop_front() else {
                break;
            };
            match &effect {
                RunEffect::Save => {
                    let record = run.lifecycle.record();
                    let saved = coordinator.store().update_run(record).await;
                    coordinator.shared.saving.note(&saved, coordinator.now());
                    if let Err(error) = saved {
                        tracing::error!(%error, run = %run_id, "cannot save the run; trying again");
                        run.pending.push_front(effect);
                        break;
                    }
                }
                RunEffect::SaveSetUpData(data) => {
                    let saved = coordinator.store().save_set_up_data(run_id, data.clone());
                    if let Err(error) = saved.await {
                        tracing::error!(%error, run = %run_id, "cannot save the set-up data; trying again");
                        run.pending.push_front(effect);
                        break;
                    }
                }
                RunEffect::Log(text) => {
                    let mut texts = vec![text.clone()];
                    while let Some(RunEffect::Log(next)) = run.pending.front_mut() {
                        texts.push(std::mem::take(next));
                        run.pending.pop_front();
                    }
                    log(&coordinator, run_id, texts).await;
                }
                RunEffect::LogOutcome => {
                    let outcome = vec![run.lifecycle.outcome()];
                    log(&coordinator, run_id, outcome).await;
                }
                RunEffect::Send { agent_id, message } => {
                    let (agent_id, message) = (agent_id.clone(), message.clone());
                    self.send(&agent_id, message);
                }
                RunEffect::CheckCounts => {
                    announce(&coordinator, run.lifecycle.record(), &mut run.ramps).await;
                    let record = run.lifecycle.record();
                    match count_check::disagreement(&coordinator, record).await {
                        Ok(None) => {}
                        Ok(Some((counted, saved))) => {
                            run.lifecycle.counts_disagree(counted, saved);
                        }
                        Err(error) => {
                            tracing::error!(%error, run = %run_id, "cannot read the results to check them; trying again");
                            run.pending.push_front(effect);
                            break;
                        }
                    }
                }
                RunEffect::Over => run.over = true,
            }
        }
        let over = self
            .runs
            .get(run_id)
            .is_some_and(|run| run.over && run.pending.is_empty());
        if over && let Some(run) = self.runs.remove(run_id) {
            self.machines.run_is_over(run.lifecycle.record());
            self.queue_changed = true;
        }
        self.coordinator.changed();
    }

    /// Sends to an agent if it is connected. One that is not learns what it missed when it returns.
    fn send(&mut self, agent_id: &AgentId, message: ToAgent) {
        let Some(connection) = self.connections.get(agent_id) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = connection.outgoing.try_send(message) {
            self.coordinator.shared.faults.count(
                ConnectionFault::TooSlow,
                self.name_of(agent_id),
                format!("{AGENT_QUEUE} messages are waiting for the agent to read them"),
            );
            // Dropping the sender ends the connection's task, which reports the agent as disconnected.
            if let Some(connection) = self.connections.get_mut(agent_id) {
                connection.outgoing = mpsc::channel(1).0;
            }
        }
    }

    /// An agent's name, for the log.
    fn name_of(&self, agent_id: &AgentId) -> &str {
        self.registry
            .agent(agent_id)
            .map_or("unknown", |agent| agent.name.as_str())
    }

    /// Publishes what has changed of the registry.
    fn publish(&mut self) {
        if !std::mem::take(&mut self.registry_changed) {
            return;
        }
        let now = self.coordinator.now();
        for agent_id in self.coordinator.shared.saving.agents() {
            self.registry.heard(&agent_id, now);
        }
        let view = Arc::new(self.registry.view(now));
        let status_changed = self.views.send_if_modified(|current| {
            // The pages do not change because agents were heard.
            let changed = current.len() != view.len()
                || current
                    .iter()
                    .zip(view.iter())
                    .any(|(old, new)| !old.is_same_but_for_heartbeats(new));
            *current = view;
            changed
        });
        if status_changed {
            self.coordinator.changed();
        }
    }
}

/// Adds lines to a run's console log.
async fn log(coordinator: &Coordinator, run_id: &RunId, texts: Vec<String>) {
    let lines = texts.into_iter().map(|text| {
        tracing::info!(run = %run_id, "{text}");
        LogLine {
            at: coordinator.now(),
            source: "coordinator".to_owned(),
            text,
        }
    });
    let lines = lines.collect();
    if let Err(error) = coordinator.store().append_log(run_id, lines).await {
        tracing::error!(%error, run = %run_id, "cannot save log lines");
    }
}
