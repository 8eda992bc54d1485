//! The load thread: users on a runtime of their own.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use greylag_infra::LoadTest;
use greylag_scenarios::{Load, Recorder, Scenario, drive};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::scenario_choice::users_of;

/// The end of a load: nothing, or why it could not be driven.
pub(super) type LoadEnd = Result<(), String>;

/// Starts the users of this worker on a thread of their own. The receiver gets the end; it is closed
/// without one when the thread panics.
///
/// # Errors
/// A sentence, when the host is no URL or the thread cannot be started.
pub(super) fn start(
    test: &LoadTest,
    worker: u32,
    scenario: Scenario,
    run_zero: Instant,
    recorder: Arc<dyn Recorder>,
    stop: CancellationToken,
) -> Result<oneshot::Receiver<LoadEnd>, String> {
    let load = Load {
        host: test.host_url().map_err(|error| error.to_string())?,
        users: users_of(test, &scenario, worker),
        started_at: run_zero.into(),
        stop_timeout: test.stop_timeout(),
    };
    let (ended, end) = oneshot::channel();
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let result = drive_to_end(&scenario, load, recorder, stop);
            // Nobody listens any more when the session has given us up.
            let _ = ended.send(result);
        })
        .map_err(|error| format!("the load thread cannot be started: {error}"))?;
    Ok(end)
}

fn drive_to_end(
    scenario: &Scenario,
    load: Load,
    recorder: Arc<dyn Recorder>,
    stop: CancellationToken,
) -> LoadEnd {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the load runtime cannot be started: {error}"))?;
    let result = runtime
        .block_on(drive(scenario, load, recorder, stop))
        .map_err(|error| error.to_string());
    // Whatever a scenario left behind on the runtime is not waited for.
    runtime.shutdown_background();
    result
}
