//! One pair: a locustfile run by Locust and its port run by Greylag, each against a server of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use greylag_tests::summary::Summary;
use greylag_tests::{Ended, Greylag, heavy};
use tempfile::TempDir;

use super::compare::Results;
use super::locust;
use super::recording_server::{App, Seen, Server};

/// How much longer than its duration a run of Greylag may take to start and to end.
const RUN_MARGIN: Duration = Duration::from_secs(60);

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
    /// Further options, which both command lines have.
    pub(super) options: &'static [&'static str],
}

/// What came of one side.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Which system, for messages.
    pub(super) system: &'static str,
    pub(super) results: Results,
    pub(super) seen: Vec<Seen>,
}

/// What came of both.
#[derive(Debug)]
pub(super) struct Both {
    pub(super) locust: Outcome,
    pub(super) report: locust::Report,
    pub(super) greylag: Outcome,
    pub(super) ended: Ended,
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
            options: &[],
        }
    }

    /// Runs both, one after the other.
    pub(super) async fn run<A: App>(&self, app: impl Fn() -> A) -> Both {
        let _turn = heavy().await;
        let (locust, report) = self.run_locust(app()).await;
        let (greylag, ended) = self.run_greylag(app()).await;
        Both {
            locust,
            report,
            greylag,
            ended,
        }
    }

    async fn run_locust(&self, app: impl App) -> (Outcome, locust::Report) {
        locust::python().await;
        let server = Server::start(app).await;
        let users = self.users.to_string();
        let url = server.url();
        let mut arguments = vec!["--host", &url, "--users", &users, "--spawn-rate", &users];
        arguments.extend(["--stop-timeout", "10"]);
        arguments.extend(self.options);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        let report = locust::run(
            &self.locustfiles,
            &arguments,
            self.duration,
            self.ends_when_idle,
        )
        .await;
        let outcome = Outcome {
            system: "Locust",
            results: Results::from(&report),
            seen: server.seen(),
        };
        (outcome, report)
    }

    async fn run_greylag(&self, app: impl App) -> (Outcome, Ended) {
        let server = Server::start(app).await;
        let directory = TempDir::new().expect("a temporary directory");
        let users = self.users.to_string();
        let url = server.url();
        let duration = format!("{}s", self.duration.as_secs());
        let mut arguments = vec!["run", "--scenario", self.scenario, "--host", &url];
        arguments.extend([
            "--users",
            &users,
            "--ramp-up",
            "0s",
            "--duration",
            &duration,
        ]);
        arguments.extend(["--stop-timeout", "10s", "--summary", "summary.json"]);
        arguments.extend(self.options);
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
        let outcome = Outcome {
            system: "Greylag",
            results: Results::from(&summary),
            seen: server.seen(),
        };
        (outcome, ended)
    }
}
