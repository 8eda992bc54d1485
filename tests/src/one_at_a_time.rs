//! Tests that generate load or start a browser take turns, so that none starves another on a small machine.

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other heavy test runs; the turn ends when the guard is dropped.
pub async fn heavy() -> MutexGuard<'static, ()> {
    TURN.lock().await
}
