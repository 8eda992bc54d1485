//! Whether the load thread gets the processor time it needs.
//!
//! A thread that runs, or waits for a processor, nearly all the time handles responses later than they arrive, and the
//! response times it measures include that delay.

use std::time::{Duration, Instant};

use greylag_infra::{GeneratorNotice, NoticeKind};
use rustix::thread::Pid;

use super::thread_times::{ThreadTimes, TimedThread};

/// A second counts as saturated from this share of it on, in percent.
const SATURATED_PERCENT: u64 = 90;
/// So many saturated seconds in a row make a notice; a single one is not worth reporting.
const SATURATED_SECONDS: usize = 3;

/// Watches one thread, second by second.
#[derive(Debug)]
pub(crate) struct SaturationWatch {
    thread: TimedThread,
    last: Reading,
    /// Seconds before this one have been looked at.
    seen: u32,
    /// Saturated seconds in a row that are not notices yet.
    streak: Vec<GeneratorNotice>,
    /// Whether the last seconds were saturated for long enough.
    is_saturated: bool,
}

/// The thread's times at a moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    times: ThreadTimes,
}

impl Reading {
    fn of(thread: &TimedThread) -> Option<Self> {
        let at = Instant::now();
        let times = thread.times()?;
        Some(Self { at, times })
    }
}

impl SaturationWatch {
    /// Watches a thread from now on; none where the system does not count its time.
    pub(crate) fn start(thread: Pid) -> Option<Self> {
        let thread = TimedThread::of(thread);
        let last = Reading::of(&thread)?;
        Some(Self::starting_with(thread, last))
    }

    fn starting_with(thread: TimedThread, last: Reading) -> Self {
        Self {
            thread,
            last,
            seen: 0,
            streak: Vec::new(),
            is_saturated: false,
        }
    }

    /// Looks at the seconds of run time that have ended before `second`. Returns the notices about them and those
    /// before.
    pub(crate) fn look(&mut self, second: u32) -> Vec<GeneratorNotice> {
        match Reading::of(&self.thread) {
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
        let ran = percent(now.times.ran.saturating_sub(last.times.ran), wall);
        let waited = percent(now.times.waited.saturating_sub(last.times.waited), wall);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The notices of a watch that reads what the test says: per second the shares of running and waiting.
    fn notices_of(seconds: &[(u64, u64)]) -> Vec<(NoticeKind, u32, u32, u64)> {
        let mut reading = Reading {
            at: Instant::now(),
            times: ThreadTimes::default(),
        };
        let mut watch = SaturationWatch::starting_with(TimedThread::this(), reading);
        let mut all = Vec::new();
        for (second, (ran, waited)) in (1..).zip(seconds) {
            reading.at += Duration::from_secs(1);
            reading.times.ran += Duration::from_millis(ran * 10);
            reading.times.waited += Duration::from_millis(waited * 10);
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
    fn a_thread_of_this_process_can_be_watched() {
        assert!(SaturationWatch::start(rustix::thread::gettid()).is_some());
    }
}
