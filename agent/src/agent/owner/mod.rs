//! The task that owns an agent's state. `select!` only selects an event; handling it is synchronous.

mod preparation;
mod staying;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use greylag_infra::protocol::{ToAgent, ToCoordinator, Welcome, encode};
use greylag_infra::{FailureReason, RunId, WallClock};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::agent::builds::{Builds, ReadyBuild};
use crate::agent::config::AgentConfig;
use crate::agent::error::AgentError;
use crate::agent::link::{ClockOffset, Held, LinkEvent, Refusal};
use crate::agent::run::{AgentRun, Now};
use crate::agent::worker_process::{WorkerProcess, WorkerProcessEvent};
use crate::usage::Meter;
use preparation::{EvaluatedShape, FetchedBuild};
use staying::Staying;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Lease until the coordinator has named one.
const FIRST_LEASE: Duration = Duration::from_secs(30);
/// Evaluated load shapes that wait for the owner.
const SHAPE_QUEUE: usize = 8;
/// Fetched builds that wait for the owner.
const BUILD_QUEUE: usize = 8;
/// How long an agent that is shut down waits for the next acknowledgement once its workers have ended.
const LAST_ACKNOWLEDGEMENTS: Duration = Duration::from_secs(5);

/// The state of an agent.
pub(in crate::agent) struct Owner {
    config: AgentConfig,
    /// Our name in the infrastructure, as the coordinator gave it.
    name: String,
    clock: WallClock,
    offset: ClockOffset,
    lease: Duration,
    last_heard: Instant,
    outgoing: Option<mpsc::UnboundedSender<Bytes>>,
    runs: BTreeMap<RunId, AgentRun<WorkerProcess>>,
    /// What measures this process and this machine, for each run from one of its seconds to the next.
    meters: BTreeMap<RunId, Meter>,
    connected: watch::Sender<bool>,
    held: watch::Sender<Vec<Held>>,
    worker_events: mpsc::Sender<WorkerProcessEvent>,
    shape_events: mpsc::Sender<EvaluatedShape>,
    evaluated_shapes: mpsc::Receiver<EvaluatedShape>,
    /// Fetches shipped builds, if this agent runs them.
    builds: Option<Builds>,
    /// What runs have of their shipped builds.
    shipped: BTreeMap<RunId, Shipped>,
    build_events: mpsc::Sender<FetchedBuild>,
    fetched_builds: mpsc::Receiver<FetchedBuild>,
    shutting_down: Option<ShuttingDown>,
    staying: Staying,
}

/// An agent that is shut down ends when its runs are done, or at this time after their workers' end.
struct ShuttingDown {
    idle_since: Option<Instant>,
}

/// What a run has of its shipped build.
enum Shipped {
    /// It is being fetched, until this is dropped.
    Fetching { _task: AbortOnDropHandle<()> },
    /// It is here, as long as this is kept.
    Here { _build: ReadyBuild },
}

/// Why the loop woke up.
enum Event {
    Link(LinkEvent),
    Worker(WorkerProcessEvent),
    Shape(EvaluatedShape),
    Build(FetchedBuild),
    Tick,
    Shutdown,
    Kill,
}

impl Owner {
    pub(in crate::agent) fn new(
        config: AgentConfig,
        builds: Option<Builds>,
        clock: WallClock,
        connected: watch::Sender<bool>,
        held: watch::Sender<Vec<Held>>,
        worker_events: mpsc::Sender<WorkerProcessEvent>,
    ) -> Self {
        let (shape_events, evaluated_shapes) = mpsc::channel(SHAPE_QUEUE);
        let (build_events, fetched_builds) = mpsc::channel(BUILD_QUEUE);
        Self {
            name: config.name.clone(),
            staying: Staying::new(config.stay, Instant::now()),
            builds,
            shipped: BTreeMap::new(),
            build_events,
            fetched_builds,
            config,
            clock,
            offset: ClockOffset::default(),
            lease: FIRST_LEASE,
            last_heard: Instant::now(),
            outgoing: None,
            runs: BTreeMap::new(),
            meters: BTreeMap::new(),
            connected,
            held,
            worker_events,
            shape_events,
            evaluated_shapes,
            shutting_down: None,
        }
    }

    pub(in crate::agent) async fn run(
        mut self,
        mut link_events: mpsc::Receiver<LinkEvent>,
        mut worker_events: mpsc::Receiver<WorkerProcessEvent>,
        shutdown: CancellationToken,
        kill: CancellationToken,
    ) -> Result<(), AgentError> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                () = kill.cancelled() => Event::Kill,
                () = shutdown.cancelled(), if self.shutting_down.is_none() => Event::Shutdown,
                Some(event) = link_events.recv() => Event::Link(event),
                _ = ticks.tick() => Event::Tick,
                Some(shape) = self.evaluated_shapes.recv() => Event::Shape(shape),
                Some(build) = self.fetched_builds.recv() => Event::Build(build),
                Some(event) = worker_events.recv() => Event::Worker(event),
            };
            match event {
                Event::Link(event) => self.on_link(event)?,
                Event::Worker(event) => self.on_worker(event),
                Event::Shape(evaluated) => self.on_shape(evaluated),
                Event::Build(fetched) => self.on_build(fetched),
                Event::Tick => self.on_tick(),
                Event::Shutdown => self.on_shutdown(),
                Event::Kill => {
                    self.kill_workers();
                    return Ok(());
                }
            }
            self.send_what_is_due();
            self.forget_done_runs();
            self.let_builds_go();
            self.publish_held();
            if self.may_end() {
                return Ok(());
            }
            let has_runs = !self.runs.is_empty();
            if self.shutting_down.is_none()
                && let Some(ended) = self.staying.end(has_runs, Instant::now())
            {
                return ended;
            }
        }
    }

    /// # Errors
    /// Agent and coordinator do not go together.
    fn on_link(&mut self, event: LinkEvent) -> Result<(), Refusal> {
        match event {
            LinkEvent::Connected { welcome, outgoing } => self.on_connected(welcome, outgoing),
            LinkEvent::Message(message) => {
                self.last_heard = Instant::now();
                self.on_message(message);
            }
            LinkEvent::Pong {
                sent_at,
                coordinator_time,
                received_at,
            } => {
                self.last_heard = Instant::now();
                self.offset.record(sent_at, coordinator_time, received_at);
            }
            LinkEvent::Disconnected => self.outgoing = None,
            LinkEvent::Refused(refusal) => {
                self.kill_workers();
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn on_connected(&mut self, welcome: Welcome, outgoing: mpsc::UnboundedSender<Bytes>) {
        self.last_heard = Instant::now();
        self.lease = Duration::from_millis(welcome.lease_ms);
        self.name = welcome.name;
        self.outgoing = Some(outgoing);
        self.offset.reconnected();
        let mut ready = Vec::new();
        for (run_id, run) in &mut self.runs {
            run.reconnected();
            if run.is_ready() {
                ready.push(run_id.clone());
            }
        }
        for run_id in ready {
            self.send_ready(run_id);
        }
        self.connected.send_replace(true);
    }

    fn on_message(&mut self, message: ToAgent) {
        let now = self.now();
        match message {
            ToAgent::Prepare(prepare) => self.on_prepare(&prepare),
            ToAgent::Profile { run_id, profile } => {
                if let Some(run) = self.runs.get_mut(&run_id) {
                    run.change_profile(Arc::unwrap_or_clone(profile), now);
                }
            }
            ToAgent::Start {
                run_id,
                start_at,
                profile,
                set_up_data,
            } => {
                // Our clock is carried on from the start of the agent, the workers' from the system's now.
                let run_zero = self.clock.instant_of(self.offset.local_time(start_at));
                let run_zero_at = WallClock::start().shows_at(run_zero);
                if let Some(run) = self.runs.get_mut(&run_id) {
                    let meters = self.meters.entry(run_id.clone());
                    meters.or_insert_with(Meter::of_process_and_machine);
                    let profile = Arc::unwrap_or_clone(profile);
                    run.start(run_zero, run_zero_at, profile, set_up_data, now);
                }
            }
            ToAgent::Stop { run_id } => {
                if let Some(run) = self.runs.get_mut(&run_id) {
                    run.stop(now);
                }
            }
            ToAgent::Ack {
                run_id,
                seq,
                saving_us,
            } => {
                if let Some(run) = self.runs.get_mut(&run_id) {
                    let saving = Duration::from_micros(saving_us);
                    run.outbox().acknowledged(seq, saving);
                }
                // As long as they come, a slow link is worth waiting for.
                if let Some(ShuttingDown {
                    idle_since: Some(since),
                }) = &mut self.shutting_down
                {
                    *since = now.instant;
                }
            }
            ToAgent::Abandon { run_id } => {
                let abandoned = || "the coordinator abandoned it".to_owned();
                if let Some(run) = self.runs.remove(&run_id) {
                    tracing::warn!(run = %run_id, "the coordinator abandoned the run; killing its workers");
                    run.kill();
                    let problem = run.problem();
                    let problem = problem.or_else(|| run.is_active().then(abandoned));
                    self.staying.run_is_over(problem);
                } else {
                    // What asked to prepare it was lost with a connection; it counts as the run of this agent all the same.
                    self.staying.run_is_over(Some(abandoned()));
                }
            }
            ToAgent::Welcome(_) | ToAgent::Refused { .. } | ToAgent::Pong { .. } => {
                tracing::debug!("unexpected message from the coordinator");
            }
        }
    }

    fn on_worker(&mut self, event: WorkerProcessEvent) {
        let now = self.now();
        let Some(run) = self.runs.get_mut(&event.run_id) else {
            return;
        };
        let was_ready = run.is_ready();
        run.on_worker(event.worker, event.event, now);
        if run.is_ready() && !was_ready {
            self.send_ready(event.run_id);
        }
    }

    fn on_tick(&mut self) {
        let now = self.now();
        let silence = now.instant.saturating_duration_since(self.last_heard);
        for (run_id, run) in &mut self.runs {
            if silence > self.lease && run.is_active() {
                let reason = FailureReason::CoordinatorSilent {
                    agent: self.name.clone(),
                    silent_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
                };
                run.fail(reason, now);
            }
            run.keep_alive(self.lease, now);
            if run.is_to_be_measured(now)
                && let Some(meter) = self.meters.get_mut(run_id)
            {
                run.add_own_health(&meter.look(), now);
            }
            run.tick(now);
        }
        if let Some(shutting_down) = &mut self.shutting_down
            && !self.runs.values().any(AgentRun::is_active)
        {
            shutting_down.idle_since.get_or_insert(now.instant);
        }
    }

    fn on_shutdown(&mut self) {
        let (now, reason) = (self.now(), self.shutdown_reason());
        for run in self.runs.values_mut() {
            if run.is_active() {
                run.fail(reason.clone(), now);
            }
        }
        self.shutting_down = Some(ShuttingDown { idle_since: None });
    }

    fn shutdown_reason(&self) -> FailureReason {
        FailureReason::AgentShutDown {
            agent: self.name.clone(),
        }
    }

    /// Forgets the runs of which the coordinator has everything.
    fn forget_done_runs(&mut self) {
        let staying = &mut self.staying;
        self.runs.retain(|_, run| {
            let is_done = run.is_done();
            if is_done {
                staying.run_is_over(run.problem());
            }
            !is_done
        });
        let runs = &self.runs;
        self.meters.retain(|run_id, _| runs.contains_key(run_id));
    }

    /// Lets go of the builds of runs that are forgotten, and of those that are still fetched for runs that have ended meanwhile.
    fn let_builds_go(&mut self) {
        let runs = &self.runs;
        self.shipped
            .retain(|run_id, shipped| match (runs.get(run_id), shipped) {
                (Some(run), Shipped::Fetching { .. }) => run.is_fetching(),
                (Some(_), Shipped::Here { .. }) => true,
                (None, _) => false,
            });
    }

    fn may_end(&self) -> bool {
        let Some(shutting_down) = &self.shutting_down else {
            return false;
        };
        self.runs.is_empty()
            || shutting_down
                .idle_since
                .is_some_and(|since| since.elapsed() > LAST_ACKNOWLEDGEMENTS)
    }

    fn send_what_is_due(&mut self) {
        let Some(outgoing) = &self.outgoing else {
            return;
        };
        for run in self.runs.values_mut() {
            while let Some(frame) = run.outbox().next_to_send() {
                // A connection that has just broken: sent again on the next.
                let _ = outgoing.send(frame);
            }
        }
    }

    fn send_ready(&self, run_id: RunId) {
        let run = self.runs.get(&run_id);
        let ready = ToCoordinator::Ready {
            shape: run.and_then(|run| run.shape().cloned()),
            set_up_data: run.and_then(|run| run.set_up_data().cloned()),
            run_id,
        };
        if let Some(outgoing) = &self.outgoing {
            let _ = outgoing.send(encode(&ready).into());
        }
    }

    fn publish_held(&self) {
        let runs = self.runs.iter();
        let now: Vec<Held> = runs.map(|(run_id, run)| run.held(run_id)).collect();
        self.held.send_if_modified(|held| {
            let changed = *held != now;
            *held = now;
            changed
        });
    }

    fn kill_workers(&self) {
        for run in self.runs.values() {
            run.kill();
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::now(),
            coordinator_time: self.offset.coordinator_time(self.clock.now()),
        }
    }
}
