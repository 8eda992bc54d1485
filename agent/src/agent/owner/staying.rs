//! Whether an agent stays when it has no run: for ever, until its first run is over, or for some time.

use std::time::Instant;

use crate::agent::config::Stay;
use crate::agent::error::AgentError;

/// What an agent remembers of its runs to know when it ends.
#[derive(Debug)]
pub(super) struct Staying {
    terms: Stay,
    idle_since: Instant,
    took_part: bool,
    /// Why the first of its runs that failed did so.
    problem: Option<String>,
}

impl Staying {
    pub(super) fn new(terms: Stay, now: Instant) -> Self {
        Self {
            terms,
            idle_since: now,
            took_part: false,
            problem: None,
        }
    }

    /// A run is forgotten here: the coordinator has everything, or wants no more of it.
    pub(super) fn run_is_over(&mut self, problem: Option<String>) {
        self.took_part = true;
        if self.problem.is_none() {
            self.problem = problem;
        }
    }

    /// How the agent ends by itself, if it does so now.
    pub(super) fn end(&mut self, has_runs: bool, now: Instant) -> Option<Result<(), AgentError>> {
        if has_runs {
            self.idle_since = now;
            return None;
        }
        if self.terms.once && self.took_part {
            return Some(match self.problem.take() {
                Some(problem) => Err(AgentError::RunFailed(problem)),
                None => Ok(()),
            });
        }
        let idle = now.saturating_duration_since(self.idle_since);
        let is_over = self.terms.idle_timeout.is_some_and(|most| idle >= most);
        is_over.then(|| {
            tracing::info!(idle_s = idle.as_secs(), "no run came; the agent ends");
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_agent_stays_unless_it_is_asked_to_end() {
        let start = Instant::now();
        let mut staying = Staying::new(Stay::default(), start);
        staying.run_is_over(Some("stopped early".to_owned()));
        assert!(staying.end(false, start + 1_000_000 * SECOND).is_none());
    }

    #[test]
    fn one_run_is_enough_and_its_failure_is_the_agents() {
        let terms = Stay {
            once: true,
            idle_timeout: None,
        };
        let now = Instant::now();
        let mut staying = Staying::new(terms, now);
        assert!(staying.end(false, now).is_none(), "no run yet");
        assert!(staying.end(true, now).is_none());
        staying.run_is_over(None);
        assert!(staying.end(true, now).is_none(), "another run is held");
        assert!(matches!(staying.end(false, now), Some(Ok(()))));

        staying.run_is_over(Some("worker 1 exited".to_owned()));
        staying.run_is_over(None);
        let ended = staying.end(false, now).unwrap().unwrap_err();
        assert_eq!(ended.to_string(), "the agent's run failed: worker 1 exited");
    }

    #[test]
    fn idle_time_begins_anew_with_every_run() {
        let terms = Stay {
            once: false,
            idle_timeout: Some(5 * SECOND),
        };
        let start = Instant::now();
        let mut staying = Staying::new(terms, start);
        assert!(staying.end(false, start + 4 * SECOND).is_none());
        assert!(staying.end(true, start + 8 * SECOND).is_none());
        staying.run_is_over(Some("stopped early".to_owned()));
        assert!(staying.end(false, start + 12 * SECOND).is_none());
        assert!(matches!(
            staying.end(false, start + 13 * SECOND),
            Some(Ok(()))
        ));
    }
}
