//! Runs that took late results when the coordinator ended keep taking them: for the whole time anew, because it is
//! not known how long the coordinator was away if the clock was set meanwhile.

use super::Coordinator;
use crate::store::StoreError;

/// Gives agents that were given up the whole time again to hand over what they hold.
///
/// # Errors
/// The store cannot be read or written.
pub(super) async fn renew(coordinator: &Coordinator) -> Result<(), StoreError> {
    let store = coordinator.store();
    for mut record in store.runs_taking_late_results().await? {
        if record.agents.iter().all(|agent| agent.end.is_some()) {
            continue;
        }
        record.completeness.wait_for_late_results(coordinator.now());
        store.update_run(&record).await?;
    }
    Ok(())
}
