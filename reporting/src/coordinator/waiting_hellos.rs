//! Connections that have not said hello yet: a bounded number, of which the oldest makes room, so that agents which say
//! it immediately are not shut out by peers that do not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Most of them: thousands of agents come back together when their coordinator was away.
const MAX_WAITING: usize = 1_024;

/// Those that there are, by the number of their connection.
#[derive(Debug, Default)]
pub(super) struct WaitingHellos(Mutex<BTreeMap<u64, CancellationToken>>);

/// A place among them, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    all: &'a WaitingHellos,
    connection: u64,
    /// Cancelled when the place is needed for another.
    pub(super) lost: CancellationToken,
}

impl WaitingHellos {
    pub(super) fn enter(&self, connection: u64) -> Place<'_> {
        let lost = CancellationToken::new();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING
            && let Some((_, oldest)) = waiting.pop_first()
        {
            oldest.cancel();
        }
        waiting.insert(connection, lost.clone());
        Place {
            all: self,
            connection,
            lost,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let all = WaitingHellos::default();
        let places: Vec<_> = (0..=MAX_WAITING as u64)
            .map(|number| all.enter(number))
            .collect();
        let lost = places.iter().filter(|place| place.lost.is_cancelled());
        assert_eq!(lost.map(|place| place.connection).collect::<Vec<_>>(), [0]);
        drop(places);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
