//! How late timers of the load thread fire.
//!
//! One timer of its own is due every [`PROBE_EVERY`], a task like any user, which waits for its turn like any user. One that fires late stands
//! for all that were due meanwhile: a timer that was due `x` later fired `x` less late. So every moment of a second counts alike, and a long
//! stall is not one late timer among many that were in time (what HdrHistogram calls a corrected value, and jHiccup does).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greylag_infra::{TimerLateness, micros};
use tokio::time::{Instant, sleep_until};

/// How often a timer is due. An idle worker wakes up so often.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Timers that one late timer stands for are at least so far apart, and at most [`MOST_OF_ONE`].
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
    /// Seconds before this one were taken.
    taken: u32,
}

/// Timers that fired: how late, in µs, and how many they stand for.
type Timers = Vec<(u32, u32)>;

impl TimerLog {
    /// Sets a timer after the other, for ever. Run time zero may be in the future.
    pub(crate) async fn keep(self: Arc<Self>, run_zero: Instant) {
        let mut due = run_zero.max(Instant::now());
        loop {
            let due_us = micros(due.saturating_duration_since(run_zero));
            self.lock().due_us = Some(due_us);
            sleep_until(due).await;
            let now = Instant::now();
            self.lock()
                .fired(due_us, micros(now.saturating_duration_since(run_zero)));
            while due <= now {
                due += PROBE_EVERY;
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

impl State {
    fn fired(&mut self, due_us: u64, now_us: u64) {
        self.due_us = None;
        let late = now_us.saturating_sub(due_us);
        let period = micros(PROBE_EVERY);
        if late <= period {
            self.add(second_of(now_us), late, period / STEP_US);
            return;
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
            state.fired(due * 1_000, now * 1_000);
            while due <= now {
                due += 20;
            }
        }
        state
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
        state.fired(1_500_000, 4_100_000);
        let rest = state.take(5, 5_000_000);
        assert_eq!(rest.keys().copied().collect::<Vec<_>>(), [3, 4]);
        assert!(
            rest[&3].p99_us > 1_000_000 && rest[&4].max_us == 2_600_000,
            "{rest:?}"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut state = State::default();
        state.fired(0, 3_600_000_000);
        for second in 0..200_u64 {
            state.fired(second * 1_000_000, second * 1_000_000 + 1_000);
        }
        assert!(state.seconds.len() <= MAX_SECONDS);
        let entries: usize = state.seconds.values().map(Vec::len).sum();
        assert!(entries <= 2 * MOST_OF_ONE as usize + 200, "{entries}");
    }
}
