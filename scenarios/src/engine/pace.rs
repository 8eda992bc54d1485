//! When the tasks of a paced user are intended to begin.

use std::time::Duration;

use tokio::time::Instant;

/// A sleep may end this much later than asked for without being late: the timer counts in
/// milliseconds, rounded up.
const TIMER_RESOLUTION: Duration = Duration::from_millis(2);

/// The schedule of constant pacing: intended starts, one period apart.
///
/// Locust waits what the task left of the period since the last wait ended, so that its schedule slips when
/// a task takes longer. Here the schedule stays where it is and a late user catches up, so that what a
/// stalling target delays is seen. As long as no user is late, both are the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    period: Duration,
    next: Instant,
    /// When the task under way began, if it did not begin by this schedule.
    entered: Option<Instant>,
}

impl Pace {
    /// A schedule that begins when its user or task set is made: the first wait ends a period later.
    pub(super) fn new(period: Duration, born: Instant) -> Self {
        Self {
            period,
            next: later(born, period),
            entered: None,
        }
    }

    /// Time before this point was not scheduled, and the next task does not begin by the schedule either, so it
    /// must not count as lateness.
    pub(super) fn enter(&mut self, now: Instant) {
        self.entered = Some(now);
    }

    /// Begins anew with a task that starts now.
    pub(super) fn restart(&mut self, now: Instant) {
        self.next = later(now, self.period);
        self.entered = None;
    }

    /// The intended start of the next task, for a user whose task has ended now.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        let intended = match self.entered.take() {
            // In time as long as the first task did not itself take more than a period.
            Some(entered) => self.next.max(now.min(later(entered, self.period))),
            None => self.next,
        };
        self.next = later(intended, self.period);
        intended
    }
}

/// Beyond the clock nothing is ever due, so it does not matter when.
fn later(instant: Instant, period: Duration) -> Instant {
    instant.checked_add(period).unwrap_or(instant)
}

/// How much later than intended something begins now, for a user who had time to sleep until then or not.
pub(crate) fn lateness(intended: Instant, slept: bool) -> Duration {
    let late = Instant::now().saturating_duration_since(intended);
    if slept && late <= TIMER_RESOLUTION {
        Duration::ZERO
    } else {
        late
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Locust's `constant_pacing`, in microseconds.
    struct Locust {
        period: i64,
        last_run: i64,
        last_wait: i64,
    }

    impl Locust {
        fn wait(&mut self, now: i64) -> i64 {
            let run_time = now - self.last_run - self.last_wait;
            self.last_wait = (self.period - run_time).max(0);
            self.last_run = now;
            self.last_wait
        }
    }

    fn micros(micros: i64) -> Duration {
        Duration::from_micros(u64::try_from(micros).unwrap())
    }

    proptest! {
        #[test]
        fn without_overruns_the_waits_are_locusts(
            period in 1..1_000_000i64, on_start in 0..3_000_000i64,
            parts in prop::collection::vec(0.0..=1.0f64, 1..40)
        ) {
            let born = Instant::now();
            let mut pace = Pace::new(micros(period), born);
            let mut locust = Locust { period, last_run: 0, last_wait: 0 };
            let mut now = on_start;
            pace.enter(born + micros(now));
            for part in parts {
                now += (part * period as f64) as i64;
                let intended = pace.take(born + micros(now));
                prop_assert!(intended >= born + micros(now), "no user is late");
                let wait = intended.saturating_duration_since(born + micros(now));
                prop_assert_eq!(wait, micros(locust.wait(now)));
                now += i64::try_from(wait.as_micros()).unwrap();
            }
        }

        #[test]
        fn starts_stay_on_the_schedule_whatever_tasks_take(
            period in 1..1_000u64, tasks in prop::collection::vec(0..5_000u64, 1..40)
        ) {
            let born = Instant::now();
            let at = |millis| born + Duration::from_millis(millis);
            let mut pace = Pace::new(Duration::from_millis(period), born);
            let mut now = 0;
            for (number, task) in (1..).zip(tasks) {
                now += task;
                let intended = pace.take(at(now));
                prop_assert_eq!(intended, at(number * period));
                // A user waits for its schedule, or runs behind it.
                now = now.max(number * period);
            }
        }
    }

    #[test]
    fn what_is_no_task_of_the_schedule_makes_nobody_late() {
        let born = Instant::now();
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second, born);
        let at = |seconds| born + seconds * second;
        // on_start took longer than a period, the first task half of one.
        pace.enter(at(3));
        assert_eq!(pace.take(at(3) + second / 2), at(3) + second / 2);
        assert_eq!(pace.take(at(4)), at(4) + second / 2);
        // A first task that stalls is as late as any other.
        pace.enter(at(6));
        assert_eq!(pace.take(at(9)), at(7));
        assert_eq!(pace.take(at(9)), at(8));
        pace.restart(at(9));
        assert_eq!(pace.take(at(9)), at(10));
        let mut never = Pace::new(Duration::MAX, born);
        never.take(born);
    }
}
