//! Tests that generate load or start a browser take turns, so that none starves another on a small machine.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many heavy tests run at the same time: each waits for most of its time, and needs a fifth of a core.
const TOGETHER: u32 = 3;
static TURNS: Semaphore = Semaphore::const_new(TOGETHER as usize);

/// Waits until few enough heavy tests run; the turn ends when the guard is dropped.
pub async fn heavy() -> SemaphorePermit<'static> {
    turns(1).await
}

/// Waits until no other heavy test runs, for a test that needs whole cores or judges the pace of a run.
pub async fn alone() -> SemaphorePermit<'static> {
    turns(TOGETHER).await
}

async fn turns(count: u32) -> SemaphorePermit<'static> {
    let turn = TURNS.acquire_many(count).await;
    turn.expect("the turns are never closed")
}
