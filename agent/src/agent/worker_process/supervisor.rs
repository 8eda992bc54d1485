//! The task that supervises one worker process: messages both ways, its output, and its end.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::{RunId, RunTime, WorkerFailure};
use greylag_scenarios::is_engine_chatter;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::exit::describe_exit;
use super::lines::LineSplitter;
use super::output::Output;
use super::{WorkerEvent, WorkerProcessEvent};
use crate::worker_protocol::{FromWorker, ToWorker, codec, decode, encode};

/// How long what a worker has sent and printed is read after its process has ended. Its own frames are
/// there immediately; a process that it started may hold its output open for ever.
const DRAIN: Duration = Duration::from_secs(2);
/// What a worker's supervisor is to do.
#[derive(Debug)]
pub(super) enum Order {
    Send(ToWorker),
    Kill,
}

/// Sends the events of one worker to the agent's owner.
#[derive(Debug, Clone)]
pub(super) struct EventSender {
    events: mpsc::Sender<WorkerProcessEvent>,
    run_id: RunId,
    worker: u32,
}

impl EventSender {
    pub(super) fn new(
        events: mpsc::Sender<WorkerProcessEvent>,
        run_id: RunId,
        worker: u32,
    ) -> Self {
        Self {
            events,
            run_id,
            worker,
        }
    }

    async fn send(&self, event: WorkerEvent) {
        let event = WorkerProcessEvent {
            run_id: self.run_id.clone(),
            worker: self.worker,
            event,
        };
        // The owner's task ends last, and then its workers have been killed.
        let _ = self.events.send(event).await;
    }
}

/// The task that supervises one worker.
pub(super) struct Supervisor {
    events: EventSender,
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    ordered: mpsc::UnboundedReceiver<Order>,
}

impl Supervisor {
    pub(super) fn new(
        events: EventSender,
        socket: UnixStream,
        ordered: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            events,
            socket: Framed::new(socket, codec()),
            ordered,
        }
    }

    /// Serves the worker until its process has ended and everything of it has been read.
    pub(super) async fn supervise(mut self, mut child: Child, prepare: ToWorker) {
        let output = Output::default();
        let readers = [
            self.read_lines(child.stdout.take(), &output, false),
            self.read_lines(child.stderr.take(), &output, true),
        ];
        self.send(&prepare).await;
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
            self.events.send(WorkerEvent::LinesDropped(dropped)).await;
        }
        let how = match status {
            Ok(status) => describe_exit(status, &output.last_error_line()),
            Err(error) => Some(format!("could not be waited for: {error}")),
        };
        self.events.send(WorkerEvent::Exited { how }).await;
    }

    /// Passes orders and frames on until the process has ended, and then kills what it has started and left behind. The
    /// process is not waited for here, so that its number stays its own until then.
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
                    Some(Order::Send(message)) => self.send(&message).await,
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

    async fn send(&mut self, message: &ToWorker) {
        /// A worker that takes nothing for this long is stuck; its deadline kills it.
        const LONGEST: Duration = Duration::from_secs(1);
        // An error means that it is gone, which its exit reports.
        let _ = timeout(LONGEST, self.socket.send(encode(message))).await;
    }

    async fn take_frame(&mut self, frame: &[u8]) {
        let event = match decode(frame) {
            Ok(FromWorker::Ready { set_up_data }) => WorkerEvent::Ready { set_up_data },
            Ok(FromWorker::Shape(shape)) => WorkerEvent::Shape(shape),
            Ok(FromWorker::Report(report)) => WorkerEvent::Report(report),
            Ok(FromWorker::StopTest { reason }) => WorkerEvent::StopTest { reason },
            Ok(FromWorker::FinishTest { reason }) => WorkerEvent::FinishTest { reason },
            Ok(FromWorker::Failing(failure)) => WorkerEvent::Failing(failure),
            Ok(FromWorker::End {
                failure,
                last_user_ended,
            }) => WorkerEvent::End {
                failure,
                last_user_ended,
            },
            Err(error) => WorkerEvent::End {
                failure: Some(WorkerFailure::InvalidMessage {
                    problem: error.to_string(),
                }),
                last_user_ended: RunTime::ZERO,
            },
        };
        self.events.send(event).await;
    }

    /// Reads what the worker prints, line by line.
    fn read_lines(
        &self,
        stream: Option<impl AsyncRead + Send + Unpin + 'static>,
        output: &Output,
        is_error: bool,
    ) -> Option<JoinHandle<()>> {
        let mut stream = stream?;
        let events = self.events.clone();
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
                        events.send(WorkerEvent::LinesDropped(dropped)).await;
                    }
                    if admitted {
                        events.send(WorkerEvent::Line(line)).await;
                    }
                }
                if read == 0 {
                    return;
                }
            }
        }))
    }
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
