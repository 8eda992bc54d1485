//! What Prometheus scrapes, and what is pushed by OTLP: how the coordinator is, and the counts of active runs, as sums of intervals.

mod active_runs;
mod custom_families;
mod families;
mod otlp;
mod otlp_custom;
mod text;

use std::collections::BTreeMap;

use greylag_infra::OwnProcess;

use self::active_runs::ActiveRun;
use self::families::Families;
pub(crate) use self::otlp::otlp_of;
pub(crate) use self::text::{MetricsText, TextFormat};
use crate::coordinator::Coordinator;
use crate::plain_text::plain_text;
use crate::store::StoreError;

/// How the coordinator is, and its active runs.
#[derive(Debug)]
struct Metrics {
    /// Runs that have not ended, by phase in small letters.
    runs: BTreeMap<String, u64>,
    /// Agents by infrastructure and state in small letters.
    agents: BTreeMap<(String, String), u64>,
    /// Age of the oldest results that wait to be saved, in seconds.
    unsaved_s: f64,
    /// Bytes of messages that have been received and are not saved.
    received_bytes: u64,
    can_save: bool,
    process: OwnProcess,
    /// When this process started, in seconds since 1970.
    started_at_s: f64,
    active: Vec<ActiveRun>,
}

/// The metrics of a coordinator.
///
/// # Errors
/// The database failed.
pub(crate) async fn metrics_of(coordinator: &Coordinator) -> Result<MetricsText, StoreError> {
    let now = coordinator.now();
    let unfinished = coordinator.store().unfinished_runs().await?;
    let mut runs: BTreeMap<String, u64> = ["queued", "provisioning", "preparing", "running"]
        .map(|phase| (phase.to_owned(), 0))
        .into();
    for run in &unfinished {
        *runs.entry(run.phase.word().to_lowercase()).or_default() += 1;
    }
    let mut agents = BTreeMap::new();
    for infrastructure in &*coordinator.infrastructures() {
        for agent in &infrastructure.agents {
            let state = agent.status.word().to_lowercase();
            *agents
                .entry((plain_text(&infrastructure.name), state))
                .or_default() += 1;
        }
    }
    let unsaved = coordinator.saving_since().map(|since| now - since);
    let metrics = Metrics {
        runs,
        agents,
        unsaved_s: unsaved.unwrap_or_default().as_secs_f64(),
        received_bytes: coordinator.received_bytes() as u64,
        can_save: coordinator.saving_fails().is_none(),
        process: OwnProcess::measure(),
        started_at_s: coordinator.started_at().as_micros() as f64 / 1e6,
        active: active_runs::read(coordinator, unfinished).await?,
    };
    Ok(Families(metrics).into_text())
}
