//! Notices users' code that blocks the thread which all users of a worker share.
//!
//! A thread beside the load thread looks every 10 ms whether the poll of a user that it saw last is still running; it sleeps
//! while no user's code has run for a while, until some does. A thread that does not get a processor looks the same from outside and is not the users' fault: time in which the watchdog
//! itself came late, or in which the thread waited for a processor according to the system, does not count.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use greylag_scenarios::{GeneratorLimit, LoopWatch, ObservedPoll, Recorder};

use super::thread_times::{ThreadTimes, TimedThread};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Looks after which no user's code has run for a while.
const IDLE_AFTER: u32 = 10;
/// It sleeps no longer, because when a thread sees what another has written is not promised.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// From here on a poll has blocked the thread.
const BLOCKED_FROM: Duration = Duration::from_millis(50);
/// A poll that has not returned yet is reported after this time, and again each time that has doubled.
const STILL_BLOCKED_FROM: Duration = Duration::from_secs(1);

/// The watchdog of a thread, until it is dropped.
pub(crate) struct Watchdog {
    ending: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watchdog {
    /// Watches the thread that calls this, which runs what `watch` is about, and reports to the recorder. Without a thread
    /// to spare nothing is watched.
    pub(crate) fn beside_this_thread(watch: &Arc<LoopWatch>, recorder: &Arc<dyn Recorder>) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let (watch, recorder) = (Arc::clone(watch), Arc::clone(recorder));
        let thread_times = TimedThread::this();
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                let mut detector = Detector::new(Instant::now());
                let mut pause = Pause::of_this_thread();
                loop {
                    thread::park_timeout(pause.until_next_look(&watch));
                    if ended.load(Ordering::Acquire) {
                        break;
                    }
                    let found = detector.look(Instant::now(), watch.look(), || {
                        thread_times.times().unwrap_or_default()
                    });
                    if let Some(found) = found {
                        found.report(&*recorder);
                    }
                }
            });
        if let Err(error) = &thread {
            tracing::warn!("blocking code of users will not be noticed: {error}");
        }
        Self {
            ending,
            thread: thread.ok(),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // What it panicked with was printed.
            let _ = thread.join();
        }
    }
}

/// How long to wait for the next look.
#[derive(Debug)]
struct Pause {
    /// Ends a pause of the thread.
    end: Waker,
    /// Polls that had begun and ended at the last look.
    polls: u64,
    /// Looks since any did.
    idle_looks: u32,
}

/// A thread that is parked.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Pause {
    fn of_this_thread() -> Self {
        Self {
            end: Arc::new(Parked(thread::current())).into(),
            polls: 0,
            idle_looks: 0,
        }
    }

    fn until_next_look(&mut self, watch: &LoopWatch) -> Duration {
        let polls = watch.polls();
        if polls != self.polls || !polls.is_multiple_of(2) {
            self.polls = polls;
            self.idle_looks = 0;
            return LOOK_EVERY;
        }
        self.idle_looks = self.idle_looks.saturating_add(1);
        if self.idle_looks > IDLE_AFTER {
            // The next poll was asked to wake this thread at the look before, and none has begun since.
            return LONGEST_SLEEP;
        }
        if self.idle_looks == IDLE_AFTER {
            watch.wake_at_next_poll(&self.end);
        }
        LOOK_EVERY
    }
}

/// Code that blocked the thread, as far as the detector knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BlockedCode {
    code: String,
    /// For about how long.
    time: Duration,
    /// Whether it has returned.
    is_over: bool,
    /// Whether the same poll was reported before.
    again: bool,
}

impl BlockedCode {
    fn report(&self, recorder: &dyn Recorder) {
        let Self { code, time, .. } = self;
        if !self.is_over {
            tracing::warn!(
                "{code} has been blocking the thread of all users of this worker for {:.1} s and has not returned",
                time.as_secs_f64()
            );
        }
        recorder.generator_limit(GeneratorLimit::BlockedLoop {
            task: code,
            held_up: *time,
            again: self.again,
        });
    }
}

/// A poll that was seen running.
struct SeenPoll {
    observed: ObservedPoll,
    first_seen: Instant,
    last_seen: Instant,
    /// Time in between in which we came late.
    ours: Duration,
    times: ThreadTimes,
    /// How long it must last to be reported while it still blocks.
    report_at: Duration,
    /// Whether it was reported.
    reported: bool,
}

impl SeenPoll {
    /// How long the code itself kept the thread, as far as it was seen.
    fn time(&self, times: ThreadTimes) -> Duration {
        let seen = self.last_seen - self.first_seen;
        let waited = times.waited.saturating_sub(self.times.waited);
        seen.saturating_sub(self.ours).saturating_sub(waited)
    }

    /// The same while it still blocks: a thread's wait is known only when it is over, so that of one which could run
    /// only what it did run counts.
    fn time_so_far(&self, times: ThreadTimes) -> Duration {
        if times.could_run {
            times.ran.saturating_sub(self.times.ran)
        } else {
            self.time(times)
        }
    }
}

/// Detects blocking code from one look after the other.
struct Detector {
    last: Instant,
    poll: Option<SeenPoll>,
}

impl Detector {
    fn new(now: Instant) -> Self {
        Self {
            last: now,
            poll: None,
        }
    }

    fn look(
        &mut self,
        now: Instant,
        observed: Option<ObservedPoll>,
        times: impl Fn() -> ThreadTimes,
    ) -> Option<BlockedCode> {
        let since_last = now.saturating_duration_since(self.last);
        self.last = now;
        if let (Some(poll), Some(observed)) = (&mut self.poll, observed)
            && poll.observed.is_same_poll(observed)
        {
            poll.observed = observed;
            poll.last_seen = now;
            // Timers are always a little late.
            if since_last > 2 * LOOK_EVERY {
                poll.ours += since_last - LOOK_EVERY;
            }
            if poll.last_seen - poll.first_seen < poll.report_at {
                return None;
            }
            poll.report_at *= 2;
            let time = poll.time_so_far(times());
            if time < BLOCKED_FROM {
                return None;
            }
            return Some(BlockedCode {
                code: observed.name(),
                time,
                is_over: false,
                again: std::mem::replace(&mut poll.reported, true),
            });
        }
        let ended = self.poll.take();
        let known = ended.filter(|poll| poll.last_seen - poll.first_seen >= BLOCKED_FROM);
        if known.is_none() && observed.is_none() {
            return None;
        }
        let times = times();
        self.poll = observed.map(|observed| SeenPoll {
            observed,
            first_seen: now,
            last_seen: now,
            ours: Duration::ZERO,
            times,
            report_at: STILL_BLOCKED_FROM,
            reported: false,
        });
        let poll = known?;
        let time = poll.time(times);
        (time >= BLOCKED_FROM).then(|| BlockedCode {
            code: poll.observed.name(),
            // Half a look at each end was not seen.
            time: time + LOOK_EVERY,
            is_over: true,
            again: poll.reported,
        })
    }
}
