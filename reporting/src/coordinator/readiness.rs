//! Whether the coordinator runs and can take work, for what supervises it: `/healthz` and `/readyz`.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::Coordinator;

/// How long the store counts as able to save after it was tried, so that frequent probes do not make it write.
const TRIED_FOR: Duration = Duration::from_secs(5);
/// How long a probe waits for the store. Whoever probes has a timeout, too, and learns more from an answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a coordinator cannot take work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("the coordinator is shutting down")]
    ShuttingDown,
    /// Whoever probes may be a stranger, so that paths are left to the log and to the pages.
    #[error("results cannot be saved; the coordinator's log says why")]
    CannotSave,
    #[error("the store has not answered for {} s", STORE_TIMEOUT.as_secs())]
    StoreBusy,
}

/// When the store was tried for a probe, and the try that is under way: there is one, however many probes wait for it.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Tried>);

#[derive(Debug, Default)]
struct Tried {
    last: Option<Instant>,
    under_way: Option<JoinHandle<()>>,
}

impl Coordinator {
    /// Whether the task that owns registry and runs is there.
    pub(crate) fn is_alive(&self) -> bool {
        !self.shared.commands.is_closed()
    }

    /// Whether runs can be started and results be saved. Where no probe has tried lately, something is saved.
    ///
    /// # Errors
    /// They cannot.
    pub(crate) async fn check_ready(&self) -> Result<(), NotReady> {
        if !self.is_alive() {
            return Err(NotReady::ShuttingDown);
        }
        // While it is known that the store cannot save, the owner finds out when it can again.
        if self.saving_fails().is_none() {
            let tried = timeout(STORE_TIMEOUT, self.try_store()).await;
            tried.map_err(|_| NotReady::StoreBusy)?;
        }
        match self.saving_fails() {
            None => Ok(()),
            Some(_) => Err(NotReady::CannotSave),
        }
    }

    async fn try_store(&self) {
        let mut tried = self.shared.readiness.0.lock().await;
        let is_known = tried.last.is_some_and(|last| last.elapsed() < TRIED_FOR);
        if is_known && tried.under_way.is_none() {
            return;
        }
        let coordinator = self.clone();
        // A probe that gives up leaves the try to the next one.
        let under_way = tried.under_way.get_or_insert_with(|| {
            tokio::spawn(async move {
                let saved = coordinator.store().try_to_save().await;
                coordinator.shared.saving.note(&saved, coordinator.now());
                if let Err(error) = saved {
                    tracing::error!(%error, "the store cannot save");
                    coordinator.changed();
                }
            })
        });
        // A try that was cut off with the runtime says nothing.
        let _ = under_way.await;
        tried.under_way = None;
        tried.last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::{CoordinatorConfig, Provisioning};
    use crate::store::StoreError;

    async fn coordinator(dir: &tempfile::TempDir) -> Coordinator {
        let config = CoordinatorConfig {
            data_dir: dir.path().to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        };
        Coordinator::start(config).await.unwrap()
    }

    /// What is found when the store answers in time, which a busy machine may keep it from.
    async fn checked(coordinator: &Coordinator) -> Result<(), NotReady> {
        for _ in 0..20 {
            match coordinator.check_ready().await {
                Err(NotReady::StoreBusy) => {}
                checked => return checked,
            }
        }
        Err(NotReady::StoreBusy)
    }

    #[tokio::test]
    async fn a_store_that_cannot_save_is_the_reason_and_strangers_do_not_learn_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let coordinator = coordinator(&dir).await;
        assert_eq!(checked(&coordinator).await, Ok(()));
        let path = dir.path().to_owned();
        let place = path.display().to_string();
        let full: Result<(), _> = Err(StoreError::DiskFull { path });
        let now = coordinator.now();
        coordinator.shared.saving.note(&full, now);
        let reason = coordinator.check_ready().await.unwrap_err();
        assert_eq!(reason, NotReady::CannotSave);
        assert!(!reason.to_string().contains(&place), "{reason}");
    }

    /// The store is closed behind the coordinator's back, which is seen only by trying.
    #[tokio::test]
    async fn the_store_is_tried_when_nothing_else_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let coordinator = coordinator(&dir).await;
        coordinator.store().close().await;
        assert_eq!(checked(&coordinator).await, Err(NotReady::CannotSave));
    }
}
