//! A worker's life as its agent sees it: prepare, ready, start, reports, end.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use greylag_infra::LoadTest;
use greylag_infra::protocol::Endpoint;
use greylag_scenarios::Scenario;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use super::load::{self, LoadEnd};
use super::messages::{FromWorker, ToWorker, codec, decode, encode};
use crate::agent::wall_clock::{micros, system_time_us};
use crate::recorder::{Reports, RunRecorder};
use crate::scenario_choice::scenario_of;
use crate::vocabulary::Overflowed;

/// How long after a second has ended it is sent, so that requests that ended in it have been counted.
const FLUSH_DELAY: Duration = Duration::from_millis(30);
/// How long after the stop time-out users that do not end are given up. The engine ends them before, if
/// they give it the chance; with this the process ends within 2 s.
const GIVE_UP_AFTER: Duration = Duration::from_millis(1_930);
/// How long the agent may say nothing, until it says how long.
const FIRST_LEASE: Duration = Duration::from_secs(60);
/// How long the agent may take to accept the last frames.
const LAST_FRAMES: Duration = Duration::from_secs(10);

/// Why a session ended without an end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the agent is gone, so the load was stopped")]
    AgentGone,
    #[error("the agent said nothing for {} s, so the load was stopped", .0.as_secs_f64())]
    AgentSilent(Duration),
    #[error("the socket to the agent failed: {0}")]
    Socket(#[from] io::Error),
    #[error("the agent said something that is not understood: {0}")]
    Malformed(String),
}

/// Runs a session to its end.
pub(super) async fn run(socket: StdUnixStream, scenarios: &[Scenario]) -> Result<(), SessionError> {
    let mut agent = Agent {
        socket: Framed::new(UnixStream::from_std(socket)?, codec()),
        lease: FIRST_LEASE,
        heard_at: Instant::now(),
    };
    let ToWorker::Prepare { test, worker } = agent.next().await? else {
        return Err(SessionError::Malformed(
            "its first frame is no Prepare".to_owned(),
        ));
    };
    let scenario = match scenario_of(&test, scenarios) {
        Ok(scenario) => scenario,
        Err(reason) => return agent.end(Some(reason), 0).await,
    };
    agent.send(&FromWorker::Ready).await?;
    match agent.next().await? {
        ToWorker::Start { run_zero_us } => {
            Drive::start(agent, &test, worker, scenario, run_zero_us).await
        }
        ToWorker::Stop => agent.end(None, 0).await,
        ToWorker::Prepare { .. } | ToWorker::Alive { .. } => {
            Err(SessionError::Malformed("a second Prepare".to_owned()))
        }
    }
}

/// The socket to the agent, and for how long the agent may say nothing on it.
struct Agent {
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    lease: Duration,
    heard_at: Instant,
}

impl Agent {
    /// The next order.
    async fn next(&mut self) -> Result<ToWorker, SessionError> {
        loop {
            let frame =
                match timeout_at((self.heard_at + self.lease).into(), self.socket.next()).await {
                    Ok(frame) => frame.ok_or(SessionError::AgentGone)??,
                    Err(_) => return Err(SessionError::AgentSilent(self.lease)),
                };
            self.heard_at = Instant::now();
            match decode(&frame).map_err(|error| SessionError::Malformed(error.to_string()))? {
                ToWorker::Alive { lease_ms } => self.lease = Duration::from_millis(lease_ms),
                order => return Ok(order),
            }
        }
    }

    /// An agent that does not read is as bad as one that does not speak.
    async fn send(&mut self, message: &FromWorker) -> Result<(), SessionError> {
        match timeout(self.lease, self.socket.send(encode(message))).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(SessionError::AgentSilent(self.lease)),
        }
    }

    async fn end(
        mut self,
        failure: Option<String>,
        last_user_ended_us: u64,
    ) -> Result<(), SessionError> {
        let end = FromWorker::End {
            failure,
            last_user_ended_us,
        };
        timeout(LAST_FRAMES, self.send(&end))
            .await
            .map_err(|_| SessionError::AgentGone)?
    }
}

/// A load that is being driven.
struct Drive {
    agent: Agent,
    recorder: Arc<RunRecorder>,
    endpoints: Vec<Arc<Endpoint>>,
    overflowed: Overflowed,
    run_zero: Instant,
}

/// Why the loop below woke up.
enum Event {
    FlushDue,
    PlannedEnd,
    Message(ToWorker),
    LoadEnded(Result<LoadEnd, oneshot::error::RecvError>),
    GiveUp,
}

impl Drive {
    async fn start(
        agent: Agent,
        test: &LoadTest,
        worker: u32,
        scenario: Scenario,
        run_zero_us: u64,
    ) -> Result<(), SessionError> {
        let run_zero = instant_of(run_zero_us);
        let recorder = Arc::new(RunRecorder::new(run_zero));
        let stop = CancellationToken::new();
        let load = load::start(
            test,
            worker,
            scenario,
            run_zero,
            Arc::clone(&recorder) as _,
            stop.clone(),
        );
        let load = match load {
            Ok(load) => load,
            Err(reason) => return agent.end(Some(reason), 0).await,
        };
        let drive = Self {
            agent,
            recorder,
            endpoints: Vec::new(),
            overflowed: Overflowed::default(),
            run_zero,
        };
        drive.run(test, load, stop).await
    }

    async fn run(
        mut self,
        test: &LoadTest,
        mut load: oneshot::Receiver<LoadEnd>,
        stop: CancellationToken,
    ) -> Result<(), SessionError> {
        let planned_end = self.run_zero + test.duration();
        let mut give_up_at = planned_end + test.stop_timeout() + GIVE_UP_AFTER;
        let mut flushed = 0;
        let failure = loop {
            let flush_at =
                self.run_zero + Duration::from_secs(u64::from(flushed) + 1) + FLUSH_DELAY;
            let event = tokio::select! {
                biased;
                message = self.agent.next() => Event::Message(message?),
                ended = &mut load => Event::LoadEnded(ended),
                () = sleep_until(planned_end.into()), if !stop.is_cancelled() => Event::PlannedEnd,
                () = sleep_until(give_up_at.into()) => Event::GiveUp,
                () = sleep_until(flush_at.into()) => Event::FlushDue,
            };
            match event {
                Event::FlushDue => {
                    flushed = self.recorder.second_now();
                    self.flush(Some(flushed)).await?;
                }
                Event::PlannedEnd => stop.cancel(),
                Event::Message(ToWorker::Stop) => {
                    if !stop.is_cancelled() {
                        give_up_at = Instant::now() + test.stop_timeout() + GIVE_UP_AFTER;
                        stop.cancel();
                    }
                }
                Event::Message(_) => {
                    return Err(SessionError::Malformed(
                        "a second Prepare or Start".to_owned(),
                    ));
                }
                Event::LoadEnded(Ok(Ok(()))) if stop.is_cancelled() => break None,
                // Every user ended by itself; the run goes on for the time that was planned.
                Event::LoadEnded(Ok(Ok(()))) => {
                    self.wait_for_end(planned_end).await?;
                    break None;
                }
                Event::LoadEnded(Ok(Err(reason))) => break Some(reason),
                Event::LoadEnded(Err(_)) => {
                    break Some("the load thread panicked; its words are in the log".to_owned());
                }
                Event::GiveUp => {
                    break Some(format!(
                        "users did not end within the stop time-out of {}s",
                        test.stop_timeout_s
                    ));
                }
            }
        };
        timeout(LAST_FRAMES, self.flush(None))
            .await
            .map_err(|_| SessionError::AgentGone)??;
        let last_user_ended_us = micros(self.recorder.last_user_ended());
        self.agent.end(failure, last_user_ended_us).await
    }

    async fn wait_for_end(&mut self, planned_end: Instant) -> Result<(), SessionError> {
        self.flush(None).await?;
        tokio::select! {
            message = self.agent.next() => message.map(drop),
            () = sleep_until(planned_end.into()) => Ok(()),
        }
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
        for report in reports.finish() {
            self.agent.send(&FromWorker::Report(report)).await?;
        }
        Ok(())
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
