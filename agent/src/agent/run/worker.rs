//! What a part of a run knows of a worker, and what it does to it.

use std::time::Instant;

use greylag_infra::WorkerFailure;

use crate::agent::worker_process::WorkerProcess;
use crate::worker_protocol::ToWorker;

/// What a part of a run does to its workers.
pub(crate) trait WorkerHandle {
    /// Process id.
    fn pid(&self) -> u32;
    /// Sends a message to the worker.
    fn send(&self, message: ToWorker);
    /// Kills the worker.
    fn kill(&self);
}

impl WorkerHandle for WorkerProcess {
    fn pid(&self) -> u32 {
        self.pid()
    }
    fn send(&self, message: ToWorker) {
        self.send(message);
    }
    fn kill(&self) {
        self.kill();
    }
}

#[derive(Debug)]
pub(super) struct Worker<W> {
    pub(super) handle: Option<W>,
    pub(super) pid: u32,
    pub(super) ready: bool,
    pub(super) ended: bool,
    /// Why it ends early, once that is known and the part goes on without it.
    pub(super) failing: Option<WorkerFailure>,
    /// When it is killed if it has not ended by then.
    pub(super) kill_at: Option<Instant>,
    /// Whether the part goes on without it.
    pub(super) lost: bool,
    pub(super) started: u64,
    pub(super) stopped: u64,
    /// Everything of the seconds of run time before this one has been reported.
    pub(super) reported_until: u32,
}

impl<W: WorkerHandle> Worker<W> {
    pub(super) fn send(&self, message: impl Fn() -> ToWorker) {
        if let Some(handle) = &self.handle {
            handle.send(message());
        }
    }
}
