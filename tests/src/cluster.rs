//! A coordinator and its agents as separate processes of the binary under test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::api::Api;
use crate::faked_clock::fake_clock;
use crate::proc_fs::ProcessId;
use crate::process::{Ended, Process, clean_command};

/// How long a process may take to be there.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The binary under test.
#[derive(Debug, Clone)]
pub struct Greylag {
    path: PathBuf,
}

impl Greylag {
    /// The binary at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command with these arguments, free of the caller's settings.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = clean_command(&self.path);
        command.args(arguments);
        command
    }

    /// Runs a command in an empty directory to its end.
    ///
    /// # Panics
    /// It does not end within the time.
    pub async fn run(&self, arguments: &[&str], within: Duration) -> Ended {
        let directory = TempDir::new().expect("a temporary directory");
        self.run_in(directory.path(), arguments, within).await
    }

    /// Runs a command in this directory to its end.
    ///
    /// # Panics
    /// It does not end within the time.
    pub async fn run_in(&self, directory: &Path, arguments: &[&str], within: Duration) -> Ended {
        self.start_in(directory, arguments).wait(within).await
    }

    /// Starts a command in this directory.
    pub fn start_in(&self, directory: &Path, arguments: &[&str]) -> Process {
        let title = format!("greylag {}", arguments.join(" "));
        Process::start(title, self.command(arguments).current_dir(directory))
    }
}

/// The first `http://127.0.0.1:port` in a text.
pub fn local_url(text: &str) -> Option<String> {
    const START: &str = "http://127.0.0.1:";
    text.match_indices(START).find_map(|(at, _)| {
        let rest = &text[at + START.len()..];
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!port.is_empty() && port != "0" && rest.len() > port.len())
            .then(|| format!("{START}{port}"))
    })
}

/// A coordinator with its data directory, and the agents that were started.
#[derive(Debug)]
pub struct Cluster {
    greylag: Greylag,
    data: TempDir,
    options: Vec<String>,
    coordinator: Process,
    api: Api,
    agents: Vec<Process>,
}

impl Cluster {
    /// Starts a coordinator on a free port of 127.0.0.1.
    pub async fn start(greylag: &Greylag) -> Self {
        Self::start_with(greylag, &[]).await
    }

    /// The same with further options of `greylag coordinator`.
    pub async fn start_with(greylag: &Greylag, options: &[&str]) -> Self {
        let data = tempfile::Builder::new()
            .prefix("greylag-data-")
            .tempdir()
            .expect("a temporary directory");
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let (coordinator, api) =
            start_coordinator(greylag, data.path(), "127.0.0.1:0", &options, |_| ()).await;
        Self {
            greylag: greylag.clone(),
            data,
            options,
            coordinator,
            api,
            agents: Vec::new(),
        }
    }

    /// Client of the coordinator's API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The coordinator's process.
    pub fn coordinator(&mut self) -> &mut Process {
        &mut self.coordinator
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Starts an agent and gives its position; it may not be connected yet.
    pub fn start_agent(&mut self, name: &str, infrastructure: &str) -> usize {
        let url = self.api.url().to_owned();
        self.start_agent_at(&url, name, infrastructure, &[])
    }

    /// Starts an agent that finds the coordinator at another address, such as a proxy's.
    pub fn start_agent_at(
        &mut self,
        url: &str,
        name: &str,
        infrastructure: &str,
        options: &[&str],
    ) -> usize {
        let mut command = self.greylag.command([
            "agent",
            "--coordinator",
            url,
            "--infrastructure",
            infrastructure,
            "--name",
            name,
        ]);
        command.args(options).current_dir(self.data.path());
        self.agents
            .push(Process::start(format!("agent {name}"), &mut command));
        self.agents.len() - 1
    }

    /// Starts agents and waits until all are connected.
    pub async fn with_agents(mut self, infrastructure: &str, names: &[&str]) -> Self {
        for name in names {
            self.start_agent(name, infrastructure);
        }
        self.api
            .wait_for_agents(infrastructure, names.len(), START_TIMEOUT)
            .await;
        self
    }

    /// An agent's process, by the position in which it was started.
    pub fn agent(&mut self, position: usize) -> &mut Process {
        &mut self.agents[position]
    }

    /// The worker processes of an agent.
    pub fn workers_of(&self, agent: usize) -> Vec<ProcessId> {
        self.agents[agent].descendants_with("worker")
    }

    /// `kill -9` of the coordinator.
    pub async fn kill_coordinator(&mut self) {
        self.coordinator.kill_9().await;
    }

    /// Starts the coordinator again on the same port and data.
    pub async fn restart_coordinator(&mut self) {
        let listen = self.api.url().trim_start_matches("http://").to_owned();
        self.restart(&listen, |_| ()).await;
    }

    /// The same on a machine whose wall clock is so many seconds ahead, or behind if negative.
    pub async fn restart_coordinator_with_clock(&mut self, seconds: i64) {
        let listen = self.api.url().trim_start_matches("http://").to_owned();
        self.restart(&listen, |command| fake_clock(command, seconds))
            .await;
    }

    async fn restart(&mut self, listen: &str, prepare: impl FnOnce(&mut Command)) {
        let (data, options) = (self.data.path(), &self.options);
        let (coordinator, _) =
            start_coordinator(&self.greylag, data, listen, options, prepare).await;
        self.coordinator = coordinator;
    }
}

/// Starts a coordinator on this data directory and waits for its URL.
pub async fn start_coordinator(
    greylag: &Greylag,
    data: &Path,
    listen: &str,
    options: &[String],
    prepare: impl FnOnce(&mut Command),
) -> (Process, Api) {
    let mut command = greylag.command(["coordinator", "--listen", listen, "--data"]);
    command.arg(data).args(options).current_dir(data);
    prepare(&mut command);
    let mut coordinator = Process::start("coordinator", &mut command);
    let url = coordinator
        .wait_for_output("its URL", START_TIMEOUT, local_url)
        .await;
    (coordinator, Api::new(url))
}
