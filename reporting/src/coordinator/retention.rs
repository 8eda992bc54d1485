//! Runs that are not kept for ever: which ones are deleted, and when it is looked for them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Coordinator;
use crate::store::{KeepLimit, StoreError};
use greylag_infra::WallTime;

/// How often it is looked for runs that need not be kept any more.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Most days that can be asked for: a hundred years.
const MAX_DAYS: u32 = 36_500;
const DAY: Duration = Duration::from_secs(86_400);

/// Which runs that are over are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those that ended in so many days, until now.
    Days(u32),
    /// The newest, so many.
    Runs(u32),
    /// The newest of each test, so many.
    RunsOfEachTest(u32),
}

/// The text does not say which runs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use a number of days, such as 90d, or a number of runs, such as 500")]
pub struct KeepError;

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        match text.strip_suffix('d') {
            Some(days) => number(days)
                .filter(|days| *days <= MAX_DAYS)
                .map(Self::Days),
            None => number(text).map(Self::Runs),
        }
        .ok_or(KeepError)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(formatter, "{days}d"),
            Self::Runs(runs) => write!(formatter, "{runs}"),
            Self::RunsOfEachTest(runs) => write!(formatter, "{runs} of each test"),
        }
    }
}

impl Coordinator {
    /// Deletes runs that are over and not to be kept, once an hour as long as this coordinator runs, beside what it was asked
    /// to keep before. By number also
    /// now; by age not yet, because a machine that has just booted may have its clock set right only later.
    pub fn keep_only(&self, keep: Keep) {
        let shared = Arc::downgrade(&self.shared);
        let first = match keep {
            Keep::Days(_) => Instant::now() + LOOK_EVERY,
            Keep::Runs(_) | Keep::RunsOfEachTest(_) => Instant::now(),
        };
        tokio::spawn(async move {
            tokio::time::sleep_until(first).await;
            while let Some(shared) = shared.upgrade() {
                let coordinator = Self { shared };
                match coordinator.delete_outdated(keep).await {
                    Ok(()) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => tracing::warn!(%error, "cannot delete old runs now"),
                }
                drop(coordinator);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }

    async fn delete_outdated(&self, keep: Keep) -> Result<(), StoreError> {
        let limit = match keep {
            Keep::Days(days) => {
                // Our clock continues from how the wall clock was set at the start, which may have been wrong.
                let now = self.now().min(WallTime::of_system());
                KeepLimit::EndedSince(now - DAY * days)
            }
            Keep::Runs(runs) => KeepLimit::Newest(runs),
            Keep::RunsOfEachTest(runs) => KeepLimit::NewestOfEachTest(runs),
        };
        loop {
            let runs = self.store().runs_beyond(limit, self.now()).await?;
            if runs.is_empty() {
                return Ok(());
            }
            for id in runs {
                match self.delete_run(&id).await {
                    Ok(()) => {
                        tracing::info!(run = %id, %keep, "deleted an expired run")
                    }
                    // Another request was faster.
                    Err(error) if error.is_unknown_run() => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::{Completeness, LoadProfile, LoadTest, RunId, RunPhase, RunRecord};

    use super::*;
    use crate::coordinator::{CoordinatorConfig, Provisioning};
    use crate::store::{AnnotationChange, RunFilter};

    /// A coordinator with runs that are over: three of one test, two of another, in turn.
    async fn with_runs(dir: &std::path::Path) -> Coordinator {
        let config = CoordinatorConfig {
            data_dir: dir.to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        };
        let coordinator = Coordinator::start(config).await.unwrap();
        for (second, id) in ["a1", "b1", "a2", "b2", "a3"].into_iter().enumerate() {
            let at = WallTime::from_micros(1_000_000 * (second as u64 + 1));
            let run = RunRecord {
                id: id.into(),
                number: 0,
                test: LoadTest {
                    name: id[..1].to_owned(),
                    ..LoadTest::default()
                },
                phase: RunPhase::Finished,
                created_at: at,
                started_at: Some(at),
                ended_at: Some(at),
                agents: Vec::new(),
                profile: LoadProfile::default(),
                completeness: Completeness::default(),
            };
            coordinator.store().create_run(run).await.unwrap();
        }
        coordinator
    }

    async fn left(coordinator: &Coordinator) -> Vec<RunId> {
        let runs = coordinator.store().runs(RunFilter::default()).await;
        runs.unwrap().into_iter().map(|run| run.id).collect()
    }

    #[tokio::test]
    async fn just_so_many_are_kept_as_were_asked_for() {
        for (keep, expected) in [
            (Keep::Runs(6), &["a3", "b2", "a2", "b1", "a1"] as &[_]),
            (Keep::Runs(5), &["a3", "b2", "a2", "b1", "a1"]),
            (Keep::Runs(4), &["a3", "b2", "a2", "b1"]),
            (Keep::Runs(1), &["a3"]),
            (Keep::RunsOfEachTest(3), &["a3", "b2", "a2", "b1", "a1"]),
            (Keep::RunsOfEachTest(2), &["a3", "b2", "a2", "b1"]),
            (Keep::RunsOfEachTest(1), &["a3", "b2"]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let coordinator = with_runs(dir.path()).await;
            coordinator.delete_outdated(keep).await.unwrap();
            assert_eq!(left(&coordinator).await, expected, "{keep:?}");
        }
    }

    #[tokio::test]
    async fn pinned_runs_are_kept_whatever_their_age_or_number() {
        for (keep, expected) in [
            (Keep::Runs(1), &["a3", "b1"] as &[_]),
            (Keep::RunsOfEachTest(1), &["a3", "b2", "b1"]),
            // All ended in 1970.
            (Keep::Days(1), &["b1"]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let coordinator = with_runs(dir.path()).await;
            let pin = AnnotationChange {
                pinned: Some(true),
                ..AnnotationChange::default()
            };
            coordinator.annotate(&"b1".into(), pin).await.unwrap();
            coordinator.delete_outdated(keep).await.unwrap();
            assert_eq!(left(&coordinator).await, expected, "{keep:?}");
        }
    }

    #[test]
    fn days_and_runs_are_distinguished() {
        for (text, keep) in [("90d", Keep::Days(90)), ("500", Keep::Runs(500))] {
            assert_eq!(text.parse(), Ok(keep));
            assert_eq!(keep.to_string(), text);
        }
        for text in ["", "d", "0", "0d", "-1", "1.5d", "90 d", "3w", "36501d"] {
            assert_eq!(text.parse::<Keep>(), Err(KeepError), "{text}");
        }
    }
}
