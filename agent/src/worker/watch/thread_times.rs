//! How much processor time one thread of this process got, as Linux counts it; elsewhere nothing is known.
//!
//! The kernel counts for each thread how long it ran and how long it was ready to run but waited for a processor.

use std::fs;
use std::time::Duration;

use rustix::thread::{Pid, gettid};

/// Times of a thread since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ThreadTimes {
    /// On a processor.
    pub(super) ran: Duration,
    /// Ready to run, but without a processor; a wait counts when it is over.
    pub(super) waited: Duration,
    /// Whether the system counts waiting.
    pub(super) counts_waiting: bool,
    /// Whether it is running or could run now; a thread that sleeps could not.
    pub(super) could_run: bool,
}

/// A thread whose times can be read.
#[derive(Debug)]
pub(super) struct TimedThread {
    directory: String,
}

impl TimedThread {
    /// The thread that calls this.
    pub(super) fn this() -> Self {
        Self::of(gettid())
    }

    pub(super) fn of(thread: Pid) -> Self {
        Self {
            directory: format!("/proc/self/task/{}", thread.as_raw_nonzero()),
        }
    }

    /// The times now; none where the system does not count them.
    pub(super) fn times(&self) -> Option<ThreadTimes> {
        let file = |name: &str| fs::read_to_string(format!("{}/{name}", self.directory)).ok();
        let stat = Stat::parse(&file("stat")?)?;
        // A kernel that does not count waiting still counts running.
        let schedstat = file("schedstat");
        let counts_waiting = schedstat.is_some();
        let (ran, waited) = match schedstat {
            Some(schedstat) => scheduler_times(&schedstat)?,
            None => (stat.ran, Duration::ZERO),
        };
        Some(ThreadTimes {
            ran,
            waited,
            counts_waiting,
            could_run: stat.could_run,
        })
    }
}

/// Time on a processor and time ready without one, of `/proc/…/schedstat`.
fn scheduler_times(schedstat: &str) -> Option<(Duration, Duration)> {
    let mut nanoseconds = schedstat.split_ascii_whitespace().map(str::parse);
    let mut next = || Some(Duration::from_nanos(nanoseconds.next()?.ok()?));
    Some((next()?, next()?))
}

/// What `/proc/…/stat` says of a thread.
struct Stat {
    ran: Duration,
    could_run: bool,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        /// Fields after the state until the user time.
        const BEFORE_USER_TIME: usize = 10;
        // The name before the state is in parentheses and may contain anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let could_run = fields.next()? == "R";
        let mut ticks = fields.skip(BEFORE_USER_TIME).map(str::parse::<u64>);
        let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Some(Self {
            ran: Duration::from_secs_f64(user.saturating_add(system) as f64 / per_second as f64),
            could_run,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_kernels_numbers_are_read() {
        let times = scheduler_times("1500000000 250000000 17\n").unwrap();
        assert_eq!(
            times,
            (Duration::from_millis(1_500), Duration::from_millis(250))
        );
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 10";
        let stat = Stat::parse(stat).unwrap();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(stat.ran.as_secs_f64(), 200.0 / ticks);
        assert!(!stat.could_run);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_computes_runs_and_one_that_sleeps_does_not() {
        let times = |thread: &TimedThread| thread.times().unwrap();
        let this = TimedThread::this();
        let before = times(&this);
        assert!(before.could_run, "it is being asked on itself");
        let begun = Instant::now();
        while times(&this).ran - before.ran < Duration::from_millis(20) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not run");
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            sender.send(TimedThread::this()).unwrap();
            let _ = ended.recv();
        });
        let sleeping = receiver.recv().unwrap();
        while times(&sleeping).could_run {
            std::thread::yield_now();
        }
        drop(end);
        sleeper.join().unwrap();
    }
}
