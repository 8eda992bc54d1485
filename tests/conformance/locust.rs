//! The real Locust, in a virtual environment under the target directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greylag_tests::{Process, clean_command};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::pair::RUN_MARGIN;

/// Without it these tests cannot run, and a user without it must learn what to do.
const HOW_TO_SKIP: &str = "the conformance tests compare with the real Locust and need Python 3.10 or newer with venv and pip \
     (Debian: apt-get install python3-venv; tests/run does it) and, the first time, PyPI; \
     without them skip these tests: cargo test --workspace -- --skip conformance";

/// What Locust says it did (`report.py`).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    pub(super) exit_code: i32,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) errors: Vec<ErrorCount>,
    pub(super) exceptions: Vec<Exception>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Endpoint {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) requests: u64,
    pub(super) failures: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ErrorCount {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) error: String,
    pub(super) occurrences: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Exception {
    pub(super) message: String,
    pub(super) count: u64,
}

/// The Python of the virtual environment; made at the first call.
pub(super) async fn python() -> &'static Path {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    PYTHON
        .get_or_init(|| python_with("locust", "requirements.txt"))
        .await
}

/// The Python of an environment of this name under the target directory, with the packages of a file beside this one.
pub(super) async fn python_with(name: &str, requirements: &str) -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    greylag_tests::python_with(&environment, &here().join(requirements), HOW_TO_SKIP).await
}

/// This directory.
pub(super) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Locust with these locustfiles, to be run in this directory; further options are to be added.
pub(super) async fn command(directory: &Path, locustfiles: &[PathBuf]) -> Command {
    let report = here().join("report.py");
    let files: Vec<_> = locustfiles
        .iter()
        .chain([&report])
        .map(|file| file.display().to_string())
        .collect();
    let mut command = python_command().await;
    command
        .args(["-m", "locust", "--locustfile", &files.join(",")])
        .current_dir(directory);
    command
}

/// Runs Locust to its end.
pub(super) async fn run(
    mut command: Command,
    directory: &Path,
    run_time: Duration,
    ends_when_idle: bool,
) -> Report {
    let report = directory.join("report.json");
    command.env("LOCUST_REPORT", &report);
    if ends_when_idle {
        command.env("LOCUST_ENDS_WHEN_IDLE", "1");
    }
    let ended = Process::start("locust", &mut command)
        .wait(run_time + RUN_MARGIN)
        .await;
    let written = std::fs::read_to_string(&report).unwrap_or_else(|error| {
        panic!(
            "Locust wrote no report ({error})\n{}\n{}",
            ended.stdout, ended.stderr
        )
    });
    let report: Report = serde_json::from_str(&written).expect("report.py writes this");
    assert_eq!(ended.code, Some(report.exit_code), "{}", ended.stderr);
    report
}

/// Runs a Python script with Locust at hand and gives its output.
pub(super) async fn script(name: &str) -> String {
    let mut command = python_command().await;
    command.arg(here().join(name));
    let ended = Process::start(name, &mut command).wait(RUN_MARGIN).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// Python that sees no settings of the caller and leaves nothing behind.
async fn python_command() -> Command {
    let mut command = clean_command(python().await);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOCUST_") {
            command.env_remove(name);
        }
    }
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

impl Report {
    /// How many exceptions had each message.
    pub(super) fn exceptions(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for exception in &self.exceptions {
            *counts.entry(exception.message.clone()).or_default() += exception.count;
        }
        counts
    }
}
