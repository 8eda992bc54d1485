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
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use greylag_infra::{RunId, RunTime, SetUpData, WorkerFailure};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::agent::config::WorkerUser;
use crate::own_build::same_build;
use crate::scenario::ShapedLoad;
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
    /// What its scenario's load shape asks for, or why it cannot be run.
    Shape(Result<ShapedLoad, String>),
    /// Results.
    Report(Report),
    /// Its scenario asks to stop the whole test, for this reason.
    StopTest {
        /// In the scenario's words.
        reason: String,
    },
    /// Its scenario asks to finish the whole test before its time, for this reason.
    FinishTest {
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

/// What starts a worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerCommand {
    /// Program and arguments.
    pub(crate) words: Vec<OsString>,
    /// The user it runs as, if not as ours.
    pub(crate) user: Option<WorkerUser>,
    /// The directory it is started in, if not ours.
    pub(crate) directory: Option<PathBuf>,
}

/// A worker process that was sent nothing yet. When it is dropped, the process is killed.
#[derive(Debug)]
pub(crate) struct SpawnedWorker {
    child: Child,
    socket: UnixStream,
}

/// A worker process. When it is dropped, the process is killed.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    pid: u32,
    orders: mpsc::UnboundedSender<Order>,
}

impl SpawnedWorker {
    /// Starts a worker of a program that was just written. That may still be open for writing in a process that is being started at
    /// the same moment, which lasts no longer than that.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) async fn start(command: &WorkerCommand) -> io::Result<Self> {
        const TRIES: u32 = 20;
        const PAUSE: Duration = Duration::from_millis(5);
        for _ in 1..TRIES {
            match Self::start_now(command) {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    sleep(PAUSE).await;
                }
                started => return started,
            }
        }
        Self::start_now(command)
    }

    /// Starts a worker in a process group of its own, so that Ctrl-C in a terminal reaches only us.
    fn start_now(command: &WorkerCommand) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let (program, arguments) = command
            .words
            .split_first()
            .ok_or_else(|| io::Error::other("the command of workers is empty"))?;
        let mut process = Command::new(same_build(program));
        process
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for secret in SECRETS {
            process.env_remove(secret);
        }
        if let Some(user) = command.user {
            // This also leaves the other groups of ours.
            process.uid(user.uid).gid(user.gid);
        }
        if let Some(directory) = &command.directory {
            process.current_dir(directory);
        }
        let child = process.spawn()?;
        Ok(Self { child, socket })
    }

    /// Tells the worker what to prepare, and supervises it from now on.
    pub(crate) fn supervise(
        self,
        run_id: RunId,
        worker: u32,
        prepare: ToWorker,
        events: mpsc::Sender<WorkerProcessEvent>,
    ) -> WorkerProcess {
        let pid = self.child.id().unwrap_or_default();
        let (orders, ordered) = mpsc::unbounded_channel();
        let events = EventSender::new(events, run_id, worker);
        let supervisor = Supervisor::new(events, self.socket, ordered);
        tokio::spawn(supervisor.supervise(self.child, prepare));
        WorkerProcess { pid, orders }
    }
}

impl WorkerProcess {
    /// Starts a worker of a program that stands for a while, and supervises it.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn start(
        command: &WorkerCommand,
        run_id: RunId,
        worker: u32,
        prepare: ToWorker,
        events: mpsc::Sender<WorkerProcessEvent>,
    ) -> io::Result<Self> {
        let started = SpawnedWorker::start_now(command)?;
        Ok(started.supervise(run_id, worker, prepare, events))
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
