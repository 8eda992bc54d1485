//! A child process with its output kept, that never outlives its test.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::proc_fs::{ProcessId, descendants};
use crate::wait;

/// How long a process is given to end after SIGTERM when its test is over.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// How often output whose pipe does not end is found the same before it is taken as whole: looks are counted, as the readers may
/// stand still for as long as the machine does.
const STILL_LOOKS: u32 = 200;
/// How many looks there are in all: a descendant may write for ever.
const LOOKS: u32 = 2_400;
/// Pause between two of these looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// What a process wrote so far.
#[derive(Debug, Clone, Default)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Whether the pipe has ended: nothing more can come.
    is_whole: Arc<AtomicBool>,
}

impl Captured {
    fn follow(&self, mut from: impl Read + Send + 'static) {
        let captured = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                captured.bytes().extend_from_slice(&buffer[..count]);
            }
            captured.is_whole.store(true, Ordering::Release);
        });
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("no reader panics")
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }
}

/// A running (or ended) child process.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    id: Option<ProcessId>,
    stdout: Captured,
    stderr: Captured,
    /// Descendants seen before the process was killed: they have another parent since.
    orphans: Vec<ProcessId>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a command; `what` names it in messages.
    ///
    /// # Panics
    /// The program cannot be started.
    pub fn start(what: impl Into<String>, command: &mut Command) -> Self {
        let what = what.into();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {what} ({command:?}): {error}"));
        let (stdout, stderr) = (Captured::default(), Captured::default());
        stdout.follow(child.stdout.take().expect("it is piped"));
        stderr.follow(child.stderr.take().expect("it is piped"));
        let id = ProcessId::of(child.id());
        Self {
            what,
            child,
            id,
            stdout,
            stderr,
            orphans: Vec::new(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its living descendants, such as an agent's workers.
    pub fn descendants(&self) -> Vec<ProcessId> {
        descendants(self.pid())
    }

    /// Living descendants whose command line holds this argument.
    pub fn descendants_with(&self, argument: &str) -> Vec<ProcessId> {
        let mut found = self.descendants();
        found.retain(|process| {
            process
                .command_line()
                .split(' ')
                .any(|word| word == argument)
        });
        found
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Both outputs, for messages and for looking things up.
    pub fn output(&self) -> String {
        format!(
            "--- {} stdout\n{}\n--- {} stderr\n{}",
            self.what,
            self.stdout(),
            self.what,
            self.stderr()
        )
    }

    /// Waits until one of the outputs holds something that `find` finds.
    ///
    /// # Panics
    /// It does not appear within the time, or the process ended before.
    pub async fn wait_for_output<T>(
        &mut self,
        what: &str,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let title = format!("{what} from {}", self.what);
        wait::until(&title, within, async || {
            let ended = self.try_status();
            let output = self.output();
            match find(&output) {
                Some(found) => Ok(found),
                None if ended.is_some() => panic!("{title}: it ended before ({ended:?})\n{output}"),
                None => Err(output),
            }
        })
        .await
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// It cannot be asked.
    pub fn try_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.try_status().is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            id.signal(signal);
        }
    }

    /// `kill -9`, and waits until it is gone. Its descendants are left alone.
    pub async fn kill_9(&mut self) {
        self.orphans.extend(self.descendants());
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(60)).await;
    }

    /// Waits until it ended.
    ///
    /// # Panics
    /// It did not within the time.
    pub async fn wait(&mut self, within: Duration) -> Ended {
        let title = format!("the end of {}", self.what);
        let status = wait::until(&title, within, async || {
            self.try_status().ok_or_else(|| self.output())
        })
        .await;
        self.drain().await;
        Ended {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// The readers may be behind the end of the process; the ends of the pipes say that they have everything. Descendants can
    /// hold the pipes open: then output that stands still is taken as whole.
    async fn drain(&self) {
        let (mut last, mut still) = (usize::MAX, 0);
        for _ in 0..LOOKS {
            if (self.stdout.is_whole() && self.stderr.is_whole()) || still >= STILL_LOOKS {
                return;
            }
            let now = self.stdout.bytes().len() + self.stderr.bytes().len();
            still = if now == last { still + 1 } else { 0 };
            last = now;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut rest = self.descendants();
        rest.append(&mut self.orphans);
        self.signal(Signal::TERM);
        let deadline = Instant::now() + END_TIMEOUT;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        // Already gone in the good case; errors mean nothing more can be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in rest {
            process.signal(Signal::KILL);
        }
        if thread::panicking() {
            eprintln!("{}", self.output());
        }
    }
}

/// A command that sees nothing of the caller's Greylag settings.
pub fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GREYLAG_")
            || text.starts_with("LOCUST_")
            || matches!(&*text, "RUST_LOG" | "RUST_BACKTRACE")
            || text.to_lowercase().ends_with("_proxy")
        {
            command.env_remove(&name);
        }
    }
    command
}
