//! One process group: started, listened to, and ended for certain.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::CommandWords;
use super::error::CommandError;
use super::output::Output;
use super::{DOWN, said};
use crate::provisioning::{MachineNews, MachineState};

/// How long a group may take to end when it is asked to, before it is killed.
const END_GRACE: Duration = Duration::from_secs(5);
/// How long it is waited for what an ended command had said.
const DRAIN: Duration = Duration::from_millis(500);
/// How often it is looked whether a group is gone that is not this process's child.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What variables of the coordinator begin with, its token among them; commands get their own.
const OURS: &str = "GREYLAG_";

/// A command that is about to be run.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) name: &'static str,
    pub(super) command: CommandWords,
    pub(super) timeout: Duration,
    pub(super) directory: PathBuf,
    pub(super) variables: Vec<(&'static str, String)>,
}

/// A process as it can be recognised later, by another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessMark {
    id: i32,
    /// In ticks since the machine started: another process may get the same id.
    started: u64,
}

impl Invocation {
    /// Runs it until it ends, its time is over, or it is to stop; then no process of its group is left, unless it ended by
    /// itself and in order: what it started then goes on, and what that prints is read. `note` keeps which process it is.
    pub(super) async fn run(
        self,
        output: &Arc<Output>,
        stop: &CancellationToken,
        note: impl AsyncFnOnce(Option<ProcessMark>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let name = self.name;
        output.push(MachineNews {
            machine: name.to_owned(),
            state: MachineState::Starting,
            reason: None,
        });
        let (mut child, readers) = self.start(output)?;
        let ended = tokio::select! {
            ended = async {
                note(child.id().and_then(ProcessMark::of)).await?;
                self.wait(&mut child).await
            } => ended,
            () = tokio::time::sleep(self.timeout) => Err(CommandError::TimedOut {
                name,
                timeout: self.timeout,
            }),
            () = stop.cancelled() => Err(CommandError::Stopped { name }),
        };
        if ended.is_err() {
            end(&mut child).await;
        }
        let last = readers.last_line().await;
        match ended {
            Ok(()) => {
                let state = match name {
                    DOWN => MachineState::Gone,
                    _ => MachineState::Running,
                };
                output.push(said(name, state, "succeeded"));
                Ok(())
            }
            Err(error) => {
                let error = error.with_last_line(last);
                output.push(said(name, MachineState::Failed, error.to_string()));
                Err(error)
            }
        }
    }

    fn start(&self, output: &Arc<Output>) -> Result<(Child, Readers), CommandError> {
        let CommandWords { program, arguments } = &self.command;
        // A path is one from the directory of the command; the name of a program is looked up as usual.
        let path = match program.contains('/') {
            true => self.directory.join(program),
            false => PathBuf::from(program),
        };
        let mut command = Command::new(path);
        command.args(arguments);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with(OURS) {
                command.env_remove(key);
            }
        }
        command.envs(self.variables.iter().map(|(key, value)| (key, value)));
        command
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(|source| CommandError::Start {
            name: self.name,
            program: program.clone(),
            source,
        })?;
        let (name, stdout, stderr) = (self.name, child.stdout.take(), child.stderr.take());
        let (of_stdout, of_stderr) = (Arc::clone(output), Arc::clone(output));
        let readers = Readers {
            stdout: tokio::spawn(async move { of_stdout.read(name, stdout?).await }),
            stderr: tokio::spawn(async move { of_stderr.read(name, stderr?).await }),
        };
        Ok((child, readers))
    }

    async fn wait(&self, child: &mut Child) -> Result<(), CommandError> {
        let name = self.name;
        let program = || self.command.program.clone();
        let ended = child.wait().await.map_err(|source| CommandError::Start {
            name,
            program: program(),
            source,
        })?;
        if ended.success() {
            return Ok(());
        }
        Err(CommandError::Ended {
            name,
            how: how_it_ended(ended),
            said: None,
        })
    }
}

/// What reads the output of a command, and that of what it has started and left running.
struct Readers {
    stdout: JoinHandle<Option<String>>,
    stderr: JoinHandle<Option<String>>,
}

impl Readers {
    /// Waits until everything is read that an ended command had said, and returns the last line, of its errors if there is
    /// one. Processes that it left running may keep its output open; they are read without being waited for.
    async fn last_line(self) -> Option<String> {
        let read = async { Some((self.stdout.await.ok()?, self.stderr.await.ok()?)) };
        let (stdout, stderr) = tokio::time::timeout(DRAIN, read).await.ok()??;
        stderr.or(stdout)
    }
}

fn how_it_ended(ended: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => ended.to_string(),
    }
}

/// Asks the whole group to end, and kills what is left of it.
async fn end(child: &mut Child) {
    let Some(group) = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
    else {
        return;
    };
    // None of these can do more than fail because the group is gone.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = tokio::time::timeout(END_GRACE, child.wait()).await;
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait().await;
}

impl ProcessMark {
    /// That of a process that is there.
    fn of(id: u32) -> Option<Self> {
        let id = i32::try_from(id).ok()?;
        Some(Self {
            id,
            started: started(id)?,
        })
    }

    /// Ends the group that this process leads, if it is still there.
    pub(super) async fn end_group(&self) {
        let Some(group) = Pid::from_raw(self.id) else {
            return;
        };
        if started(self.id) != Some(self.started) {
            return;
        }
        let _ = kill_process_group(group, Signal::TERM);
        let gone = async {
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(END_GRACE, gone).await.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// When a process started: field 22 of `/proc/ID/stat` (proc_pid_stat(5)), which counts after the name in parentheses. None
/// where there is no such file.
fn started(id: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}
