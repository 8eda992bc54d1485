//! Pushes the counts of active runs to a collector of OpenTelemetry. One task beside everything else. Each push has everything from the
//! beginning of its runs, so one that fails is not kept: the next has what it had.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::RunId;
use tokio::time::Instant;

use super::Coordinator;
use crate::results::metrics::{Otlp, otlp_of};
use crate::store::StoreError;

/// Time between two pushes.
pub const PUSH_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked at most whether a run has ended since.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What became of a push: nothing, or why the collector does not have it.
pub type PushAnswer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Where the counts of active runs are pushed to.
#[derive(Clone)]
pub struct Collector {
    /// Sends an encoded `ExportMetricsServiceRequest`. It ends in time by itself.
    pub send: Arc<dyn Fn(Vec<u8>) -> PushAnswer + Send + Sync>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its headers may hold a secret.
        formatter.write_str("Collector(…)")
    }
}

impl Coordinator {
    /// Pushes the counts of active runs to a collector every ten seconds, and when a run has ended.
    pub fn push_to(&self, collector: Collector) {
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            let mut pushes = Pushes::default();
            while let Some(shared) = shared.upgrade() {
                let coordinator = Self { shared };
                match pushes.push_if_due(&coordinator, &collector).await {
                    Ok(()) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => tracing::warn!(%error, "cannot read what is pushed by OTLP now"),
                }
                drop(coordinator);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }
}

/// What has been pushed.
#[derive(Debug, Default)]
struct Pushes {
    last: Option<Instant>,
    /// The runs that were not over then.
    unfinished: BTreeSet<RunId>,
    /// Whether the collector took the last one.
    is_away: bool,
}

impl Pushes {
    async fn push_if_due(
        &mut self,
        coordinator: &Coordinator,
        collector: &Collector,
    ) -> Result<(), StoreError> {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= PUSH_EVERY);
        if !is_due && !self.has_one_ended(coordinator).await? {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let Some(Otlp {
            message,
            unfinished,
        }) = otlp_of(coordinator).await?
        else {
            return Ok(());
        };
        self.unfinished = unfinished;
        self.note((collector.send)(message).await);
        Ok(())
    }

    /// Whether a run is over that was not at the last push.
    async fn has_one_ended(&self, coordinator: &Coordinator) -> Result<bool, StoreError> {
        if self.unfinished.is_empty() {
            return Ok(false);
        }
        let unfinished = coordinator.store().unfinished_runs().await?;
        let is_unfinished = |id: &RunId| unfinished.iter().any(|run| run.id == *id);
        Ok(!self.unfinished.iter().all(is_unfinished))
    }

    /// Logs when the collector begins to refuse pushes, and when it takes them again.
    fn note(&mut self, answer: Result<(), String>) {
        match (answer, self.is_away) {
            (Err(reason), false) => {
                self.is_away = true;
                tracing::warn!(
                    "the OTLP collector has not taken the metrics, trying again every {} s: {reason}",
                    PUSH_EVERY.as_secs()
                );
            }
            (Ok(()), true) => {
                self.is_away = false;
                tracing::info!("the OTLP collector takes the metrics again");
            }
            _ => {}
        }
    }
}
