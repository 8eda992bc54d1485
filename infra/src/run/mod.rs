//! A run: its record, its state machine, and what may be missing from its results.

mod completeness;
mod lifecycle;
mod record;

pub use completeness::{Completeness, Gap, GapCause, LATE_RESULTS_US, MAX_GAPS};
pub use lifecycle::{
    CHANGE_DELAY_US, ChangeRefused, END_GRACE_US, PREPARE_TIMEOUT_US, RunEffect, RunEvent,
    RunLifecycle, START_DELAY_US, StopRefused, UnfinishedRun,
};
pub use record::{RunAgent, RunPhase, RunRecord, RunStatus};
