//! One pair: a locustfile run by Locust and its port run by Greylag, each against a server of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use greylag_tests::summary::Summary;
use greylag_tests::{Greylag, alone, heavy};
use tempfile::TempDir;

use super::compare::Results;
use super::locust;
use super::recording_server::{App, Seen, Server};

/// How much longer than its duration a run may take to start and to end: more than the longest stop timeout here.
pub(super) const RUN_MARGIN: Duration = Duration::from_secs(180);
/// What the names of CSV files begin with.
const CSV: &str = "results";

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// For Locust.
    pub(super) locustfiles: Vec<PathBuf>,
    /// For Greylag.
    pub(super) scenario: &'static str,
    pub(super) users: u64,
    pub(super) duration: Duration,
    /// Whether all users end by themselves, and Locust's run with them.
    pub(super) ends_when_idle: bool,
    /// Whether it is about the times of requests.
    pub(super) is_timed: bool,
    /// User and password in the host's address, with an `@`.
    pub(super) host_user: &'static str,
    /// What the host's address has behind its port.
    pub(super) host_path: &'static str,
    /// How long tasks may take after the end, in seconds.
    pub(super) stop_timeout: &'static str,
    /// Further options, which both command lines have too.
    pub(super) options: &'static [&'static str],
}

/// What came of one side.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Which system, for messages.
    pub(super) system: &'static str,
    pub(super) results: Results,
    pub(super) seen: Vec<Seen>,
    pub(super) exit_code: i32,
    /// Why the run failed, where that is said.
    pub(super) failure_reason: Option<String>,
    /// The first line of each of the files that `--csv` wrote, by the end of its name.
    pub(super) csv_heads: BTreeMap<String, String>,
}

/// What came of both.
#[derive(Debug)]
pub(super) struct Both {
    pub(super) locust: Outcome,
    pub(super) report: locust::Report,
    pub(super) greylag: Outcome,
}

impl Both {
    pub(super) fn each(&self) -> [&Outcome; 2] {
        [&self.locust, &self.greylag]
    }
}

impl Pair {
    /// A pair of `scenarios/examples`.
    pub(super) fn example(name: &'static str, locustfile: &str, users: u64, seconds: u64) -> Self {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/examples");
        Self {
            locustfiles: vec![examples.join(locustfile)],
            scenario: name,
            users,
            duration: Duration::from_secs(seconds),
            ends_when_idle: false,
            is_timed: false,
            host_user: "",
            host_path: "",
            stop_timeout: "10",
            options: &[],
        }
    }

    /// A pair of `pairs/`.
    pub(super) fn here(
        locustfiles: &[&str],
        scenario: &'static str,
        users: u64,
        seconds: u64,
    ) -> Self {
        let pairs = locust::here().join("pairs");
        let locustfiles = locustfiles
            .iter()
            .map(|name| pairs.join(format!("{name}.py")));
        Self {
            locustfiles: locustfiles.collect(),
            scenario,
            users,
            duration: Duration::from_secs(seconds),
            ends_when_idle: false,
            is_timed: false,
            host_user: "",
            host_path: "",
            stop_timeout: "10",
            options: &[],
        }
    }

    /// Runs both, one after the other.
    pub(super) async fn run<A: App>(&self, app: impl Fn() -> A) -> Both {
        let _turn = if self.is_timed {
            alone().await
        } else {
            heavy().await
        };
        let (locust, report) = self.run_locust(app()).await;
        let greylag = self.run_greylag(app()).await;
        Both {
            locust,
            report,
            greylag,
        }
    }

    /// The options that both command lines have, spelled as Locust spells them.
    fn options(&self, server: &Server) -> Vec<String> {
        let (user, port, path) = (self.host_user, server.port, self.host_path);
        let url = format!("http://{user}127.0.0.1:{port}{path}");
        let users = self.users.to_string();
        let run_time = format!("{}s", self.duration.as_secs());
        let mut options = vec!["--headless", "--only-summary", "--csv", CSV, "--host", &url];
        options.extend(["--users", &users, "--spawn-rate", &users]);
        options.extend(["--run-time", &run_time, "--stop-timeout", self.stop_timeout]);
        options.extend(self.options);
        options.into_iter().map(str::to_owned).collect()
    }

    async fn run_locust(&self, app: impl App) -> (Outcome, locust::Report) {
        locust::python().await;
        let server = Server::start(app).await;
        let directory = TempDir::new().expect("a temporary directory");
        let mut command = locust::command(directory.path(), &self.locustfiles).await;
        command.args(self.options(&server));
        let report = locust::run(
            command,
            directory.path(),
            self.duration,
            self.ends_when_idle,
        )
        .await;
        let outcome = Outcome {
            system: "Locust",
            results: Results::from(&report),
            seen: server.seen(),
            exit_code: report.exit_code,
            failure_reason: None,
            csv_heads: csv_heads(directory.path()),
        };
        (outcome, report)
    }

    async fn run_greylag(&self, app: impl App) -> Outcome {
        let server = Server::start(app).await;
        let directory = TempDir::new().expect("a temporary directory");
        let options = self.options(&server);
        let mut arguments = vec!["run", "--scenario", self.scenario];
        arguments.extend(["--summary", "summary.json"]);
        arguments.extend(options.iter().map(String::as_str));
        let greylag = Greylag::at(env!("CARGO_BIN_EXE_greylag_conformance"));
        let ended = greylag
            .run_in(directory.path(), &arguments, self.duration + RUN_MARGIN)
            .await;
        let written = std::fs::read_to_string(directory.path().join("summary.json"))
            .unwrap_or_else(|error| {
                panic!(
                    "Greylag wrote no summary ({error})\n{}\n{}",
                    ended.stdout, ended.stderr
                )
            });
        let summary: Summary = serde_json::from_str(&written).expect("the promised summary");
        Outcome {
            system: "Greylag",
            results: Results::from(&summary),
            seen: server.seen(),
            exit_code: ended.code.expect("no signal ended it"),
            failure_reason: summary.run.failure_reason,
            csv_heads: csv_heads(directory.path()),
        }
    }
}

fn csv_heads(directory: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    let files = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.strip_prefix(CSV)?.to_owned();
        let text = std::fs::read_to_string(&path).ok()?;
        Some((name, text.lines().next().unwrap_or_default().to_owned()))
    });
    files.collect()
}
