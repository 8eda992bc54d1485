//! Supervises one worker process: spawn, messages, output, guaranteed termination.

mod exit;
mod lines;
mod output;
mod supervisor;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;

use greylag_infra::{RunId, RunTime, SetUpData, WorkerFailure};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::own_build::same_build;
use crate::worker_protocol::{Report, ToWorker};
use supervisor::{EventSender, Order, Supervisor};

/// Environment variables that workers do not get: their scenarios have no business with our secrets.
const SECRETS: [&str; 1] = ["GREYLAG_TOKEN"];

/// What happens in or to a worker.
#[derive(Debug)]
pub(crate) enum WorkerEvent {
    /// It waits for the start.
    Ready {
        /// What the scenario's set-up made, on worker 0.
        set_up_data: Option<SetUpData>,
    },
    /// Results.
    Report(Report),
    /// Its scenario asks to stop the whole test, for this reason.
    StopTest {
        /// In the scenario's words.
        reason: String,
    },
    /// It stops its users early.
    Failing(WorkerFailure),
    /// It has sent all results.
    End {
        /// Why it did not end as planned.
        failure: Option<WorkerFailure>,
        /// When its last user ended, µs of run time; 0 if none did.
        last_user_ended: RunTime,
    },
    /// It printed a line.
    Line(String),
    /// It printed more lines than are kept.
    LinesDropped(u64),
    /// The process is gone, and with this everything has been read. Always the last event.
    Exited {
        /// How, as text that follows the worker's name; none for exit code 0.
        how: Option<String>,
    },
}

/// An event, and of which worker.
#[derive(Debug)]
pub(crate) struct WorkerProcessEvent {
    pub(crate) run_id: RunId,
    pub(crate) worker: u32,
    pub(crate) event: WorkerEvent,
}

/// A worker process. When it is dropped, the process is killed.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    pid: u32,
    orders: mpsc::UnboundedSender<Order>,
}

impl WorkerProcess {
    /// Starts a worker in a process group of its own, so that Ctrl-C in a terminal reaches only us, and
    /// tells it what to prepare.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn start(
        command: &[OsString],
        run_id: RunId,
        worker: u32,
        prepare: ToWorker,
        events: mpsc::Sender<WorkerProcessEvent>,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::other("the command of workers is empty"))?;
        let mut command = Command::new(same_build(program));
        command
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for secret in SECRETS {
            command.env_remove(secret);
        }
        let child = command.spawn()?;
        drop(command);
        let pid = child.id().unwrap_or_default();

        let (orders, ordered) = mpsc::unbounded_channel();
        let events = EventSender::new(events, run_id, worker);
        let supervisor = Supervisor::new(events, socket, ordered);
        tokio::spawn(supervisor.supervise(child, prepare));
        Ok(Self { pid, orders })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a message to the worker. It is lost if the worker is gone, which its last event reports.
    pub(crate) fn send(&self, message: ToWorker) {
        let _ = self.orders.send(Order::Send(message));
    }

    /// Kills the worker and everything it started.
    pub(crate) fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}
