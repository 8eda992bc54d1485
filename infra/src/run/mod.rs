//! A run: its record, its state machine, and what may be missing from its results and from its load.

mod completeness;
mod coverage;
mod lifecycle;
mod record;
mod waiting;

pub use completeness::{Completeness, Gap, GapCause, LATE_RESULTS, MAX_GAPS};
pub use coverage::{Coverage, Loss, MissingUsers};
pub use lifecycle::{
    CHANGE_DELAY, ChangeRefused, END_GRACE, PREPARE_TIMEOUT, RunEffect, RunEvent, RunLifecycle,
    START_DELAY, StopRefused, UnfinishedRun, save_once,
};
pub use record::{RunAgent, RunPhase, RunRecord, RunStatus, worker_count};
pub use waiting::{AGENTS_SETTLE, AgentsThere, Turn, WaitReason, Waiting, turn_of};
