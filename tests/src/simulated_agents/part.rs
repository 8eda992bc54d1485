//! A simulated agent's part of a run, from the order to prepare to the acknowledgement of its end.

use std::time::Instant;

use greylag_infra::protocol::{
    AgentEnd, HeldRun, LogLine, Prepare, Snapshot, ToCoordinator, UserChange, WorkerState, encode,
};
use greylag_infra::{
    LoadProfile, MachineHealth, ProcessHealth, RunId, RunTime, TimerLateness, WallTime, micros,
    own_users,
};

use super::outbox::Outbox;
use super::{Shared, Tally};

/// Most seconds of one snapshot, as they wait while nothing is acknowledged.
const MAX_SECONDS: u32 = 100;

#[derive(Debug)]
pub(super) struct Part {
    pub(super) run_id: RunId,
    workers: Vec<u32>,
    users: u64,
    pub(super) run_zero: Option<WallTime>,
    ends_at: RunTime,
    /// The first second that is in no snapshot yet.
    next_second: u32,
    requests: u64,
    failures: u64,
    has_ended: bool,
    pub(super) outbox: Outbox,
}

impl Part {
    pub(super) fn prepare(prepare: Prepare, name: &str, shared: &Shared) -> Self {
        let Prepare {
            run_id,
            test,
            workers,
        } = prepare;
        let own = |worker: &u32| own_users(test.users, *worker, test.workers);
        let mut part = Self {
            run_id,
            users: workers.iter().map(own).sum(),
            workers,
            run_zero: None,
            ends_at: RunTime::MAX,
            next_second: 0,
            requests: 0,
            failures: 0,
            has_ended: false,
            outbox: Outbox::default(),
        };
        let snapshot = Snapshot {
            workers: part.worker_states(0, true),
            log: vec![line(name, shared, "Starting 1 worker process")],
            ..Snapshot::default()
        };
        part.push(snapshot, &[], &mut shared.tally());
        part
    }

    /// Whether the load starts; the order is sent again after a reconnect.
    pub(super) fn start(&mut self, start_at: WallTime, profile: &LoadProfile) -> bool {
        let is_first = self.run_zero.is_none();
        if is_first {
            self.run_zero = Some(start_at);
            self.ends_at = profile.ends_at;
        }
        is_first
    }

    /// The load ends now.
    pub(super) fn stop(&mut self, now: WallTime) {
        let run_time = self.run_zero.map(|zero| now.run_time(zero));
        self.ends_at = self.ends_at.min(run_time.unwrap_or(RunTime::ZERO));
        self.run_zero.get_or_insert(now);
    }

    /// Whether everything is acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.has_ended && self.outbox.is_empty()
    }

    /// Makes a snapshot of the seconds that are over, if there is anything to say and it may be sent.
    pub(super) fn cut(&mut self, agent: usize, name: &str, shared: &Shared) {
        let Some(run_zero) = self.run_zero else {
            return;
        };
        let now = shared.clock.now().run_time(run_zero);
        let is_over = now >= self.ends_at;
        let whole = match is_over {
            true => u32::try_from(self.ends_at.as_micros().div_ceil(1_000_000)).unwrap_or(0),
            false => now.second(),
        };
        if self.has_ended || self.outbox.is_full() || (whole <= self.next_second && !is_over) {
            return;
        }
        let until = whole.min(self.next_second + MAX_SECONDS);
        let mut snapshot = Snapshot {
            complete_until: until,
            ..Snapshot::default()
        };
        let mut counts = Vec::new();
        let traffic = &shared.traffic;
        for second in self.next_second..until {
            traffic.add_second(agent, second, &mut snapshot, &mut counts);
            let processes = self
                .workers
                .iter()
                .map(|worker| Some(*worker))
                .chain([None]);
            let health = processes.map(|worker| health(worker, second, self.users));
            snapshot.health.extend(health);
        }
        self.requests += counts.iter().map(|(requests, _)| requests).sum::<u64>();
        self.failures += counts.iter().map(|(_, failures)| failures).sum::<u64>();
        if self.next_second == 0 {
            snapshot.workers = self.worker_states(self.users, true);
            snapshot.user_changes.push(UserChange {
                second: 0,
                started: self.users,
                ..UserChange::default()
            });
        }
        if is_over && until == whole {
            self.has_ended = true;
            snapshot.workers = self.worker_states(0, false);
            snapshot.user_changes.push(UserChange {
                second: until.saturating_sub(1),
                stopped: self.users,
                ..UserChange::default()
            });
            for text in [
                "Duration reached, stopping users",
                "All workers have exited",
            ] {
                snapshot.log.push(line(name, shared, text));
            }
            snapshot.end = Some(AgentEnd {
                requests: self.requests,
                failures: self.failures,
                ended_at: self.ends_at,
                ..AgentEnd::default()
            });
        }
        self.next_second = until;
        self.push(snapshot, &counts, &mut shared.tally());
    }

    fn push(&mut self, mut snapshot: Snapshot, counts: &[(u64, u64)], tally: &mut Tally) {
        snapshot.run_id = self.run_id.clone();
        snapshot.seq = self.outbox.next_seq();
        let requests = counts.iter().map(|(requests, _)| requests).sum();
        let frame = encode(&ToCoordinator::Snapshot(Box::new(snapshot)));
        tally.count(frame.len(), counts);
        self.outbox.push(frame.into(), requests);
    }

    fn worker_states(&self, users: u64, running: bool) -> Vec<WorkerState> {
        let state = |index: &u32| WorkerState {
            index: *index,
            pid: 1_000 + index,
            users,
            running,
        };
        self.workers.iter().map(state).collect()
    }

    /// How it stands, for a ping.
    pub(super) fn held(&self, now: WallTime) -> HeldRun {
        let since = |then: Instant| micros(then.elapsed());
        HeldRun {
            run_id: self.run_id.clone(),
            run_time: self.run_zero.map(|zero| now.run_time(zero)),
            unacknowledged_us: self.outbox.waits_since().map_or(0, since),
            fetched_bytes: None,
            finish_asked: None,
        }
    }
}

/// How a process fares that has little to do.
fn health(worker: Option<u32>, second: u32, users: u64) -> ProcessHealth {
    let noise = (second * 131 + worker.unwrap_or(0) * 977) % 200;
    ProcessHealth {
        second,
        worker,
        users,
        requests: 200,
        core_pm: worker.map(|_| 300 + noise),
        wait_pm: worker.map(|_| noise / 8),
        process_pm: Some(350 + noise),
        memory_bytes: Some((40 << 20) + (u64::from(noise) << 12)),
        open_files: Some(120),
        late: worker.map(|_| TimerLateness {
            p50_us: 1_000 + noise,
            p99_us: 2_000 + noise,
            max_us: 5_000 + noise,
        }),
        machine: worker.is_none().then_some(MachineHealth {
            cpu_pm: Some(400 + noise),
            memory_used_bytes: Some(2 << 30),
            memory_bytes: Some(8 << 30),
            file_limit: Some(1 << 20),
        }),
    }
}

fn line(name: &str, shared: &Shared, text: &str) -> LogLine {
    LogLine {
        at: shared.clock.now(),
        source: name.to_owned(),
        text: text.to_owned(),
    }
}
