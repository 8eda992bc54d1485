//! One simulated agent: its connection, and what it says on it.

use std::sync::Arc;
use std::time::Duration;

use greylag_infra::WallTime;
use greylag_infra::protocol::{Hello, PING_INTERVAL_S, ToAgent, ToCoordinator, encode};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::part::Part;
use super::{Sending, Shared};
use crate::agent_socket::{AgentSocket, hello};

/// First and longest pause before the coordinator is dialled again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long after a second of run time has ended its snapshot is made, when all agents do it together.
const SNAPSHOT_DELAY: Duration = Duration::from_millis(120);

#[derive(Debug)]
pub(super) struct SimulatedAgent {
    number: usize,
    name: String,
    shared: Arc<Shared>,
    part: Option<Part>,
    /// When the next snapshot is due.
    next_cut: Instant,
    random: SmallRng,
}

/// Dialling again is of no use.
struct Refused;

impl SimulatedAgent {
    pub(super) fn new(number: usize, shared: Arc<Shared>) -> Self {
        Self {
            number,
            name: format!("agent-{number:05}"),
            shared,
            part: None,
            next_cut: Instant::now(),
            random: SmallRng::seed_from_u64(number as u64),
        }
    }

    /// Connects, again and again, until it is refused.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect_and_converse().await {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) => {}
                Err(Refused) => return,
            }
            sleep(pause.mul_f64(self.random.random_range(0.5..=1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether there was a connection.
    async fn connect_and_converse(&mut self) -> Result<bool, Refused> {
        let Ok(mut socket) = AgentSocket::connect(&self.shared.url, &[]).await else {
            return Ok(false);
        };
        let hello = Hello {
            worker_protocol: None,
            takes_data: false,
            cores: 4,
            once: false,
            scenarios: self.shared.scenarios.clone(),
            runs: self.part.iter().map(|part| part.run_id.clone()).collect(),
            ..hello(&self.name, &self.shared.infrastructure)
        };
        let hello = encode(&ToCoordinator::Hello(hello));
        if socket.try_send(hello.into()).await.is_err() {
            return Ok(false);
        }
        match socket.next_message().await {
            Some(ToAgent::Welcome(_)) => {}
            Some(ToAgent::Refused { reason }) => {
                self.shared.tally().refusals.push(reason);
                return Err(Refused);
            }
            _ => return Ok(false),
        }
        self.shared.tally().connected += 1;
        if let Some(part) = &mut self.part {
            part.outbox.send_all_again();
        }
        // However it ends, the connection is lost.
        let _ = self.converse(&mut socket).await;
        let mut tally = self.shared.tally();
        tally.connected -= 1;
        tally.disconnections += 1;
        Ok(true)
    }

    /// Ends with the connection.
    async fn converse(&mut self, socket: &mut AgentSocket) -> Result<(), Disconnected> {
        let ping_every = Duration::from_secs(PING_INTERVAL_S);
        let first_ping = Instant::now() + ping_every.mul_f64(self.random.random());
        let mut pings = interval_at(first_ping, ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(frame) = self
                .part
                .as_mut()
                .and_then(|part| part.outbox.next_to_send())
            {
                socket.try_send(frame).await.map_err(|_| Disconnected)?;
            }
            tokio::select! {
                message = socket.next_message() => {
                    if let Some(answer) = self.hear(message.ok_or(Disconnected)?) {
                        socket.try_send(encode(&answer).into()).await.map_err(|_| Disconnected)?;
                    }
                }
                _ = pings.tick() => {
                    let now = self.shared.clock.now();
                    let ping = ToCoordinator::Ping {
                        sent_at: now,
                        runs: self.part.iter().map(|part| part.held(now)).collect(),
                    };
                    socket.try_send(encode(&ping).into()).await.map_err(|_| Disconnected)?;
                }
                () = sleep_until(self.next_cut), if self.part.is_some() => {
                    let period = self.shared.traffic.period;
                    while self.next_cut <= Instant::now() {
                        self.next_cut += period;
                    }
                    if let Some(part) = &mut self.part {
                        part.cut(self.number, &self.name, &self.shared);
                    }
                }
            }
        }
    }

    fn hear(&mut self, message: ToAgent) -> Option<ToCoordinator> {
        match message {
            ToAgent::Prepare(prepare) => {
                let run_id = prepare.run_id.clone();
                let is_known = self.part.as_ref().is_some_and(|part| part.run_id == run_id);
                if !is_known {
                    self.part = Some(Part::prepare(*prepare, &self.name, &self.shared));
                }
                return Some(ToCoordinator::Ready {
                    run_id,
                    shape: None,
                    set_up_data: None,
                });
            }
            ToAgent::Start {
                start_at, profile, ..
            } => {
                if self.part.as_mut()?.start(start_at, &profile) {
                    self.schedule(start_at);
                }
            }
            ToAgent::Stop { .. } => {
                let now = self.shared.clock.now();
                if let Some(part) = &mut self.part {
                    part.stop(now);
                }
            }
            ToAgent::Ack { seq, .. } => {
                let part = self.part.as_mut()?;
                let acknowledged = part.outbox.acknowledge(seq);
                let is_done = part.is_done();
                let mut tally = self.shared.tally();
                tally.acknowledged.extend(acknowledged);
                if is_done {
                    tally.done += 1;
                    drop(tally);
                    self.part = None;
                }
            }
            ToAgent::Abandon { run_id } => {
                let reason = format!("{} was asked to abandon run {run_id}", self.name);
                self.shared.tally().refusals.push(reason);
                self.part = None;
            }
            ToAgent::Pong { .. }
            | ToAgent::Profile { .. }
            | ToAgent::Welcome(_)
            | ToAgent::Refused { .. } => {}
        }
        None
    }

    /// The first snapshot of a run that has just started.
    fn schedule(&mut self, start_at: WallTime) {
        self.shared.tally().run_zero = Some(start_at);
        let traffic = &self.shared.traffic;
        let phase = match traffic.sending {
            Sending::Together => SNAPSHOT_DELAY,
            Sending::Spread => traffic.period.mul_f64(self.random.random()),
        };
        let run_zero = self.shared.clock.instant_of(start_at);
        self.next_cut = Instant::from_std(run_zero) + phase;
    }
}

/// The connection ended.
struct Disconnected;
