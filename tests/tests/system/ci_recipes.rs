//! The recipes of `infra/deploy/ci/`: their very commands, with the binary under test in place of `cargo run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use greylag_tests::{Nginx, Process, clean_command, heavy};
use quick_junit::Report;
use serde_json::Value;
use tempfile::TempDir;

use crate::deploy::{deploy, read_yaml};
use crate::recipes::write_program;
use crate::support::RUN_TIMEOUT;

/// Builds nothing, and runs the binary under test.
const CARGO: &str = r#"#!/bin/sh
case "$1 $2 $3" in
"build --release ") exit 0 ;;
"run --release --") shift 3; exec greylag_under_test "$@" ;;
*) echo "unknown: $*" >&2; exit 64 ;;
esac
"#;

/// Keeps what it was given.
const CURL: &str = "#!/bin/sh\nprintf '%s\\n' \"$@\" > curl.txt\n";

/// Refuses connections.
const NO_TARGET: &str = "http://127.0.0.1:1";

/// Passes and fails by its second threshold.
const TEST_FILE: &str = r#"
name = "checkout"
host = "http://127.0.0.1:1"
users = 1
ramp_up = "0s"
duration = "2s"
wait_time = [0.05, 0.05]
thresholds = ["requests >= 1 during whole", "p95 < LIMIT during whole"]

[[request]]
path = "/"
"#;

/// What a job has around it.
struct Job {
    directory: TempDir,
    target: String,
}

impl Job {
    fn new(target: &str, limit: &str, baseline: Option<&[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("bin")).expect("a directory");
        write_program(&at("bin/cargo"), CARGO);
        write_program(&at("bin/curl"), CURL);
        fs::write(at("load-test.toml"), TEST_FILE.replace("LIMIT", limit)).expect("a file");
        if let Some(baseline) = baseline {
            fs::write(at("baseline.bundle"), baseline).expect("a file");
        }
        Self {
            directory,
            target: target.to_owned(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs lines as both systems do; the exit code.
    async fn run(&self, lines: &str, variables: &[(&str, &str)]) -> Option<i32> {
        let under_test = Path::new(env!("CARGO_BIN_EXE_greylag_under_test"));
        let programs = under_test.parent().expect("it is in a directory");
        let path = std::env::var("PATH").expect("PATH");
        let path = format!("{}:{}:{path}", self.at("bin").display(), programs.display());
        let mut command: Command = clean_command("bash");
        command
            .args(["-e", "-c", lines])
            .current_dir(self.directory.path())
            .env("PATH", path)
            .env("TARGET", &self.target)
            .envs(variables.iter().copied());
        let ended = Process::start("a job", &mut command)
            .wait(RUN_TIMEOUT)
            .await;
        println!("{ended:?}");
        ended.code
    }

    fn assert_results(&self, failures: usize) {
        let junit = fs::read_to_string(self.at("results/junit.xml")).expect("a JUnit file");
        let report = Report::deserialize_from_str(&junit).expect("a JUnit file");
        assert_eq!(
            (report.tests, report.failures, report.errors),
            (3, failures, 0)
        );
        let summary = fs::read(self.at("results/summary.json")).expect("a summary");
        let summary: Value = serde_json::from_slice(&summary).expect("JSON");
        let verdict = if failures == 0 { "passed" } else { "failed" };
        assert_eq!(summary["verdict"], verdict);
        let page = fs::read_to_string(self.at("results/report.html")).expect("the page");
        assert!(page.starts_with("<!doctype html>"), "{:.200}", page);
    }

    /// What the job leaves for the next one: its own run if that is fit to be the baseline, else what it found.
    fn next_baseline(&self, found: Option<Vec<u8>>, is_fit: bool) -> Option<Vec<u8>> {
        let own = fs::read(self.at("results/run.bundle")).expect("a bundle");
        let kept = fs::read(self.at("baseline.bundle")).ok();
        let expected = if is_fit { Some(own) } else { found };
        assert!(kept == expected, "fit: {is_fit}");
        kept
    }
}

async fn recipe(name: &str) -> Value {
    let mut documents = read_yaml(&[deploy().join("ci").join(name)]).await;
    documents[0].take()
}

#[tokio::test]
async fn github_fails_with_the_verdict_and_shows_the_summary() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let recipe = recipe("github.yml").await;
    let steps = recipe["jobs"]["load-test"]["steps"]
        .as_array()
        .expect("steps");
    let relative = "baseline + 1000000%";
    let target = nginx.url();
    let mut baseline: Option<Vec<u8>> = None;
    for (target, limit, failures, is_fit) in [
        // Nothing is there yet: the times of refused connections say nothing about a working target.
        (NO_TARGET, relative, 1, false),
        (&target, relative, 1, true),
        (&target, relative, 0, true),
        (&target, "0.01ms", 1, false),
    ] {
        let job = Job::new(target, limit, baseline.as_deref());
        let page = job.at("page.md").display().to_string();
        let mut has_failed = false;
        for step in steps {
            let Some(lines) = step["run"].as_str() else {
                continue;
            };
            if has_failed && step["if"] != "always()" {
                continue;
            }
            let code = job.run(lines, &[("GITHUB_STEP_SUMMARY", &page)]).await;
            has_failed |= code != Some(0);
        }
        assert_eq!(has_failed, failures > 0);
        job.assert_results(failures);
        let shown = fs::read_to_string(page).expect("the job's page");
        let kept = fs::read_to_string(job.at("results/summary.md")).expect("a summary");
        assert_eq!(shown, kept);
        assert!(shown.starts_with("## "), "{shown}");
        assert_eq!(
            shown.contains("ompared with"),
            baseline.is_some(),
            "{shown}"
        );
        baseline = job.next_baseline(baseline, is_fit);
    }
    let uploads = steps.iter().filter(|step| {
        let action = step["uses"].as_str().unwrap_or_default();
        action.starts_with("actions/upload-artifact@")
    });
    let kept: Vec<_> = uploads.map(|step| &step["with"]["path"]).collect();
    assert_eq!(kept, ["results"]);
}

#[tokio::test]
async fn gitlab_fails_with_the_verdict_and_comments_on_the_request() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let recipe = recipe("gitlab.yml").await;
    let job_of_file = &recipe["load-test"];
    let lines = |part: &str| {
        let lines = job_of_file[part].as_array().expect("lines").iter();
        let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
        lines.join("\n")
    };
    let script = format!("{}\n{}", lines("before_script"), lines("script"));
    let token = ("LOAD_TEST_TOKEN", "secret");
    let first = Job::new(&nginx.url(), "1h", None);
    assert_eq!(first.run(&script, &[]).await, Some(0));
    first.assert_results(0);
    let baseline = first.next_baseline(None, true);
    assert_eq!(first.run(&lines("after_script"), &[token]).await, Some(0));
    assert!(!first.at("curl.txt").exists(), "no request, no comment");

    let job = Job::new(&nginx.url(), "0.01ms", baseline.as_deref());
    assert_eq!(job.run(&script, &[]).await, Some(1));
    job.assert_results(1);
    job.next_baseline(baseline, false);
    assert_eq!(job.run(&lines("after_script"), &[]).await, Some(0));
    assert!(!job.at("curl.txt").exists(), "no token, no comment");
    let variables = [
        token,
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_IID", "11"),
    ];
    assert_eq!(job.run(&lines("after_script"), &variables).await, Some(0));
    let given = fs::read_to_string(job.at("curl.txt")).expect("it was called");
    let address = "https://gitlab.example/api/v4/projects/7/merge_requests/11/notes";
    assert_eq!(given.lines().last(), Some(address));
    assert!(given.contains("body=<results/summary.md"), "{given}");
    let reports = &job_of_file["artifacts"];
    assert_eq!(reports["reports"]["junit"], "results/junit.xml");
    assert_eq!(
        (&reports["when"], &reports["paths"][0]),
        (&"always".into(), &"results".into())
    );
}
