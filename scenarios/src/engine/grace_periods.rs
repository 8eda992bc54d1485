//! How much longer than the stop timeout each layer waits for what is inside it, from the user to the process.
//!
//! | after the stop timeout | who | what is given up |
//! |---|---|---|
//! | [`ON_STOP_GRACE`] | user | an `on_stop` that is still running |
//! | [`ENGINE_GRACE`] | engine | users that hold the thread |
//! | [`LOAD_THREAD_GRACE`] | worker | the load thread, which is abandoned |
//! | [`WORKER_GRACE`] | agent | the worker process, which is killed |
//!
//! Each is given what those inside it need, so that the innermost that can end in order does, and says why.

use std::time::Duration;

/// How much longer than the stop timeout `on_stop` may take.
pub(crate) const ON_STOP_GRACE: Duration = Duration::from_secs(1);
/// How long after the stop timeout [`drive`](crate::drive) returns at the latest, whatever users do.
pub(crate) const ENGINE_GRACE: Duration = Duration::from_millis(1_800);
/// How long after the stop timeout a load thread that has not ended is abandoned by its worker.
pub const LOAD_THREAD_GRACE: Duration = Duration::from_millis(1_930);
/// How long after the stop timeout a worker process that has not ended is killed by its agent.
pub const WORKER_GRACE: Duration = Duration::from_secs(2);

/// How often goose looks for users that have ended.
const GOOSE_LOOKS_EVERY: Duration = Duration::from_millis(500);

const _: () = {
    let [on_stop, engine, load_thread, worker] = [
        ON_STOP_GRACE.as_millis(),
        ENGINE_GRACE.as_millis(),
        LOAD_THREAD_GRACE.as_millis(),
        WORKER_GRACE.as_millis(),
    ];
    assert!(on_stop + GOOSE_LOOKS_EVERY.as_millis() < engine);
    assert!(engine < load_thread);
    assert!(load_thread < worker);
};
