//! One worker process as its agent holds it: started, spoken to, listened to, and ended for certain.

mod exit;
mod lines;
mod output;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::{RunId, SetUpData, WorkerFailure};
use greylag_scenarios::is_engine_chatter;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::codec::Framed;

use crate::own_build::same_build;
use crate::worker_protocol::{FromWorker, Report, ToWorker, codec, decode, encode};
use exit::describe_exit;
use lines::LineSplitter;
use output::Output;

/// How long what a worker has sent and printed is read after its process has ended. Its own frames are
/// there at once; a process that it started may hold its output open for ever.
const DRAIN: Duration = Duration::from_secs(2);
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
        last_user_ended_us: u64,
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
pub(crate) struct FromWorkerProcess {
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

#[derive(Debug)]
enum Order {
    Say(ToWorker),
    Kill,
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
        events: mpsc::Sender<FromWorkerProcess>,
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
        let attendant = Attendant {
            run_id,
            worker,
            events,
            socket: Framed::new(socket, codec()),
            ordered,
        };
        tokio::spawn(attendant.attend(child, prepare));
        Ok(Self { pid, orders })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells the worker something; lost when it is gone already, which its last event tells.
    pub(crate) fn say(&self, message: ToWorker) {
        let _ = self.orders.send(Order::Say(message));
    }

    /// Kills the worker and everything it started.
    pub(crate) fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}

/// The task that serves one worker.
struct Attendant {
    run_id: RunId,
    worker: u32,
    events: mpsc::Sender<FromWorkerProcess>,
    socket: Framed<UnixStream, tokio_util::codec::LengthDelimitedCodec>,
    ordered: mpsc::UnboundedReceiver<Order>,
}

impl Attendant {
    async fn attend(mut self, mut child: Child, prepare: ToWorker) {
        let output = Output::default();
        let readers = [
            self.read_lines(child.stdout.take(), &output, false),
            self.read_lines(child.stderr.take(), &output, true),
        ];
        self.say(&prepare).await;
        let status = match self.until_exit(&child).await {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        };
        let drained = Instant::now() + DRAIN;
        while let Ok(Some(frame)) = tokio::time::timeout_at(drained, self.socket.next()).await {
            let Ok(frame) = frame else { break };
            self.take_frame(&frame).await;
        }
        for reader in readers.into_iter().flatten() {
            let abort = reader.abort_handle();
            if tokio::time::timeout_at(drained, reader).await.is_err() {
                abort.abort();
            }
        }
        let dropped = output.take_dropped();
        if dropped > 0 {
            self.tell(WorkerEvent::LinesDropped(dropped)).await;
        }
        let how = match status {
            Ok(status) => describe_exit(status, &output.last_error_line()),
            Err(error) => Some(format!("could not be waited for: {error}")),
        };
        self.tell(WorkerEvent::Exited { how }).await;
    }

    /// Carries orders and frames until the process has ended, and then kills what it has started and left
    /// behind. The process is left to be waited for, so that until then its number is its own.
    async fn until_exit(&mut self, child: &Child) -> io::Result<()> {
        let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) else {
            return Ok(());
        };
        // Before the first look, so that no end is missed.
        let mut child_ended = signal(SignalKind::child())?;
        let (mut listening, mut ordered) = (true, true);
        while !has_ended(pid)? {
            tokio::select! {
                _ = child_ended.recv() => {}
                order = self.ordered.recv(), if ordered => match order {
                    Some(Order::Say(message)) => self.say(&message).await,
                    Some(Order::Kill) => kill_group(pid),
                    None => {
                        ordered = false;
                        kill_group(pid);
                    }
                },
                frame = self.socket.next(), if listening => match frame {
                    Some(Ok(frame)) => self.take_frame(&frame).await,
                    Some(Err(_)) | None => listening = false,
                },
            }
        }
        kill_group(pid);
        Ok(())
    }

    async fn say(&mut self, message: &ToWorker) {
        /// A worker that takes nothing for so long is stuck; its deadline kills it.
        const LONGEST: Duration = Duration::from_secs(1);
        // An error means that it is gone, which its exit tells.
        let _ = timeout(LONGEST, self.socket.send(encode(message))).await;
    }

    async fn take_frame(&mut self, frame: &[u8]) {
        let event = match decode(frame) {
            Ok(FromWorker::Ready { set_up_data }) => WorkerEvent::Ready { set_up_data },
            Ok(FromWorker::Report(report)) => WorkerEvent::Report(report),
            Ok(FromWorker::StopTest { reason }) => WorkerEvent::StopTest { reason },
            Ok(FromWorker::Failing(failure)) => WorkerEvent::Failing(failure),
            Ok(FromWorker::End {
                failure,
                last_user_ended_us,
            }) => WorkerEvent::End {
                failure,
                last_user_ended_us,
            },
            Err(error) => WorkerEvent::End {
                failure: Some(WorkerFailure::InvalidMessage {
                    problem: error.to_string(),
                }),
                last_user_ended_us: 0,
            },
        };
        self.tell(event).await;
    }

    async fn tell(&self, event: WorkerEvent) {
        tell(&self.events, &self.run_id, self.worker, event).await;
    }

    /// Reads what the worker prints, line by line.
    fn read_lines(
        &self,
        stream: Option<impl AsyncRead + Send + Unpin + 'static>,
        output: &Output,
        is_error: bool,
    ) -> Option<JoinHandle<()>> {
        let mut stream = stream?;
        let (events, run_id, worker) = (self.events.clone(), self.run_id.clone(), self.worker);
        let output = output.clone();
        Some(tokio::spawn(async move {
            let mut splitter = LineSplitter::default();
            let mut buffer = vec![0; 8 * 1024];
            let mut lines = Vec::new();
            loop {
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                splitter.feed(&buffer[..read], |line| lines.push(line));
                if read == 0 {
                    lines.extend(splitter.end());
                }
                for line in lines.drain(..) {
                    if !is_error && is_engine_chatter(&line) {
                        continue;
                    }
                    let (admitted, dropped) = output.admit(&line, is_error);
                    if dropped > 0 {
                        tell(&events, &run_id, worker, WorkerEvent::LinesDropped(dropped)).await;
                    }
                    if admitted {
                        tell(&events, &run_id, worker, WorkerEvent::Line(line)).await;
                    }
                }
                if read == 0 {
                    return;
                }
            }
        }))
    }
}

async fn tell(
    events: &mpsc::Sender<FromWorkerProcess>,
    run_id: &RunId,
    worker: u32,
    event: WorkerEvent,
) {
    let event = FromWorkerProcess {
        run_id: run_id.clone(),
        worker,
        event,
    };
    // The agent's task ends last; without it nobody wants to know.
    let _ = events.send(event).await;
}

/// Whether our child has ended; it can still be waited for.
fn has_ended(pid: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = retry_on_intr(|| waitid(WaitId::Pid(pid), options))?;
    Ok(status.is_some())
}

fn kill_group(group: Pid) {
    if let Err(error) = kill_process_group(group, Signal::KILL) {
        tracing::debug!("a worker's process group cannot be killed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a worker that is this shell script.
    async fn events_of(script: &str) -> Vec<WorkerEvent> {
        let command = ["/bin/sh", "-c", script].map(OsString::from);
        let (events, mut received) = mpsc::channel(16);
        let process =
            WorkerProcess::start(&command, "run".into(), 3, ToWorker::Stop, events).unwrap();
        assert!(process.pid() > 0);
        let mut all = Vec::new();
        while let Some(event) = received.recv().await {
            assert_eq!((event.run_id.as_str(), event.worker), ("run", 3));
            all.push(event.event);
        }
        all
    }

    #[tokio::test]
    async fn output_and_exit_are_told() {
        let events =
            events_of(r"echo out; echo 2 users launched.; printf 'bad \377 line\n' >&2; exit 7")
                .await;
        let lines: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                WorkerEvent::Line(line) => Some(line.as_str()),
                _ => None,
            })
            .collect();
        assert!(
            lines.len() == 2 && lines.contains(&"out") && lines.contains(&"bad \u{fffd} line"),
            "{lines:?}"
        );
        let Some(WorkerEvent::Exited { how: Some(how) }) = events.last() else {
            panic!("the last event is {:?}", events.last());
        };
        assert_eq!(how, "ended with exit code 7: bad \u{fffd} line");
    }

    #[tokio::test]
    async fn a_flood_of_lines_is_cut_and_counted() {
        let events =
            events_of("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done").await;
        let (mut kept, mut dropped) = (0, 0);
        for event in &events {
            match event {
                WorkerEvent::Line(_) => kept += 1,
                WorkerEvent::LinesDropped(lines) => dropped += lines,
                _ => {}
            }
        }
        assert_eq!(kept + dropped, 5_000);
        assert!(dropped > 0);
    }

    /// A worker with a child of its own that says its process id in its first line.
    async fn with_grandchild(
        script: &str,
    ) -> (WorkerProcess, mpsc::Receiver<FromWorkerProcess>, Pid) {
        let command = ["/bin/sh", "-c", script].map(OsString::from);
        let (events, mut received) = mpsc::channel(16);
        let process =
            WorkerProcess::start(&command, "run".into(), 0, ToWorker::Stop, events).unwrap();
        let Some(WorkerEvent::Line(grandchild)) = received.recv().await.map(|event| event.event)
        else {
            panic!("the script prints a line first");
        };
        let pid = Pid::from_raw(grandchild.trim().parse().unwrap()).unwrap();
        (process, received, pid)
    }

    /// How a worker ended, after which its child must be gone.
    async fn end_of_both(
        mut received: mpsc::Receiver<FromWorkerProcess>,
        grandchild: Pid,
    ) -> Option<String> {
        let mut last = None;
        while let Some(event) = received.recv().await {
            last = Some(event.event);
        }
        let Some(WorkerEvent::Exited { how }) = last else {
            panic!("the last event is {last:?}");
        };
        // The orphan is gone, or dead and not yet collected by init.
        let alive = || {
            std::fs::read_to_string(format!("/proc/{}/stat", grandchild.as_raw_nonzero()))
                .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while alive() {
            assert!(Instant::now() < deadline, "the orphan lives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        how
    }

    #[tokio::test]
    async fn a_kill_ends_the_process_and_what_it_started() {
        let (process, received, grandchild) = with_grandchild("sleep 600 & echo $!; wait").await;
        process.kill();
        let how = end_of_both(received, grandchild).await.unwrap();
        assert_eq!(how, "was killed by signal 9 (SIGKILL)");
    }

    #[tokio::test]
    async fn a_worker_that_ends_by_itself_leaves_nobody_behind() {
        let (_process, received, grandchild) =
            with_grandchild("sleep 600 >/dev/null 2>&1 & echo $!; exit 0").await;
        assert_eq!(end_of_both(received, grandchild).await, None);
    }
}
