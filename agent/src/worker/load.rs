//! The load thread: users on a runtime of their own.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use greylag_infra::{LoadTest, PlannedStart};
use greylag_scenarios::{Load, PlannedUser, Recorder, RunSettings, Scenario, UserOrder, drive};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::scenario_choice::users_of;

/// Orders waiting for the engine.
const ORDERS: usize = 256;

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
    let users = users_of(test, &scenario, worker);
    let load = Load {
        settings: RunSettings {
            host: Some(test.host_url().map_err(|error| error.to_string())?),
            worker,
            workers: test.workers,
            users: test.users,
            options: test.options.clone(),
        },
        users: users.len(),
        stop_timeout: test.stop_timeout(),
        arrivals: None,
    };
    let (ended, end) = oneshot::channel();
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let result = drive_to_end(&scenario, load, users, run_zero, recorder, stop);
            // Nobody listens any more when the session has given us up.
            let _ = ended.send(result);
        })
        .map_err(|error| format!("the load thread cannot be started: {error}"))?;
    Ok(end)
}

fn drive_to_end(
    scenario: &Scenario,
    load: Load,
    users: Vec<PlannedStart>,
    run_zero: Instant,
    recorder: Arc<dyn Recorder>,
    stop: CancellationToken,
) -> LoadEnd {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the load runtime cannot be started: {error}"))?;
    let result = runtime
        .block_on(async {
            let (sender, orders) = mpsc::channel(ORDERS);
            let clock = tokio::spawn(async move {
                for user in users {
                    tokio::time::sleep_until((run_zero + user.starts_after).into()).await;
                    let planned = PlannedUser {
                        index: user.index,
                        user_type: user.class,
                    };
                    if sender.send(UserOrder::Start(planned)).await.is_err() {
                        break;
                    }
                }
            });
            let ended = drive(scenario, load, orders, recorder, stop).await;
            clock.abort();
            ended
        })
        .map_err(|error| error.to_string());
    // Whatever a scenario left behind on the runtime is not waited for.
    runtime.shutdown_background();
    result
}
