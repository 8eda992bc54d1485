//! Tests that generate load or start a browser take turns, so that none starves another on a small machine.
//!
//! Those that run together and those that run alone take turns in groups: whenever one runs alone, all others have to
//! end before, and the machine is idle meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// So many heavy tests run at the same time: each waits for most of its time, and needs a fifth of a core.
const TOGETHER: usize = 3;

static TURNS: Mutex<Turns> = Mutex::new(Turns::NONE);
static CHANGED: Notify = Notify::const_new();

/// How many tests run, and how many wait for their turn.
#[derive(Debug)]
struct Turns {
    together: Count,
    alone: Count,
    /// Whether those that run alone have their turn, one after the other.
    alone_is_next: bool,
}

#[derive(Debug)]
struct Count {
    running: usize,
    waiting: usize,
}

impl Turns {
    const NONE: Self = Self {
        together: Count::NONE,
        alone: Count::NONE,
        alone_is_next: false,
    };

    /// Whether another one that runs so may begin.
    fn is_free(&mut self, alone: bool) -> bool {
        let (mine, others) = match alone {
            true => (&self.alone, &self.together),
            false => (&self.together, &self.alone),
        };
        if self.alone_is_next != alone {
            // The others keep their turn as long as there are any.
            if others.running + others.waiting > 0 {
                return false;
            }
            self.alone_is_next = alone;
        }
        let most = if alone { 1 } else { TOGETHER };
        others.running == 0 && mine.running < most
    }

    /// Takes a turn, if one is free.
    fn begin(&mut self, alone: bool) -> bool {
        let is_free = self.is_free(alone);
        if is_free {
            let count = self.count(alone);
            count.running += 1;
        }
        is_free
    }

    fn count(&mut self, alone: bool) -> &mut Count {
        match alone {
            true => &mut self.alone,
            false => &mut self.together,
        }
    }
}

impl Count {
    const NONE: Self = Self {
        running: 0,
        waiting: 0,
    };
}

/// A test's turn, which ends when this is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct Turn {
    alone: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        turns().count(self.alone).running -= 1;
        CHANGED.notify_waiters();
    }
}

/// A test that waits, until this is dropped: with its turn, or without one.
struct Waiting {
    alone: bool,
}

impl Waiting {
    fn new(alone: bool) -> Self {
        turns().count(alone).waiting += 1;
        Self { alone }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        turns().count(self.alone).waiting -= 1;
        CHANGED.notify_waiters();
    }
}

/// Waits until few enough heavy tests run.
pub async fn heavy() -> Turn {
    turn(false).await
}

/// Waits until no heavy test runs or waits, for a test that needs whole cores or judges the pace of a run.
pub async fn alone() -> Turn {
    turn(true).await
}

fn turns() -> MutexGuard<'static, Turns> {
    // Counts are whole after every statement.
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn turn(alone: bool) -> Turn {
    let _waiting = Waiting::new(alone);
    loop {
        // Before the look, so that no change after it is missed.
        let changed = CHANGED.notified();
        if turns().begin(alone) {
            return Turn { alone };
        }
        changed.await;
    }
}
