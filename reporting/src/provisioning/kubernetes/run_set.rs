//! Runs of which something has to be remembered for a while.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use greylag_infra::RunId;

/// A set of runs that several futures share. Each run leaves it at the latest when it is given back.
#[derive(Debug, Default)]
pub(super) struct RunSet(Mutex<BTreeSet<RunId>>);

impl RunSet {
    /// Whether it is new.
    pub(super) fn insert(&self, run: &RunId) -> bool {
        self.lock().insert(run.clone())
    }

    pub(super) fn remove(&self, run: &RunId) {
        self.lock().remove(run);
    }

    pub(super) fn contains(&self, run: &RunId) -> bool {
        self.lock().contains(run)
    }

    /// Has it in the set until the guard is dropped.
    pub(super) fn during<'a>(&'a self, run: &'a RunId) -> During<'a> {
        self.insert(run);
        During { set: self, run }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        // Each holder changes it in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a run out of the set when it is dropped.
pub(super) struct During<'a> {
    set: &'a RunSet,
    run: &'a RunId,
}

impl Drop for During<'_> {
    fn drop(&mut self) {
        self.set.remove(self.run);
    }
}
