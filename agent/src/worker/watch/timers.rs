//! How late timers of the load thread fire.
//!
//! One timer of its own is due every [`PROBE_EVERY`], a task like any user, which waits for its turn like any user. One that fires late stands
//! for all that were due meanwhile: a timer that was due `x` later fired `x` less late. So every moment of a second counts alike, and a long
//! stall is not one late timer among many that were in time (what HdrHistogram calls a corrected value, and jHiccup does).
//!
//! While no user is polled nothing can be late, and waking up would be all that the worker does: then the timer is due every
//! [`QUIET_EVERY`], and one is due in the moment in which a user is polled again, so that what this poll holds up is noticed whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use greylag_infra::{TimerLateness, micros};
use greylag_scenarios::LoopWatch;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How often a timer is due while users are polled.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// How often while none are, so that each second has one.
const QUIET_EVERY: Duration = Duration::from_millis(500);
/// Timers after which no user has been polled for a while.
const QUIET_AFTER: u32 = 5;
/// Timers that one timer stands for are at least so far apart, and those of a late one at most [`MOST_OF_ONE`].
const STEP_US: u64 = 1_000;
const MOST_OF_ONE: u64 = 1_000;
/// Seconds that wait to be taken; of more the oldest are forgotten.
const MAX_SECONDS: usize = 64;

/// The timers of the load thread, by second of run time.
#[derive(Debug, Default)]
pub(crate) struct TimerLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seconds: BTreeMap<u32, Timers>,
    /// When the timer that is set now is due, in µs of run time.
    due_us: Option<u64>,
    /// Since when it stands for those that would have been due.
    stands_from_us: u64,
    /// Seconds before this one were taken.
    taken: u32,
}

/// Timers that fired: how late, in µs, and how many they stand for.
type Timers = Vec<(u32, u32)>;

impl TimerLog {
    /// Sets a timer after the other, for ever, on the thread that is watched. Run time zero may be in the future.
    pub(crate) async fn keep(self: Arc<Self>, run_zero: Instant, watch: Arc<LoopWatch>) {
        let next_poll = Arc::new(NextPoll {
            log: Arc::clone(&self),
            run_zero,
            begins: Notify::new(),
        });
        let waker = Waker::from(Arc::clone(&next_poll));
        let _end = NoneIsDue(&self);
        let mut due = run_zero.max(Instant::now());
        self.lock().stands_from_us = run_time_us(due, run_zero);
        let (mut polls, mut quiet) = (0, 0);
        loop {
            self.lock().due_us = Some(run_time_us(due, run_zero));
            if quiet < QUIET_AFTER {
                sleep_until(due).await;
            } else {
                watch.wake_at_next_poll(&waker);
                tokio::select! {
                    biased;
                    () = next_poll.begins.notified() => {}
                    () = sleep_until(due) => {}
                }
            }
            let now = Instant::now();
            self.lock().fired(run_time_us(now, run_zero));
            let polls_now = watch.polls();
            quiet = if polls_now == polls { quiet + 1 } else { 0 };
            polls = polls_now;
            if quiet < QUIET_AFTER {
                due = due.min(now);
                while due <= now {
                    due += PROBE_EVERY;
                }
            } else {
                quiet = QUIET_AFTER;
                due = now + QUIET_EVERY;
            }
        }
    }

    /// How late the timers of each second before `second` were, at this run time, and forgets them.
    pub(crate) fn take(&self, second: u32, now: Duration) -> BTreeMap<u32, TimerLateness> {
        self.lock().take(second, micros(now))
    }

    /// Nothing that can panic is done under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a timer be due when a user is polled.
struct NextPoll {
    log: Arc<TimerLog>,
    run_zero: Instant,
    begins: Notify,
}

impl Wake for NextPoll {
    fn wake(self: Arc<Self>) {
        let now_us = run_time_us(Instant::now(), self.run_zero);
        self.log.lock().poll_begins(now_us);
        self.begins.notify_one();
    }
}

/// What is not set any more is not late.
struct NoneIsDue<'a>(&'a TimerLog);

impl Drop for NoneIsDue<'_> {
    fn drop(&mut self) {
        self.0.lock().due_us = None;
    }
}

impl State {
    /// A user is polled: timers are due again.
    fn poll_begins(&mut self, now_us: u64) {
        if let Some(due_us) = &mut self.due_us {
            *due_us = now_us.min(*due_us);
        }
    }

    /// The timer that is set now fires.
    fn fired(&mut self, now_us: u64) {
        let due_us = self.due_us.take().unwrap_or(now_us);
        let late = now_us.saturating_sub(due_us);
        let is_late = late > micros(PROBE_EVERY);
        // Those until it was due; not of a second before, which may have been taken.
        let due_in = second_of(due_us);
        let from = self.stands_from_us.max(u64::from(due_in) * 1_000_000);
        let before = due_us.saturating_sub(from) / STEP_US;
        if !is_late {
            self.stands_from_us = due_us;
            self.add(due_in, late, before.max(1));
            return;
        }
        self.stands_from_us = now_us;
        if before > 0 {
            self.add(due_in, 0, before);
        }
        let fired_in = second_of(now_us);
        for (due_in, late, weight) in meanwhile(due_us, now_us) {
            self.add(due_in, late, weight);
            // The requests that waited end in the second in which it fires.
            if due_in != fired_in {
                self.add(fired_in, late, weight);
            }
        }
    }

    fn add(&mut self, second: u32, late_us: u64, weight: u64) {
        if second < self.taken {
            return;
        }
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let timers = self.seconds.entry(second).or_default();
        timers.push((small(late_us), small(weight)));
        if self.seconds.len() > MAX_SECONDS {
            self.seconds.pop_first();
        }
    }

    fn take(&mut self, second: u32, now_us: u64) -> BTreeMap<u32, TimerLateness> {
        // The timer that should have fired by now is late for what was due meanwhile, whenever it will fire.
        if let Some(due_us) = self.due_us
            && now_us.saturating_sub(due_us) > micros(PROBE_EVERY)
        {
            for (due_in, late, weight) in meanwhile(due_us, now_us) {
                if due_in < second {
                    self.add(due_in, late, weight);
                }
            }
        }
        self.taken = self.taken.max(second);
        let kept = self.seconds.split_off(&second);
        let taken = std::mem::replace(&mut self.seconds, kept).into_iter();
        taken
            .filter_map(|(second, timers)| Some((second, lateness(timers)?)))
            .collect()
    }
}

/// The timers that would have been due until a late one fired: in which second, how late, and how many they stand for.
fn meanwhile(due_us: u64, now_us: u64) -> impl Iterator<Item = (u32, u64, u64)> {
    let late = now_us.saturating_sub(due_us);
    let step = STEP_US.max(late.div_ceil(MOST_OF_ONE));
    (0..late)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .map(move |after| (second_of(due_us + after), late - after, step / STEP_US))
}

fn run_time_us(at: Instant, run_zero: Instant) -> u64 {
    micros(at.saturating_duration_since(run_zero))
}

fn second_of(run_time_us: u64) -> u32 {
    u32::try_from(run_time_us / 1_000_000).unwrap_or(u32::MAX)
}

fn lateness(mut timers: Timers) -> Option<TimerLateness> {
    timers.sort_unstable();
    let all: u64 = timers.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let percentile = |permille: u64| {
        let rank = (all * permille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let mut late = timers.iter();
        let at = late.find(|(_, weight)| {
            seen += u64::from(*weight);
            seen >= rank
        });
        at.map(|(late, _)| *late)
    };
    Some(TimerLateness {
        p50_us: percentile(500)?,
        p99_us: percentile(990)?,
        max_us: timers.last()?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of timers that are due every 20 ms from 0 to `until_ms`; `stalls` are from when to when (ms) none fires.
    fn log(until_ms: u64, stalls: &[(u64, u64)]) -> State {
        let mut state = State::default();
        let mut due = 0;
        while due < until_ms {
            let stall = stalls.iter().find(|(from, to)| (*from..*to).contains(&due));
            let now = stall.map_or(due + 1, |(_, to)| *to);
            fire(&mut state, due, now);
            while due <= now {
                due += 20;
            }
        }
        state
    }

    fn fire(state: &mut State, due_ms: u64, now_ms: u64) {
        state.due_us = Some(due_ms * 1_000);
        state.fired(now_ms * 1_000);
    }

    fn p99_ms(taken: &BTreeMap<u32, TimerLateness>) -> Vec<(u32, u32)> {
        let of_second = |(second, late): (&u32, &TimerLateness)| (*second, late.p99_us / 1_000);
        taken.iter().map(of_second).collect()
    }

    #[test]
    fn timers_in_time_are_as_late_as_they_are() {
        let taken = log(2_000, &[]).take(2, 2_000_000);
        assert_eq!(p99_ms(&taken), [(0, 1), (1, 1)]);
        assert_eq!(taken[&0].max_us, 1_000);
    }

    #[test]
    fn a_stall_counts_for_as_long_as_it_lasts() {
        // 60 ms: what was due in its first 10 ms was more than 50 ms late, which is 1 % of the second.
        let short = log(1_000, &[(400, 460)]).take(1, 1_000_000);
        assert!((49_000..=51_000).contains(&short[&0].p99_us), "{short:?}");
        assert_eq!(short[&0].p50_us, 1_000);
        // More than half of the second.
        let long = log(1_000, &[(200, 900)]).take(1, 1_000_000);
        assert!(long[&0].p50_us > 100_000, "{long:?}");
        assert!(long[&0].p99_us > 650_000, "{long:?}");
        assert_eq!(long[&0].max_us, 700_000);
    }

    #[test]
    fn every_second_of_a_long_stall_is_late_whenever_it_is_taken() {
        let at_the_end = log(6_000, &[(1_500, 4_100)]).take(6, 6_000_000);
        let late: Vec<u32> = p99_ms(&at_the_end)
            .into_iter()
            .filter(|(_, ms)| *ms > 50)
            .map(|(second, _)| second)
            .collect();
        assert_eq!(late, [1, 2, 3, 4]);

        let mut state = log(1_500, &[]);
        state.due_us = Some(1_500_000);
        let mut meanwhile = state.take(2, 2_030_000);
        assert!(meanwhile[&1].p99_us > 500_000, "{meanwhile:?}");
        meanwhile.extend(state.take(3, 3_030_000));
        assert!(meanwhile[&2].p50_us > 500_000, "{meanwhile:?}");
        fire(&mut state, 1_500, 4_100);
        let rest = state.take(5, 5_000_000);
        assert_eq!(rest.keys().copied().collect::<Vec<_>>(), [3, 4]);
        assert!(
            rest[&3].p99_us > 1_000_000 && rest[&4].max_us == 2_600_000,
            "{rest:?}"
        );
    }

    #[test]
    fn each_moment_counts_alike_whether_users_are_polled_or_not() {
        // Quiet until 700 ms, then a poll that takes 60 ms.
        let mut state = State::default();
        fire(&mut state, 0, 1);
        fire(&mut state, 500, 501);
        state.due_us = Some(1_001_000);
        state.poll_begins(700_000);
        state.fired(760_000);
        for due in (780..1_000).step_by(20) {
            fire(&mut state, due, due + 1);
        }
        let quiet = state.take(1, 1_000_000)[&0];
        let busy = log(1_000, &[(700, 760)]).take(1, 1_000_000)[&0];
        assert_eq!(quiet, busy);
        assert!((49_000..=51_000).contains(&quiet.p99_us), "{quiet:?}");
    }

    /// Of how many timers of each second something is known.
    fn timers(log: &TimerLog) -> Vec<usize> {
        log.lock().seconds.values().map(Vec::len).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn timers_are_rare_while_no_user_is_polled() {
        let log = Arc::<TimerLog>::default();
        let watch = Arc::<LoopWatch>::default();
        let kept = Arc::clone(&log).keep(Instant::now(), Arc::clone(&watch));
        let mut kept = tokio::spawn(kept);
        let second = Duration::from_secs(1);
        assert!(tokio::time::timeout(4 * second, &mut kept).await.is_err());
        let known = timers(&log);
        let [_, second_one, third, ..] = known.as_slice() else {
            panic!("each second has timers: {known:?}");
        };
        assert!(
            (1..=2).contains(second_one) && (1..=2).contains(third),
            "{known:?}"
        );

        let polls = async {
            for _ in 0..100 {
                watch.polled("work", async {}).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        polls.await;
        assert!(*timers(&log).last().unwrap() > 30, "{:?}", timers(&log));

        kept.abort();
        assert!(kept.await.is_err());
        assert_eq!(log.lock().due_us, None, "none is late any more");
    }

    #[tokio::test]
    async fn what_the_first_poll_after_a_quiet_while_holds_up_is_noticed_whole() {
        let log = Arc::<TimerLog>::default();
        let watch = Arc::<LoopWatch>::default();
        let run_zero = Instant::now();
        let kept = Arc::clone(&log).keep(run_zero, Arc::clone(&watch));
        let kept = tokio::spawn(kept);
        while !watch.wakes_at_next_poll() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let block = Duration::from_millis(150);
        watch
            .polled("work", async { std::thread::sleep(block) })
            .await;
        tokio::task::yield_now().await;
        kept.abort();
        let late = log.take(u32::MAX, run_zero.elapsed());
        let worst = late.values().map(|late| late.max_us).max();
        assert!(worst >= Some(150_000), "{late:?}");
    }

    #[test]
    fn a_timer_stands_for_no_moment_of_the_second_before() {
        let mut state = State::default();
        fire(&mut state, 700, 701);
        fire(&mut state, 1_200, 1_201);
        let weights = state.seconds[&1].iter().map(|(_, weight)| weight);
        assert_eq!(weights.sum::<u32>(), 200);
    }

    #[test]
    fn memory_is_bounded() {
        let mut state = State::default();
        fire(&mut state, 0, 3_600_000);
        for second in 0..200_u64 {
            fire(&mut state, second * 1_000, second * 1_000 + 1);
        }
        assert!(state.seconds.len() <= MAX_SECONDS);
        let entries: usize = state.seconds.values().map(Vec::len).sum();
        assert!(entries <= 2 * MOST_OF_ONE as usize + 200, "{entries}");
    }
}
