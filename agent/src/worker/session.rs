//! A worker's life as its agent sees it: prepare, ready, start, reports, end.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greylag_infra::protocol::Endpoint;
use greylag_infra::{LoadProfile, own_users};
use greylag_scenarios::Scenario;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::agent_link::{AgentLink, SessionError};
use super::core_watch::CoreWatch;
use super::limits::too_few_files;
use super::load::{Go, LoadEvent, LoadThread, Part};
use super::messages::{FromWorker, Report, ToWorker};
use crate::agent::wall_clock::{micros, system_time_us};
use crate::recorder::{Reports, RunRecorder};
use crate::scenario_choice::{choose, follows_shape, settings_of, shape_ceiling};
use crate::vocabulary::Overflowed;

/// How long after a second has ended it is sent, so that requests that ended in it have been counted.
const FLUSH_DELAY: Duration = Duration::from_millis(30);
/// How long after the stop timeout users that do not end are given up. The engine ends them before, if
/// they give it the chance; with this the process ends within 2 s.
const GIVE_UP_AFTER: Duration = Duration::from_millis(1_930);
/// How long the agent may take to accept the last frames.
const LAST_FRAMES: Duration = Duration::from_secs(10);

/// Runs a session to its end.
pub(super) async fn run(socket: StdUnixStream, scenarios: &[Scenario]) -> Result<(), SessionError> {
    let mut agent = AgentLink::new(socket)?;
    let ToWorker::Prepare { test, worker } = agent.next().await? else {
        return Err(SessionError::Malformed(
            "its first frame is not Prepare".to_owned(),
        ));
    };
    let recorder = Arc::new(RunRecorder::new());
    let stop = CancellationToken::new();
    let started = choose(&test, scenarios).and_then(|choice| {
        let longest_stop = choice.scenario.events().longest_stop(worker);
        let part = Part {
            settings: settings_of(&test, worker)?,
            shape_ceiling: follows_shape(&test, &choice.scenario)
                .then(|| shape_ceiling(test.duration())),
            choice,
            stop_timeout: test.stop_timeout(),
            recorder: Arc::clone(&recorder) as _,
            stop: stop.clone(),
            watch: Arc::default(),
        };
        Ok((LoadThread::start(part)?, longest_stop))
    });
    let (load, longest_stop) = match started {
        Ok(started) => started,
        Err(reason) => return agent.end(Some(reason), 0).await,
    };
    let session = Session {
        agent,
        worker,
        workers: test.workers,
        recorder,
        endpoints: Vec::new(),
        overflowed: Overflowed::default(),
        load,
        stop,
        stop_timeout: test.stop_timeout(),
        longest_stop,
        prepared: false,
        core_watch: None,
        run: None,
        users_ended: false,
        failure: None,
        give_up_at: None,
    };
    session.check_files(&test.profile());
    session.run().await
}

/// A load thread and its agent, and what goes between them.
struct Session {
    agent: AgentLink,
    /// Global index of this worker, and how many there are.
    worker: u32,
    workers: u32,
    recorder: Arc<RunRecorder>,
    endpoints: Vec<Arc<Endpoint>>,
    overflowed: Overflowed,
    load: LoadThread,
    stop: CancellationToken,
    stop_timeout: Duration,
    /// How long the scenario may take after its last user.
    longest_stop: Duration,
    prepared: bool,
    /// Watches the load thread while it drives users.
    core_watch: Option<CoreWatch>,
    /// The run, once it has been started.
    run: Option<Running>,
    users_ended: bool,
    failure: Option<String>,
    /// When the load thread is left behind.
    give_up_at: Option<Instant>,
}

struct Running {
    run_zero: Instant,
    profile: watch::Sender<LoadProfile>,
    /// Seconds that have been sent.
    flushed: u32,
}

impl Running {
    fn planned_end(&self) -> Instant {
        let ends_at = self.profile.borrow().ends_at();
        self.run_zero.checked_add(ends_at).unwrap_or(self.run_zero)
    }

    fn flush_at(&self) -> Instant {
        self.run_zero + Duration::from_secs(u64::from(self.flushed) + 1) + FLUSH_DELAY
    }
}

/// Why the loop below woke up.
enum Event {
    Message(ToWorker),
    Load(Option<LoadEvent>),
    StopTestAsked(String),
    PlannedEnd,
    GiveUp,
    FlushDue,
}

impl Session {
    async fn run(mut self) -> Result<(), SessionError> {
        loop {
            let planned_end = self.run.as_ref().map(Running::planned_end);
            let flush_at = self.run.as_ref().map(Running::flush_at);
            let event = tokio::select! {
                biased;
                message = self.agent.next() => Event::Message(message?),
                event = self.load.events.recv() => Event::Load(event),
                reason = self.recorder.stop_test_asked() => Event::StopTestAsked(reason),
                () = until(planned_end), if !self.stop.is_cancelled() => Event::PlannedEnd,
                () = until(self.give_up_at) => Event::GiveUp,
                () = until(flush_at) => Event::FlushDue,
            };
            match event {
                Event::Message(message) => self.on_message(message)?,
                Event::Load(Some(LoadEvent::Over)) => break,
                Event::Load(Some(event)) => self.on_load(event).await?,
                Event::Load(None) => {
                    self.fail("the load thread panicked; see the log".to_owned());
                    break;
                }
                Event::StopTestAsked(reason) => {
                    self.agent.send(&FromWorker::StopTest { reason }).await?;
                }
                Event::PlannedEnd => self.stop_users(),
                Event::GiveUp => {
                    self.give_up();
                    break;
                }
                Event::FlushDue => {
                    let second = self.recorder.second_now();
                    for notice in self
                        .core_watch
                        .iter_mut()
                        .flat_map(|watch| watch.look(second))
                    {
                        self.recorder.notice(notice);
                    }
                    self.flush(Some(second)).await?;
                    if let Some(run) = &mut self.run {
                        run.flushed = second;
                    }
                }
            }
        }
        timeout(LAST_FRAMES, self.flush(None))
            .await
            .map_err(|_| SessionError::AgentGone)??;
        let last_user_ended_us = micros(self.recorder.last_user_ended());
        self.agent.end(self.failure, last_user_ended_us).await
    }

    fn on_message(&mut self, message: ToWorker) -> Result<(), SessionError> {
        match message {
            ToWorker::Start {
                run_zero_us,
                profile,
                set_up_data,
            } => {
                let Some(go) = self.load.go.take().filter(|_| self.prepared) else {
                    return Err(SessionError::Malformed("a Start out of turn".to_owned()));
                };
                let run_zero = instant_of(run_zero_us);
                self.recorder.begin(run_zero);
                self.check_files(&profile);
                self.core_watch = self.load.thread.get().copied().and_then(CoreWatch::start);
                let (profile, followed) = watch::channel(profile);
                // A thread that is gone has told so, or will.
                let _ = go.send(Go {
                    run_zero: run_zero.into(),
                    set_up_data,
                    profile: followed,
                });
                self.run = Some(Running {
                    run_zero,
                    profile,
                    flushed: 0,
                });
            }
            ToWorker::Profile { profile } => {
                self.check_files(&profile);
                if let Some(run) = &self.run {
                    run.profile.send_replace(profile);
                }
            }
            ToWorker::Stop => self.stop_users(),
            ToWorker::Prepare { .. } | ToWorker::Alive { .. } => {
                return Err(SessionError::Malformed("a second Prepare".to_owned()));
            }
        }
        Ok(())
    }

    async fn on_load(&mut self, event: LoadEvent) -> Result<(), SessionError> {
        match event {
            LoadEvent::Ready(_) if self.stop.is_cancelled() => {}
            LoadEvent::Ready(set_up_data) => {
                self.prepared = true;
                // What is known before the start is said before it.
                self.flush(Some(0)).await?;
                self.agent.send(&FromWorker::Ready { set_up_data }).await?;
            }
            LoadEvent::Refused(reason) => {
                self.fail(reason);
                self.stop_users();
            }
            LoadEvent::UsersEnded(ended) => {
                self.users_ended = true;
                match ended {
                    Err(reason) => self.fail(reason),
                    Ok(()) if !self.stop.is_cancelled() => {
                        self.fail("the load engine ended unexpectedly".to_owned());
                    }
                    Ok(()) => {}
                }
                self.stop.cancel();
                self.give_up_at = Some(Instant::now() + self.longest_stop + GIVE_UP_AFTER);
            }
            // Ends the loop before it comes here.
            LoadEvent::Over => {}
        }
        Ok(())
    }

    /// Notes that a profile has more users than this process may have connections.
    fn check_files(&self, profile: &LoadProfile) {
        let own = own_users(profile.most_users(), self.worker, self.workers);
        if let Some(notice) = too_few_files(own) {
            self.recorder.notice(notice);
        }
    }

    /// Ends the users, or the preparation; the first time counts.
    fn stop_users(&mut self) {
        if !self.stop.is_cancelled() {
            self.stop.cancel();
            self.give_up_at = Some(Instant::now() + self.stop_timeout + GIVE_UP_AFTER);
        }
    }

    fn give_up(&mut self) {
        if self.users_ended {
            tracing::warn!("the scenario's last event handlers did not end and were left behind");
            return;
        }
        if self.run.is_none() {
            tracing::warn!("the scenario's preparation did not end and was left behind");
            return;
        }
        self.fail(format!(
            "users did not end within the stop timeout of {}s",
            self.stop_timeout.as_secs()
        ));
    }

    /// The first reason is the one that is kept.
    fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// Sends the seconds before `second`, or all there are.
    async fn flush(&mut self, before: Option<u32>) -> Result<(), SessionError> {
        let mut taken = self.recorder.take(before, &mut self.endpoints);
        for news in taken.overflowed.news_since(self.overflowed) {
            tracing::warn!("{news}");
        }
        self.overflowed = taken.overflowed;
        let mut reports = Reports::default();
        for second in &mut taken.seconds {
            second.empty_into(&mut reports, &self.endpoints);
        }
        self.recorder.give_back(taken.seconds);
        let mut reports = reports.finish();
        if !taken.notices.is_empty() {
            reports.push(Report {
                notices: taken.notices,
                ..Report::default()
            });
        }
        for report in reports {
            self.agent.send(&FromWorker::Report(report)).await?;
        }
        Ok(())
    }
}

/// Sleeps until an instant, for ever for none.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// The instant at which this machine's wall clock shows `at_us`. Asked once, so a step of the wall clock
/// during the run moves nothing.
fn instant_of(at_us: u64) -> Instant {
    let (now, now_us) = (Instant::now(), system_time_us());
    let from_now = Duration::from_micros(at_us.abs_diff(now_us));
    let instant = if at_us >= now_us {
        now.checked_add(from_now)
    } else {
        now.checked_sub(from_now)
    };
    instant.unwrap_or(now)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
