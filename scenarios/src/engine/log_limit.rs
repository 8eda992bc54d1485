//! Keeps a task that fails each time from flooding the log; the recorder still gets every error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// Errors of tasks logged per second and process; the rest is counted and said.
const ERRORS_PER_SECOND: u64 = 20;
/// What is meant by a second.
const SECOND: Duration = Duration::from_secs(1);

/// Counts log lines of the current second.
pub(crate) struct LogLimit(Arc<Counter>);

impl LogLimit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Counter(Mutex::new(Second::new(Instant::now())))))
    }

    /// Logs the error of a task, unless the second has had its lines.
    pub(crate) fn error(&self, task: &str, text: &str) {
        let counted = self.0.count(Instant::now());
        tell(counted.left_out_before);
        match counted.line {
            Line::Logged => tracing::error!(task, "{text}"),
            Line::FirstLeftOut => self.tell_when_over(),
            Line::LeftOut => {}
        }
    }

    /// Says how many lines a second left out when it is over, also if no further error comes.
    fn tell_when_over(&self) {
        // Without a runtime the next error tells it, or the end of the run.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let counter = Arc::downgrade(&self.0);
        runtime.spawn(async move {
            tokio::time::sleep(SECOND).await;
            if let Some(counter) = counter.upgrade() {
                tell(counter.take_left_out());
            }
        });
    }
}

fn tell(left_out: u64) {
    if left_out > 0 {
        tracing::error!("{left_out} more errors of tasks were not logged");
    }
}

struct Counter(Mutex<Second>);

struct Second {
    began: Instant,
    lines: u64,
    left_out: u64,
}

impl Second {
    fn new(began: Instant) -> Self {
        Self {
            began,
            lines: 0,
            left_out: 0,
        }
    }
}

struct Counted {
    line: Line,
    /// How many lines ended seconds left out and not logged yet.
    left_out_before: u64,
}

#[derive(Debug, PartialEq)]
enum Line {
    Logged,
    /// The first that its second leaves out.
    FirstLeftOut,
    LeftOut,
}

impl Counter {
    fn count(&self, now: Instant) -> Counted {
        let mut second = self.lock();
        let mut left_out_before = 0;
        if now.duration_since(second.began) >= SECOND {
            left_out_before = second.left_out;
            *second = Second::new(now);
        }
        second.lines += 1;
        let line = if second.lines <= ERRORS_PER_SECOND {
            Line::Logged
        } else {
            second.left_out += 1;
            match second.left_out {
                1 => Line::FirstLeftOut,
                _ => Line::LeftOut,
            }
        };
        Counted {
            line,
            left_out_before,
        }
    }

    fn take_left_out(&self) -> u64 {
        std::mem::take(&mut self.lock().left_out)
    }

    /// A panic while it is held leaves numbers that are still good.
    fn lock(&self) -> MutexGuard<'_, Second> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        tell(self.take_left_out());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;
    use crate::run::UserInfo;
    use crate::scenario::Scenario;

    #[test]
    fn a_second_has_its_lines_and_the_next_says_how_many_were_left_out() {
        let limit = LogLimit::new();
        let start = Instant::now();
        let lines: Vec<Line> = (0..100).map(|_| limit.0.count(start).line).collect();
        let logged = lines.iter().filter(|line| **line == Line::Logged).count();
        assert_eq!(logged as u64, ERRORS_PER_SECOND);
        let first = lines.iter().position(|line| *line == Line::FirstLeftOut);
        assert_eq!(first, Some(logged), "and it is the only one of its kind");
        let left_out = lines.iter().filter(|line| **line == Line::LeftOut).count();
        assert_eq!(left_out as u64, 100 - ERRORS_PER_SECOND - 1);
        let later = start + Duration::from_millis(1_100);
        let counted = limit.0.count(later);
        assert_eq!(counted.left_out_before, 100 - ERRORS_PER_SECOND);
        assert_eq!(counted.line, Line::Logged);
        assert_eq!(limit.0.count(later).left_out_before, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_left_out_is_logged_without_another_error() {
        let limit = LogLimit::new();
        for _ in 0..ERRORS_PER_SECOND + 5 {
            limit.error("task", "text");
        }
        assert_eq!(limit.0.lock().left_out, 5);
        tokio::time::sleep(SECOND + Duration::from_millis(10)).await;
        assert_eq!(limit.0.lock().left_out, 0, "it has been logged");
    }

    #[tokio::test]
    async fn a_listener_that_panics_with_every_error_is_limited_too() {
        let limit = LogLimit::new();
        let user = UserInfo {
            index: 0,
            user_type: "User".into(),
        };
        // Without the panic hook, which would take its time.
        let scenario = Scenario::new("x").on_user_error(|_| resume_unwind(Box::new("listener")));
        for _ in 0..ERRORS_PER_SECOND + 5 {
            let events = scenario.events();
            events.heard_user_error(&limit, "task", "text", &user);
        }
        assert_eq!(limit.0.lock().left_out, 5);
    }
}
