//! What is said of this program before it is uploaded.

use std::time::Duration;

use greylag_infra::{BuildInfo, BuildManifest, DataFile, FileHash, ShippedScenario};
use greylag_scenarios::Scenario;

use super::commit::source_commit;
use crate::agent::machine_name;
use crate::scenario::scenario_info;
use crate::worker_protocol::WORKER_PROTOCOL;

/// The manifest of this program.
pub(super) async fn manifest(
    own: &BuildInfo,
    sha256: FileHash,
    size: u64,
    scenarios: &[Scenario],
    data: Vec<DataFile>,
) -> BuildManifest {
    BuildManifest {
        sha256,
        size,
        version: own.version.clone(),
        platform: own.platform.clone(),
        worker_protocol: WORKER_PROTOCOL,
        uploaded_by: uploader(),
        commit: source_commit().await,
        scenarios: scenarios.iter().map(shipped_scenario).collect(),
        data,
    }
}

fn shipped_scenario(scenario: &Scenario) -> ShippedScenario {
    // Worker 0 has all of the events that others have, and more.
    const WITH_ALL_EVENTS: u32 = 0;
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    ShippedScenario {
        info: scenario_info(scenario),
        longest_start_s: seconds(scenario.longest_start(WITH_ALL_EVENTS)),
        longest_stop_s: seconds(scenario.events().longest_stop(WITH_ALL_EVENTS)),
    }
}

/// Who uploads it, such as `ada@laptop`.
fn uploader() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| {
        let user = std::env::var(name).ok()?;
        (!user.is_empty()).then_some(user)
    });
    match user {
        Some(user) => format!("{user}@{}", machine_name()),
        None => machine_name(),
    }
}
