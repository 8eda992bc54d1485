//! How this worker fares in each second of its run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greylag_infra::ProcessHealth;
use rustix::thread::Pid;

use super::thread_times::{ThreadTimes, TimedThread};
use super::timers::TimerLog;
use crate::usage::{Meter, permille};
use crate::worker_protocol::Report;

/// Measures this worker, second by second, from when it is started.
#[derive(Debug)]
pub(crate) struct HealthWatch {
    load_thread: TimedThread,
    /// The thread's times at the last look; none where the system does not count them.
    last: Option<(Instant, ThreadTimes)>,
    process: Meter,
    timers: Arc<TimerLog>,
    /// What was handed over of seconds that are not over.
    load: BTreeMap<u32, SecondLoad>,
    users: u64,
    /// Seconds before this one have been looked at.
    seen: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct SecondLoad {
    requests: u64,
    started: u64,
    stopped: u64,
}

impl HealthWatch {
    /// Measures the process with this load thread and its timers from now on.
    pub(crate) fn start(load_thread: Pid, timers: Arc<TimerLog>) -> Self {
        let load_thread = TimedThread::of(load_thread);
        Self {
            last: reading(&load_thread),
            load_thread,
            process: Meter::of_process(),
            timers,
            load: BTreeMap::new(),
            users: 0,
            seen: 0,
        }
    }

    /// Counts what is handed over.
    pub(crate) fn count(&mut self, report: &Report) {
        for interval in &report.intervals {
            let load = self.load.entry(interval.second).or_default();
            load.requests = load.requests.saturating_add(interval.requests);
        }
        for change in &report.user_changes {
            let load = self.load.entry(change.second).or_default();
            load.started = load.started.saturating_add(change.started);
            load.stopped = load.stopped.saturating_add(change.stopped);
        }
    }

    /// Looks at the seconds of run time that have ended before `second`, everything of which has been counted.
    pub(crate) fn look(&mut self, second: u32, run_time: Duration) -> Vec<ProcessHealth> {
        let measured = (second > self.seen).then(|| self.measure());
        let timers = self.timers.take(second, run_time);
        self.finish(second, measured.unwrap_or_default(), &timers)
    }

    /// What the processor did since the last look.
    fn measure(&mut self) -> ProcessHealth {
        let now = reading(&self.load_thread);
        let mut measured = self.process.look();
        if let (Some((from, before)), Some((to, times))) = (self.last, now) {
            // What is measured of a second may be a little more than fits into it.
            let share = |now: Duration, before: Duration| {
                permille(now.saturating_sub(before), from, to).map(|share| share.min(1_000))
            };
            measured.core_pm = share(times.ran, before.ran);
            if times.counts_waiting {
                measured.wait_pm = share(times.waited, before.waited);
            }
        }
        self.last = now;
        measured
    }

    fn finish(
        &mut self,
        second: u32,
        measured: ProcessHealth,
        timers: &BTreeMap<u32, greylag_infra::TimerLateness>,
    ) -> Vec<ProcessHealth> {
        let later = self.load.split_off(&second);
        let mut load = std::mem::replace(&mut self.load, later);
        let mut records = Vec::new();
        // Requests that were counted late: what was measured of their second has been handed over.
        let seen = load.split_off(&self.seen);
        for (second, late) in std::mem::replace(&mut load, seen) {
            self.come_and_go(late);
            records.push(ProcessHealth {
                second,
                requests: late.requests,
                ..ProcessHealth::default()
            });
        }
        for second in self.seen..second {
            let of_second = load.get(&second).copied().unwrap_or_default();
            self.come_and_go(of_second);
            records.push(ProcessHealth {
                second,
                users: self.users,
                requests: of_second.requests,
                late: timers.get(&second).copied(),
                ..measured
            });
        }
        self.seen = self.seen.max(second);
        records
    }

    fn come_and_go(&mut self, load: SecondLoad) {
        let users = self.users.saturating_add(load.started);
        self.users = users.saturating_sub(load.stopped);
    }
}

fn reading(thread: &TimedThread) -> Option<(Instant, ThreadTimes)> {
    let at = Instant::now();
    thread.times().map(|times| (at, times))
}

#[cfg(test)]
mod tests {
    use greylag_infra::TimerLateness;
    use greylag_infra::protocol::{IntervalData, UserChange};

    use super::*;

    fn report(second: u32, requests: u64, started: u64, stopped: u64) -> Report {
        Report {
            intervals: vec![IntervalData {
                second,
                requests,
                ..IntervalData::default()
            }],
            user_changes: vec![UserChange {
                second,
                started,
                stopped,
                ..UserChange::default()
            }],
            ..Report::default()
        }
    }

    #[test]
    fn each_second_has_what_was_handed_over_of_it() {
        let mut watch = HealthWatch::start(rustix::thread::gettid(), Arc::default());
        watch.count(&report(0, 3, 2, 0));
        watch.count(&report(0, 4, 1, 0));
        watch.count(&report(1, 9, 0, 1));
        let measured = ProcessHealth {
            core_pm: Some(123),
            ..ProcessHealth::default()
        };
        let late = TimerLateness {
            p50_us: 1,
            p99_us: 2,
            max_us: 3,
        };
        let first = watch.finish(1, measured, &[(0, late)].into());
        let of = |records: &[ProcessHealth]| -> Vec<(u32, u64, u64, Option<u32>)> {
            let records = records.iter();
            records
                .map(|one| (one.second, one.requests, one.users, one.core_pm))
                .collect()
        };
        assert_eq!(of(&first), [(0, 7, 3, Some(123))]);
        assert_eq!(first[0].late, Some(late));
        // Two seconds are looked at together, and one request of the first came late.
        watch.count(&report(0, 1, 0, 0));
        watch.count(&report(2, 5, 0, 0));
        let next = watch.finish(3, measured, &BTreeMap::new());
        assert_eq!(
            of(&next),
            [(0, 1, 0, None), (1, 9, 2, Some(123)), (2, 5, 2, Some(123))]
        );
        assert_eq!(next[1].late, None, "not measured is not in time");
        assert_eq!(watch.finish(3, measured, &BTreeMap::new()), []);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_computes_uses_its_core() {
        let begun = Instant::now();
        let mut watch = HealthWatch::start(rustix::thread::gettid(), Arc::default());
        // On a busy machine it takes longer until it has computed for as long.
        let this = TimedThread::this();
        let ran = || this.times().unwrap().ran;
        let before = ran();
        let computes = Duration::from_millis(150);
        while ran() - before < computes {
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(60), "no processor time");
        }
        let health = watch.look(1, Duration::from_secs(1));
        assert_eq!(health.len(), 1);
        // What was looked at lies within what passed here, so its share is this or more.
        let least = permille(computes, begun, Instant::now()).unwrap();
        let core_pm = health[0].core_pm.unwrap();
        assert!(
            core_pm >= least.min(1_000),
            "{health:?} of at least {least}"
        );
        assert!(health[0].process_pm.unwrap() > 0, "{health:?}");
    }
}
