//! The check at the end of a run: what is saved must be what the agents counted.

use greylag_infra::{Counted, RunRecord};

use super::Coordinator;
use crate::measure::interval::Measures;
use crate::store::{Scope, StoreError};

/// What the agents counted and what is saved, if that is not the same. None as well when it cannot be said: an agent
/// that was given up has not said what it counted, which is a gap of its own.
///
/// # Errors
/// The results cannot be read: nothing is known, and it has to be asked again.
pub(super) async fn disagreement(
    coordinator: &Coordinator,
    record: &RunRecord,
) -> Result<Option<(Counted, Counted)>, StoreError> {
    let ends: Option<Vec<_>> = record
        .agents
        .iter()
        .map(|agent| agent.end.as_ref())
        .collect();
    let Some(ends) = ends else {
        return Ok(None);
    };
    let saved = coordinator
        .store()
        .totals_with(&record.id, &Scope::default(), Measures::NONE)
        .await?
        .aggregated();
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
    let counted = Counted {
        requests: sum(&mut ends.iter().map(|end| end.requests)),
        failures: sum(&mut ends.iter().map(|end| end.failures)),
    };
    let saved = Counted {
        requests: saved.requests(),
        failures: saved.sums().failures,
    };
    Ok((counted != saved).then_some((counted, saved)))
}
