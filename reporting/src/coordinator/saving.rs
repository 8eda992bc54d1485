//! Whether results are being saved: what the pages say while the store is slow or cannot save.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greylag_infra::{AgentId, WallTime};
use rusqlite::ErrorCode;

use crate::store::{SaveOutcome, StoreError};

/// The store has not been able to save anything since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavingFails {
    /// When it failed first, on the coordinator's clock.
    pub since: WallTime,
    /// Why, in words that fit after a colon.
    pub cause: String,
}

/// What is being saved, and whether it can be.
#[derive(Debug, Default)]
pub(super) struct Saving(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By number, in the order in which they began.
    under_way: BTreeMap<u64, UnderWay>,
    next_number: u64,
    fails: Option<SavingFails>,
    /// When it failed last.
    last_failed: WallTime,
}

/// Time after a failure in which nothing is saved, from which on it is tried whether the store can save again.
const UNTRIED: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct UnderWay {
    agent_id: AgentId,
    since: WallTime,
}

impl Saving {
    /// A snapshot that this agent sent begins to be saved, until what is returned is dropped.
    #[must_use]
    pub(super) fn begin(&self, agent_id: &AgentId, now: WallTime) -> SavingNow<'_> {
        let under_way = UnderWay {
            agent_id: agent_id.to_owned(),
            since: now,
        };
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        state.under_way.insert(number, under_way);
        SavingNow {
            saving: self,
            number,
        }
    }

    /// Something was saved, or could not be. What is refused because it is wrong says nothing about the store.
    pub(super) fn note<T>(&self, saved: &Result<T, StoreError>, now: WallTime) {
        let mut state = self.state();
        match saved {
            Ok(_) => state.fails = None,
            Err(error) if error.is_unknown_run() || error.is_invalid_input() => {}
            Err(error) => {
                let since = state.fails.as_ref().map_or(now, |fails| fails.since);
                let cause = cause_of(error);
                state.fails = Some(SavingFails { since, cause });
                state.last_failed = now;
            }
        }
    }

    /// The same of a snapshot. One that is known or out of turn is refused without being written, which says nothing about
    /// the store either.
    pub(super) fn note_snapshot(&self, saved: &Result<SaveOutcome, StoreError>, now: WallTime) {
        match saved {
            Ok(SaveOutcome::Duplicate | SaveOutcome::Gap { .. }) => {}
            saved => self.note(saved, now),
        }
    }

    /// Whether the store could not save, and there is nothing by which it would show that it can again.
    pub(super) fn is_untried(&self, now: WallTime) -> bool {
        let state = self.state();
        state.fails.is_some() && state.under_way.is_empty() && now - state.last_failed >= UNTRIED
    }

    pub(super) fn fails(&self) -> Option<SavingFails> {
        self.state().fails.clone()
    }

    /// Since when the oldest snapshot waits that is being saved.
    pub(super) fn oldest(&self) -> Option<WallTime> {
        let state = self.state();
        state.under_way.values().map(|saved| saved.since).min()
    }

    /// The agents whose snapshots are being saved: they may not be read from meanwhile, which is not their silence.
    pub(super) fn agents(&self) -> BTreeSet<AgentId> {
        let state = self.state();
        let agents = state.under_way.values();
        agents.map(|saved| saved.agent_id.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot is being saved.
#[derive(Debug)]
pub(super) struct SavingNow<'a> {
    saving: &'a Saving,
    number: u64,
}

impl Drop for SavingNow<'_> {
    fn drop(&mut self) {
        self.saving.state().under_way.remove(&self.number);
    }
}

fn cause_of(error: &StoreError) -> String {
    let StoreError::Database(database) = error.of_one() else {
        return error.to_string();
    };
    match database.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "disk full".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has locked the database".to_owned()
        }
        _ => database.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::{Coordinator, CoordinatorConfig, Provisioning};

    fn at(micros: u64) -> WallTime {
        WallTime::from_micros(micros)
    }

    fn full() -> Result<(), StoreError> {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        Err(rusqlite::Error::SqliteFailure(code, None).into())
    }

    #[test]
    fn a_store_that_cannot_save_is_known_since_its_first_failure_until_it_can() {
        let saving = Saving::default();
        saving.note(&full(), at(5));
        saving.note(&full(), at(9));
        let refused: Result<(), _> = Err(StoreError::InvalidSnapshot("wrong".into()));
        saving.note(&refused, at(10));
        saving.note_snapshot(&Ok(SaveOutcome::Duplicate), at(10));
        saving.note_snapshot(&Ok(SaveOutcome::Gap { expected: 4 }), at(10));
        let fails = saving.fails().expect("it cannot save");
        assert_eq!((fails.since, fails.cause.as_str()), (at(5), "disk full"));
        saving.note_snapshot(&Ok(SaveOutcome::Saved), at(11));
        assert_eq!(saving.fails(), None);
        saving.note(&refused, at(12));
        assert_eq!(saving.fails(), None);
    }

    #[test]
    fn a_failure_is_tried_again_when_nothing_else_is_saved() {
        let saving = Saving::default();
        assert!(!saving.is_untried(at(0) + UNTRIED));
        saving.note(&full(), at(5));
        assert!(!saving.is_untried(at(4) + UNTRIED));
        assert!(saving.is_untried(at(5) + UNTRIED));
        let under_way = saving.begin(&"a".into(), at(6));
        assert!(!saving.is_untried(at(5) + UNTRIED));
        drop(under_way);
        saving.note(&full(), at(7));
        assert!(!saving.is_untried(at(6) + UNTRIED));
        saving.note(&Ok(()), at(8));
        assert!(!saving.is_untried(at(9) + UNTRIED));
    }

    #[tokio::test]
    async fn a_store_that_can_save_again_is_found_out_without_results() {
        let dir = tempfile::tempdir().unwrap();
        let config = CoordinatorConfig {
            data_dir: dir.path().to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        };
        let coordinator = Coordinator::start(config).await.unwrap();
        let mut changes = coordinator.changes();
        coordinator.shared.saving.note(&full(), at(0));
        let saves_again = async {
            while coordinator.saving_fails().is_some() {
                changes.changed().await.unwrap();
            }
        };
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, saves_again).await.unwrap();
    }

    #[test]
    fn what_is_under_way_is_known_with_its_agent() {
        let saving = Saving::default();
        let first = saving.begin(&"a".into(), at(5));
        let second = saving.begin(&"b".into(), at(7));
        assert_eq!(saving.oldest(), Some(at(5)));
        drop(first);
        assert_eq!(saving.oldest(), Some(at(7)));
        assert_eq!(saving.agents(), BTreeSet::from(["b".into()]));
        drop(second);
        assert_eq!(saving.oldest(), None);
        assert!(saving.agents().is_empty());
    }
}
