//! The worker: a process that the agent starts, which drives its share of the users.
//!
//! ```text
//!  agent --(socket that is our standard input)--> session, on the main thread
//!                                                    | starts, stops,       ^ takes finished seconds
//!                                                    v load profile         |
//!                                                load thread --timings--> recorder
//!                                   (scheduler --orders--> engine)
//! ```
//!
//! The scheduler walks the load profile and orders the engine to start and stop users. The users have a thread and a
//! runtime of their own, so that encoding and sending results does not delay requests. A watchdog beside it notices user
//! code that blocks that thread. What scenarios print, and what Greylag logs, goes to standard output and error, which the
//! agent reads line by line. When the socket closes, the agent is gone, and when nothing comes on it for the lease, the
//! agent is frozen: the load is out of control, and the process ends. It also ends cleanly on SIGTERM, SIGINT and SIGHUP.

mod end_signals;
mod load;
pub(crate) mod log;
mod session;
mod watch;

use std::process::ExitCode;

use greylag_scenarios::Scenario;
use session::SessionError;

use crate::open_files::raise_file_limit;
use crate::worker_protocol::take_agent_socket;

/// Runs a worker to its end. Called in the process's main thread, outside of any runtime.
pub(crate) fn run(scenarios: &[Scenario]) -> ExitCode {
    let socket = match take_agent_socket() {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the worker's runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        let signals = end_signals::take().map_err(SessionError::Signals)?;
        session::run(socket, scenarios, signals).await
    });
    // A load shape that does not end must not keep the process.
    runtime.shutdown_background();
    if let Err(error) = ended {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
