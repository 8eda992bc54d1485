//! One process group: started, listened to, and ended for certain.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::format_duration;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::DOWN;
use super::config::CommandWords;
use super::error::CommandError;
use super::groups::{Group, ProcessMark};
use super::output::{Output, Stream, Voice};
use crate::provisioning::MachineState;

/// How long it is waited for what an ended command had said.
const DRAIN: Duration = Duration::from_millis(500);
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
    /// Once it is cancelled, what the command has started is used, and ends only when the command is to stop.
    pub(super) has_begun: CancellationToken,
}

impl Invocation {
    /// Runs it until it ends, its time is over, or it is to stop; then no process of its group is left, unless it ended by
    /// itself, and in order or when what it started (agents) was used: that then goes on, and what it prints is read. `note`
    /// keeps which process it is.
    pub(super) async fn run(
        self,
        output: &Arc<Output>,
        stop: &CancellationToken,
        note: impl AsyncFnOnce(Option<ProcessMark>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let name = self.name;
        if stop.is_cancelled() {
            return Err(CommandError::Stopped { name });
        }
        let voice = Arc::new(Voice::of(name, output));
        let (mut child, readers) = self.start(&voice)?;
        // Once it was waited for, it has no id any more.
        let group = Group::led_by(&child);
        let ended = tokio::select! {
            ended = async {
                note(child.id().and_then(ProcessMark::of)).await?;
                self.wait(&mut child).await
            } => ended,
            () = self.is_overdue(&voice) => Err(CommandError::TimedOut {
                name,
                timeout: self.timeout,
            }),
            () = stop.cancelled() => Err(CommandError::Stopped { name }),
        };
        let is_used =
            self.has_begun.is_cancelled() && matches!(ended, Err(CommandError::Ended { .. }));
        if let (Err(_), false, Some(group)) = (&ended, is_used, group) {
            let (_, is_gone) = tokio::join!(child.wait(), group.end());
            if !is_gone {
                voice.says("what it has started is still running, and this user may not end it");
            }
        }
        readers.drain().await;
        match ended {
            Ok(()) => {
                let state = match name {
                    DOWN => MachineState::Gone,
                    _ => MachineState::Running,
                };
                voice.concludes(state, "succeeded");
                Ok(())
            }
            Err(error) => {
                let error = error.with_last_line(voice.last_line());
                voice.concludes(MachineState::Failed, error.to_string());
                Err(error)
            }
        }
    }

    /// Its time is over, and nothing that it has started is used.
    async fn is_overdue(&self, voice: &Voice) {
        tokio::time::sleep(self.timeout).await;
        if self.has_begun.is_cancelled() {
            let timeout = format_duration(self.timeout);
            voice.says(format!(
                "warning: it did not end within {timeout}; it goes on, because the run has begun with what it may have started"
            ));
            std::future::pending::<()>().await;
        }
    }

    fn start(&self, voice: &Arc<Voice>) -> Result<(Child, Readers), CommandError> {
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
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (of_stdout, of_stderr) = (Arc::clone(voice), Arc::clone(voice));
        let readers = Readers {
            stdout: tokio::spawn(async move {
                if let Some(stdout) = stdout {
                    of_stdout.read(stdout, Stream::Output).await;
                }
            }),
            stderr: tokio::spawn(async move {
                if let Some(stderr) = stderr {
                    of_stderr.read(stderr, Stream::Errors).await;
                }
            }),
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
    stdout: JoinHandle<()>,
    stderr: JoinHandle<()>,
}

impl Readers {
    /// Waits until everything is read that an ended command had said. Processes that it left running may keep its output open;
    /// they are read without being waited for.
    async fn drain(self) {
        let read = async { tokio::join!(self.stdout, self.stderr) };
        let _ = tokio::time::timeout(DRAIN, read).await;
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
