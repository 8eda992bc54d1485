//! A worker's session with its agent: prepare, ready, start, reports, end.

mod agent_link;
mod results;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greylag_infra::{
    LoadProfile, LoadTest, MAX_THRESHOLDS, RunTime, WallClock, WorkerFailure, own_users,
};
use greylag_scenarios::{LOAD_THREAD_GRACE, MAX_COUNTED_TAGS, Scenario};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::load::{LoadError, LoadEvent, LoadThread, Part, StartUsers};
use super::watch::{HealthWatch, TimerLog};
use crate::bounded_names::{KnownNames, Overflowed};
use crate::open_files::too_few_files;
use crate::recorder::RunRecorder;
use crate::scenario::{
    ChoiceError, ShapedLoad, choose, error_sample_mask, evaluate_shape, settings_of, shape_ceiling,
};
use crate::worker_protocol::{FromWorker, ToWorker};
use agent_link::AgentLink;
pub(super) use agent_link::SessionError;

/// How long after a second has ended the last of it is handed over, so that requests that ended in it have been
/// counted.
const FLUSH_DELAY: Duration = Duration::from_millis(30);
/// How often what was counted is handed over, so that hardly more is lost when this process is killed.
const HAND_OVER_EVERY: Duration = Duration::from_millis(100);
/// Handing over takes at most this part of the time: with many endpoints it happens less often, but once a second.
const HAND_OVER_SHARE: u32 = 100;
/// How long the agent may take to accept the last frames.
const LAST_FRAMES: Duration = Duration::from_secs(10);

// Each tag that thresholds are about has a bit with every request.
const _: () = assert!(MAX_THRESHOLDS <= MAX_COUNTED_TAGS);

/// Runs a session to its end.
pub(super) async fn run(
    socket: StdUnixStream,
    scenarios: &[Scenario],
    signals: mpsc::Receiver<&'static str>,
) -> Result<(), SessionError> {
    let mut agent = AgentLink::new(socket)?;
    let ToWorker::Prepare {
        test,
        worker,
        evaluates_shape,
        counted_tags,
    } = agent.next().await?
    else {
        return Err(SessionError::FirstIsNotPrepare);
    };
    let recorder = Arc::new(RunRecorder::new(error_sample_mask(&test, scenarios)));
    let timers = Arc::<TimerLog>::default();
    let stop = CancellationToken::new();
    let start = || -> Result<_, LoadError> {
        let mut choice = choose(&test, scenarios)?;
        let counting = choice.scenario.counting_tags(&counted_tags);
        choice.scenario = counting.map_err(ChoiceError::from)?;
        let longest_stop = choice.scenario.events().longest_stop(worker);
        let part = Part {
            settings: settings_of(&test, worker)?,
            shape_ceiling: test
                .follows_shape(choice.scenario.has_shape())
                .then(|| shape_ceiling(test.duration())),
            choice,
            stop_timeout: test.stop_timeout(),
            recorder: Arc::clone(&recorder) as _,
            stop: stop.clone(),
            watch: Arc::default(),
            timers: Arc::clone(&timers),
        };
        Ok((LoadThread::start(part)?, longest_stop))
    };
    if evaluates_shape {
        let shape = shape_of(&test, scenarios).await;
        agent.send(&FromWorker::Shape(shape)).await?;
    }
    let (load, longest_stop) = match start() {
        Ok(started) => started,
        Err(error) => {
            let problem = error.to_string();
            return agent
                .end(Some(WorkerFailure::Refused { problem }), RunTime::ZERO)
                .await;
        }
    };
    let session = Session {
        agent,
        agent_is_silent: false,
        signals,
        worker,
        workers: test.workers,
        recorder,
        names: KnownNames::default(),
        overflowed: Overflowed::default(),
        load,
        stop,
        stop_timeout: test.stop_timeout(),
        longest_stop,
        prepared: false,
        timers,
        health: None,
        run: None,
        users_ended: false,
        failure: None,
        give_up_at: None,
    };
    session.check_files(&test.profile());
    session.run().await
}

/// What the load shape of the test's scenario asks for.
///
/// # Errors
/// It cannot be run, as a message.
async fn shape_of(test: &LoadTest, scenarios: &[Scenario]) -> Result<ShapedLoad, String> {
    let choice = choose(test, scenarios).map_err(|error| error.to_string())?;
    let settings = settings_of(test, 0).map_err(|error| error.to_string())?;
    let shape = evaluate_shape(choice.scenario, settings, test.duration()).await;
    shape.map_err(|error| error.to_string())
}

/// A load thread and its agent, and what goes between them.
struct Session {
    agent: AgentLink,
    /// The agent is frozen: it is not listened to any more.
    agent_is_silent: bool,
    /// Names of signals that ask us to end.
    signals: mpsc::Receiver<&'static str>,
    /// Global index of this worker, and how many there are.
    worker: u32,
    workers: u32,
    recorder: Arc<RunRecorder>,
    names: KnownNames,
    overflowed: Overflowed,
    load: LoadThread,
    stop: CancellationToken,
    stop_timeout: Duration,
    /// How long the scenario may take after its last user.
    longest_stop: Duration,
    prepared: bool,
    /// The timers of the load thread.
    timers: Arc<TimerLog>,
    /// Measures this process while it drives users.
    health: Option<HealthWatch>,
    /// The run, once it has been started.
    run: Option<Running>,
    users_ended: bool,
    failure: Option<WorkerFailure>,
    /// When the load thread is abandoned.
    give_up_at: Option<Instant>,
}

struct Running {
    run_zero: Instant,
    profile: watch::Sender<LoadProfile>,
    /// Seconds of which everything has been handed over.
    flushed: u32,
    flush_at: Instant,
}

impl Running {
    fn planned_end(&self) -> Instant {
        let ends_at = self.profile.borrow().ends_at.since_zero();
        self.run_zero.checked_add(ends_at).unwrap_or(self.run_zero)
    }

    /// Everything of the seconds before `second` has been handed over, which took this long.
    fn handed_over(&mut self, second: u32, took: Duration) {
        self.flushed = second;
        let second_ends = self.run_zero + Duration::from_secs(u64::from(second) + 1) + FLUSH_DELAY;
        let pause = HAND_OVER_EVERY.max(took * HAND_OVER_SHARE);
        let next = Instant::now() + pause;
        // The end of a second is not missed, because the agent makes whole seconds of it.
        self.flush_at = if next + HAND_OVER_EVERY / 2 > second_ends {
            second_ends
        } else {
            next
        };
    }
}

/// Why the loop below woke up.
enum Event {
    Message(ToWorker),
    AgentSilent(Duration),
    Load(Option<LoadEvent>),
    StopTestAsked(String),
    FinishTestAsked(String),
    Signal(&'static str),
    PlannedEnd,
    GiveUp,
    FlushDue,
}

impl Session {
    async fn run(mut self) -> Result<(), SessionError> {
        loop {
            let planned_end = self.run.as_ref().map(Running::planned_end);
            let flush_at = self.run.as_ref().map(|run| run.flush_at);
            let event = tokio::select! {
                biased;
                message = self.agent.next(), if !self.agent_is_silent => match message {
                    Err(SessionError::AgentSilent(lease)) => Event::AgentSilent(lease),
                    message => Event::Message(message?),
                },
                Some(name) = self.signals.recv() => Event::Signal(name),
                event = self.load.events.recv() => Event::Load(event),
                reason = self.recorder.stop_test_asked() => Event::StopTestAsked(reason),
                reason = self.recorder.finish_test_asked() => Event::FinishTestAsked(reason),
                () = until(planned_end), if !self.stop.is_cancelled() => Event::PlannedEnd,
                () = until(self.give_up_at) => Event::GiveUp,
                () = until(flush_at) => Event::FlushDue,
            };
            match event {
                Event::Message(message) => self.on_message(message)?,
                Event::AgentSilent(lease) => self.on_silence(lease),
                Event::Signal(name) => self.on_signal(name).await?,
                Event::Load(Some(event)) => {
                    if self.on_load(event).await?.is_break() {
                        break;
                    }
                }
                Event::Load(None) => {
                    self.fail(WorkerFailure::LoadThreadPanicked);
                    break;
                }
                Event::StopTestAsked(reason) => {
                    self.agent.send(&FromWorker::StopTest { reason }).await?;
                }
                Event::FinishTestAsked(reason) => {
                    self.agent.send(&FromWorker::FinishTest { reason }).await?;
                }
                Event::PlannedEnd => self.stop_users(),
                Event::GiveUp => {
                    self.give_up();
                    break;
                }
                Event::FlushDue => self.hand_over().await?,
            }
        }
        timeout(LAST_FRAMES, self.flush())
            .await
            .map_err(|_| SessionError::AgentGone)??;
        let last_user_ended = RunTime::from(self.recorder.last_user_ended());
        self.agent.end(self.failure, last_user_ended).await
    }

    fn on_message(&mut self, message: ToWorker) -> Result<(), SessionError> {
        match message {
            ToWorker::Start {
                run_zero_at,
                profile,
                set_up_data,
            } => {
                let Some(go) = self.load.go.take().filter(|_| self.prepared) else {
                    return Err(SessionError::StartOutOfTurn);
                };
                // Read only once, so that a step of the system's clock during the run moves nothing.
                let run_zero = WallClock::start().instant_of(run_zero_at);
                self.recorder.begin(run_zero);
                self.check_files(&profile);
                let load_thread = self.load.thread.get().copied();
                self.health =
                    load_thread.map(|thread| HealthWatch::start(thread, Arc::clone(&self.timers)));
                let (profile, followed) = watch::channel(profile);
                // A thread that is gone has sent its last event, or closed the channel.
                let _ = go.send(StartUsers {
                    run_zero: run_zero.into(),
                    set_up_data,
                    profile: followed,
                });
                self.run = Some(Running {
                    run_zero,
                    profile,
                    flushed: 0,
                    flush_at: run_zero + HAND_OVER_EVERY,
                });
            }
            ToWorker::Profile { profile } => {
                self.check_files(&profile);
                if let Some(run) = &self.run {
                    run.profile.send_replace(profile);
                }
            }
            ToWorker::Stop => self.stop_users(),
            ToWorker::Alive { lease_ms } => self.agent.set_lease(Duration::from_millis(lease_ms)),
            ToWorker::Prepare { .. } => return Err(SessionError::SecondPrepare),
        }
        Ok(())
    }

    /// Breaks when the scenario has nothing more to do.
    async fn on_load(&mut self, event: LoadEvent) -> Result<ControlFlow<()>, SessionError> {
        match event {
            LoadEvent::Ready(_) if self.stop.is_cancelled() => {}
            LoadEvent::Ready(set_up_data) => {
                self.prepared = true;
                // Notices that are known before the start are reported before it.
                let known = self.recorder.take(Some(0), &mut self.names);
                let reports = self.reports_of(known);
                self.agent.put(&reports).await?;
                self.agent.send(&FromWorker::Ready { set_up_data }).await?;
            }
            LoadEvent::Refused(error) => {
                let problem = error.to_string();
                self.fail(WorkerFailure::Refused { problem });
                self.stop_users();
            }
            LoadEvent::UsersEnded(ended) => {
                self.users_ended = true;
                if ended.is_err() || !self.stop.is_cancelled() {
                    let problem = ended.err().map(|error| error.to_string());
                    let problem = problem.unwrap_or_default();
                    self.fail(WorkerFailure::LoadEnded { problem });
                }
                self.stop.cancel();
                self.give_up_at = Some(Instant::now() + self.longest_stop + LOAD_THREAD_GRACE);
            }
            LoadEvent::Over => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes that a profile has more users than this process may have connections.
    fn check_files(&self, profile: &LoadProfile) {
        let own = own_users(profile.most_users(), self.worker, self.workers);
        if let Some(notice) = too_few_files(own) {
            self.recorder.notice(notice);
        }
    }

    /// The load is out of control, so it ends. Results are still handed over: an agent that is thawed reads them.
    fn on_silence(&mut self, lease: Duration) {
        self.agent_is_silent = true;
        self.fail(WorkerFailure::AgentSilent {
            silent_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        });
        self.stop_users();
    }

    /// Ends cleanly, unless the end has begun, and reports why immediately, so that the run ends everywhere.
    async fn on_signal(&mut self, name: &str) -> Result<(), SessionError> {
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let failure = WorkerFailure::AskedToEnd {
            signal: name.to_owned(),
        };
        self.agent.put(&[FromWorker::Failing(failure)]).await?;
        self.stop_users();
        Ok(())
    }

    /// Ends the users, or the preparation; the first time counts.
    fn stop_users(&mut self) {
        if !self.stop.is_cancelled() {
            self.stop.cancel();
            self.give_up_at = Some(Instant::now() + self.stop_timeout + LOAD_THREAD_GRACE);
        }
    }

    fn give_up(&mut self) {
        if self.users_ended {
            tracing::warn!("the scenario's last event handlers did not end and were abandoned");
            return;
        }
        if self.run.is_none() {
            tracing::warn!("the scenario's preparation did not end and was abandoned");
            return;
        }
        self.fail(WorkerFailure::UsersDidNotEnd {
            stop_timeout_s: self.stop_timeout.as_secs(),
        });
    }

    /// The first reason is the one that is kept.
    fn fail(&mut self, failure: WorkerFailure) {
        self.failure.get_or_insert(failure);
    }
}

/// Sleeps until an instant, for ever for none.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
