//! Locust's vocabulary over several workers, as a target and the results see it.

mod changing_users;
mod declared_things;
mod distribution;
mod pacing;
mod profiles;

use std::collections::BTreeSet;
use std::time::Duration;

use greylag_tests::{AccessLog, Api, Cluster, Nginx};
use serde_json::Value;

use crate::support::{RUN_TIMEOUT, greylag, test};

/// Two agents, so that whatever is distributed is distributed over processes and machines.
pub(crate) async fn cluster() -> Cluster {
    Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await
}

/// Runs a test to its end, which must be as planned; gives its id.
pub(crate) async fn finish(api: &Api, nginx: &Nginx, changes: Value) -> String {
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    id
}

/// The part of the paths behind a prefix.
pub(crate) fn behind(log: &AccessLog, prefix: &str) -> Vec<String> {
    log.requests
        .iter()
        .filter_map(|request| request.path.strip_prefix(prefix))
        .map(str::to_owned)
        .collect()
}

/// The same without repetition.
pub(crate) fn distinct(log: &AccessLog, prefix: &str) -> BTreeSet<String> {
    behind(log, prefix).into_iter().collect()
}

/// Users that have started are counted at most this long after.
pub(crate) const COUNTED: Duration = Duration::from_secs(60);
