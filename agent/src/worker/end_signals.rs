//! Signals that ask a worker to end. A service manager and `docker stop` send them to all processes of a unit, the agent
//! and its workers together: a worker ends cleanly and hands over its results.

use std::io;

use greylag_scenarios::keep_sigint_from_engine;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Takes over the signals from now on: their names, as they come.
///
/// # Errors
/// When the system does not allow it.
pub(super) fn take() -> io::Result<mpsc::Receiver<&'static str>> {
    keep_sigint_from_engine();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (names, received) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let name = next(&mut interrupt, &mut terminate, &mut hangup).await;
            // One that waits to be read is enough.
            if let Err(mpsc::error::TrySendError::Closed(_)) = names.try_send(name) {
                return;
            }
        }
    });
    Ok(received)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal, hangup: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    }
}
