//! What became of the iterations that an arrival rate asked for.

use greylag_infra::protocol::UserChange;
use serde::{Deserialize, Serialize};

/// Iterations that an arrival rate asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Arrivals {
    /// Those that began, late ones included.
    pub started: u64,
    /// Of these, those that began late.
    pub late: u64,
    /// Those that never began, because every user was busy.
    pub skipped: u64,
}

impl Arrivals {
    /// Adds others.
    pub(crate) fn merge(&mut self, other: Arrivals) {
        self.started = self.started.saturating_add(other.started);
        self.late = self.late.saturating_add(other.late);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }

    /// Whether an arrival rate has asked for nothing yet.
    pub fn is_empty(&self) -> bool {
        *self == Arrivals::default()
    }
}

impl From<&UserChange> for Arrivals {
    fn from(change: &UserChange) -> Self {
        Self {
            started: change.arrivals,
            late: change.late_arrivals,
            skipped: change.skipped_arrivals,
        }
    }
}
