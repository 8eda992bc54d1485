//! Whether the load thread gets the processor time it needs.
//!
//! The kernel counts for each thread how long it ran and how long it was ready to run but waited for a core. A
//! thread that does one or the other nearly all the time handles responses later than they come, and the response
//! times it measures include that delay.

use std::fs;
use std::time::{Duration, Instant};

use greylag_infra::{GeneratorNotice, NoticeKind};
use rustix::thread::Pid;

/// A second counts as saturated from this share of it on, in percent.
const SATURATED_PERCENT: u64 = 90;
/// So many saturated seconds in a row make a notice; a single one is not worth reporting.
const SATURATED_SECONDS: usize = 3;

/// Watches one thread, second by second.
#[derive(Debug)]
pub(crate) struct CoreWatch {
    thread: Pid,
    last: Reading,
    /// Seconds before this one have been looked at.
    seen: u32,
    /// Saturated seconds in a row that are not notices yet.
    streak: Vec<GeneratorNotice>,
    /// Whether the last seconds were saturated for long enough.
    is_saturated: bool,
}

/// What the kernel has counted at a moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    ran: Duration,
    waited: Duration,
}

impl CoreWatch {
    /// Watches a thread from now on; none where the system does not count.
    pub(crate) fn start(thread: Pid) -> Option<Self> {
        Some(Self {
            thread,
            last: read(thread)?,
            seen: 0,
            streak: Vec::new(),
            is_saturated: false,
        })
    }

    /// Looks at the seconds of run time that have ended before `second`. Returns what there is to say about them
    /// and those before.
    pub(crate) fn look(&mut self, second: u32) -> Vec<GeneratorNotice> {
        match read(self.thread) {
            Some(reading) => self.judge(reading, second),
            None => Vec::new(),
        }
    }

    fn judge(&mut self, now: Reading, second: u32) -> Vec<GeneratorNotice> {
        let Some(last_second) = second.checked_sub(1).filter(|last| *last >= self.seen) else {
            return Vec::new();
        };
        let first_second = std::mem::replace(&mut self.seen, second);
        let last = std::mem::replace(&mut self.last, now);
        let wall = now.at.saturating_duration_since(last.at);
        let ran = percent(now.ran.saturating_sub(last.ran), wall);
        let waited = percent(now.waited.saturating_sub(last.waited), wall);
        if ran + waited < SATURATED_PERCENT {
            self.streak.clear();
            self.is_saturated = false;
            return Vec::new();
        }
        let (kind, worst) = if ran >= SATURATED_PERCENT {
            (NoticeKind::Cpu, ran)
        } else {
            (NoticeKind::CpuWait, waited)
        };
        self.streak.push(GeneratorNotice {
            kind,
            first_second,
            last_second,
            count: u64::from(second - first_second),
            worst,
            ..GeneratorNotice::default()
        });
        self.is_saturated |= self.streak.len() >= SATURATED_SECONDS;
        if self.is_saturated {
            std::mem::take(&mut self.streak)
        } else {
            Vec::new()
        }
    }
}

fn percent(part: Duration, whole: Duration) -> u64 {
    if whole.is_zero() {
        return 0;
    }
    ((part.as_secs_f64() * 100.0 / whole.as_secs_f64()).round() as u64).min(100)
}

fn read(thread: Pid) -> Option<Reading> {
    let dir = format!("/proc/self/task/{}", thread.as_raw_nonzero());
    let at = Instant::now();
    let (ran, waited) = match fs::read_to_string(format!("{dir}/schedstat")) {
        Ok(text) => scheduler_times(&text)?,
        // A kernel that does not count waiting counts what ran.
        Err(_) => (
            processor_time(&fs::read_to_string(format!("{dir}/stat")).ok()?)?,
            Duration::ZERO,
        ),
    };
    Some(Reading { at, ran, waited })
}

/// Time on a core and time ready without one, of `/proc/…/schedstat`.
fn scheduler_times(schedstat: &str) -> Option<(Duration, Duration)> {
    let mut nanoseconds = schedstat.split_ascii_whitespace().map(str::parse);
    let mut next = || Some(Duration::from_nanos(nanoseconds.next()?.ok()?));
    Some((next()?, next()?))
}

/// Time on a core, of `/proc/…/stat`.
fn processor_time(stat: &str) -> Option<Duration> {
    /// Fields after the name, which is in parentheses and may hold anything, until the user time.
    const BEFORE_USER_TIME: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields
        .split_ascii_whitespace()
        .skip(BEFORE_USER_TIME)
        .map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_secs_f64(
        user.saturating_add(system) as f64 / per_second as f64,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch that reads what the test says: per second the shares of running and waiting.
    fn notices_of(seconds: &[(u64, u64)]) -> Vec<(NoticeKind, u32, u32, u64)> {
        let start = Instant::now();
        let mut reading = Reading {
            at: start,
            ran: Duration::ZERO,
            waited: Duration::ZERO,
        };
        let mut watch = CoreWatch {
            thread: rustix::thread::gettid(),
            last: reading,
            seen: 0,
            streak: Vec::new(),
            is_saturated: false,
        };
        let mut all = Vec::new();
        for (second, (ran, waited)) in (1..).zip(seconds) {
            reading.at += Duration::from_secs(1);
            reading.ran += Duration::from_millis(ran * 10);
            reading.waited += Duration::from_millis(waited * 10);
            all.extend(watch.judge(reading, second));
        }
        all.iter()
            .map(|n| (n.kind, n.first_second, n.last_second, n.worst))
            .collect()
    }

    #[test]
    fn only_a_row_of_saturated_seconds_is_noticed() {
        assert_eq!(
            notices_of(&[(95, 0), (99, 0), (50, 0), (99, 0), (99, 0)]),
            []
        );
        assert_eq!(
            notices_of(&[
                (20, 0),
                (95, 0),
                (99, 0),
                (91, 5),
                (97, 0),
                (10, 10),
                (99, 0)
            ]),
            [
                (NoticeKind::Cpu, 1, 1, 95),
                (NoticeKind::Cpu, 2, 2, 99),
                (NoticeKind::Cpu, 3, 3, 91),
                (NoticeKind::Cpu, 4, 4, 97),
            ]
        );
    }

    #[test]
    fn a_thread_that_waits_for_a_core_is_not_said_to_use_it() {
        let starved = notices_of(&[(30, 65); 3]);
        assert_eq!(
            starved,
            [
                (NoticeKind::CpuWait, 0, 0, 65),
                (NoticeKind::CpuWait, 1, 1, 65),
                (NoticeKind::CpuWait, 2, 2, 65),
            ]
        );
    }

    #[test]
    fn the_kernels_numbers_are_read() {
        let times = scheduler_times("1500000000 250000000 17\n").unwrap();
        assert_eq!(
            times,
            (Duration::from_millis(1_500), Duration::from_millis(250))
        );
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 10";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(processor_time(stat).unwrap().as_secs_f64(), 200.0 / ticks);
        assert!(CoreWatch::start(rustix::thread::gettid()).is_some());
    }
}
