//! What users print, log, fail and panic with reaches the terminal of `run`, and errors name their place.

use greylag_tests::summary::Warning;
use greylag_tests::{Cluster, Ended, heavy};
use tempfile::TempDir;

use super::results::read_summary;
use crate::support::{RUN_TIMEOUT, greylag};

/// The file of the users under test, as the compiler names it, and its text.
const FILE: &str = "tests/src/bin/greylag_under_test/talking.rs";
const SOURCE: &str = include_str!("../../../src/bin/greylag_under_test/talking.rs");

/// The place of a piece of the users' code.
fn place_of(code: &str) -> String {
    let line = SOURCE.lines().position(|line| line.contains(code));
    format!("{FILE}:{}", line.expect("the code is there") + 1)
}

/// Runs one of the talking scenarios here.
async fn run_to_any_end(directory: &TempDir, scenario: &str, more: &[&str]) -> Ended {
    let mut arguments = vec![
        "run",
        "--headless",
        "--host",
        "http://127.0.0.1:9",
        "--scenario",
        scenario,
        "--users",
        "4",
        "--ramp-up",
        "0",
        "--duration",
        "3",
    ];
    arguments.extend(more);
    let mut command = greylag().start_in(directory.path(), &arguments);
    command.wait(RUN_TIMEOUT).await
}

/// The same where all goes well.
async fn run(directory: &TempDir, scenario: &str, more: &[&str]) -> Ended {
    let ended = run_to_any_end(directory, scenario, more).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// The one warning in `out.json` about code that blocks its worker.
fn blocked_loop(directory: &TempDir) -> Warning {
    let (summary, _) = read_summary(&directory.path().join("out.json"));
    let mut blocks: Vec<_> = summary.warnings;
    blocks.retain(|warning| warning.kind == "blocked_loop");
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks.remove(0)
}

fn assert_has(text: &str, lines: &[String]) {
    for line in lines {
        assert!(text.contains(line.as_str()), "{line:?} is missing:\n{text}");
    }
}

#[tokio::test]
async fn everything_that_users_say_is_shown_with_its_worker() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let ended = run(
        &directory,
        "talkative",
        // So long that each of its tasks is picked.
        &["--only-summary", "--csv", "load", "--duration", "5"],
    )
    .await;
    let fails = place_of("TaskError::new(\"no tenants");
    let panics = place_of("panic!(\"no tenants");
    assert_has(
        &ended.stderr,
        &[
            "worker-0: printed before the start\n".to_owned(),
            "worker-0: printed to standard output\n".to_owned(),
            "worker-0: printed to standard error\n".to_owned(),
            "worker-0: printed in red\n".to_owned(),
            format!("worker-0: [{}:", place_of("dbg!")),
            format!(
                "worker-0: INFO traced basket=7 ({})\n",
                place_of("tracing::info!")
            ),
            format!("worker-0: ERROR no tenants on this worker ({fails}) task=\"Talker::fails\"\n"),
            format!(
                "worker-0: ERROR panicked: no tenants at all ({panics}) task=\"Talker::panics\"\n"
            ),
            "worker-0: printed after the end\n".to_owned(),
        ],
    );
    // Neither what a terminal obeys, nor our own course of things.
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
    for noise in ["users launched", "worker process", "Stopping", "ready"] {
        assert!(!ended.stderr.contains(noise), "{noise}: {}", ended.stderr);
    }
    assert!(
        !ended.stdout.contains("printed"),
        "tables only: {}",
        ended.stdout
    );
    assert_has(
        &ended.stdout,
        &[
            format!("no tenants on this worker ({fails})"),
            format!("panicked: no tenants at all ({panics})"),
        ],
    );
    let exceptions = std::fs::read_to_string(directory.path().join("load_exceptions.csv"));
    assert_has(
        &exceptions.expect("the file"),
        &[
            format!(",no tenants on this worker,{fails} in Talker::fails,"),
            format!(",panicked: no tenants at all,{panics} in Talker::panics,"),
        ],
    );

    let ended = run(&directory, "talkative", &["--quiet"]).await;
    assert!(!ended.stderr.contains("worker-0"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_run_on_a_coordinator_is_followed_line_by_line() {
    let _turn = heavy().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let arguments = [
        "run",
        "--coordinator",
        cluster.api().url(),
        "--infrastructure",
        "lab",
        "--host",
        "http://127.0.0.1:9",
        "--scenario",
        "talkative",
        "--users",
        "4",
        "--workers",
        "2",
        "--ramp-up",
        "0",
        "--duration",
        "10m",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    // While it is active.
    for worker in ["east/worker-0", "west/worker-1"] {
        let line = format!("{worker}: printed to standard output\n");
        command
            .wait_for_output(&line, RUN_TIMEOUT, |output| {
                output.contains(&line).then_some(())
            })
            .await;
    }
    command.signal(rustix::process::Signal::INT);
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_has(
        &ended.stderr,
        &["east/worker-0: printed after the end\n".to_owned()],
    );
}

#[tokio::test]
async fn a_flood_is_cut_and_what_is_missing_is_counted() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let ended = run(&directory, "flooding", &[]).await;
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let shown = lines
        .iter()
        .filter(|line| line.contains("of the flood"))
        .count();
    // A hundred a second are let through, and the run takes three.
    assert!((1..1_000).contains(&shown), "{shown} lines");
    let dropped: u64 = lines
        .iter()
        .filter(|line| line.contains("printed by workers were dropped"))
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert!(dropped > 0, "{}", ended.stderr);
    // But for a few warnings of ours that may be among the dropped ones.
    let lines = shown as u64 + dropped;
    assert!(
        lines >= 1_000 && lines % 1_000 < 20,
        "{lines} lines are shown or counted"
    );
}

#[tokio::test]
async fn users_that_never_begin_say_why() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let ended = run(&directory, "broken-start", &[]).await;
    let failed = format!(
        "invalid digit found in string ({})",
        place_of("\"many\".parse")
    );
    let panicked = format!(
        "panicked: the password file is empty ({})",
        place_of("panic!(\"the password")
    );
    for error in [failed, panicked] {
        let line = format!("worker-0: ERROR {error} task=\"Broken::begins\"\n");
        assert_eq!(ended.stderr.matches(&line).count(), 2, "{}", ended.stderr);
        assert!(ended.stdout.contains(&error), "{}", ended.stdout);
    }
    assert!(!ended.stderr.contains("began a task"), "{}", ended.stderr);
}

#[tokio::test]
async fn code_that_blocks_is_named_and_other_code_is_not() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let ended = run(&directory, "blocking", &["--summary", "out.json"]).await;
    let blocked = "`Blocker::sleeps` blocked worker 0";
    let said = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("Warning: "));
    assert_eq!(
        said.filter(|line| line.contains(blocked)).count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains(blocked), "{}", ended.stdout);
    let warning = blocked_loop(&directory);
    assert_eq!(
        (warning.worker, warning.subject.as_str()),
        (Some(0), "Blocker::sleeps")
    );
    assert!(warning.count > 1 && warning.worst >= 100, "{warning:?}");
}

#[tokio::test]
async fn code_that_never_returns_is_named_while_it_hangs() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let more = ["--stop-timeout", "1", "--summary", "out.json"];
    let ended = run_to_any_end(&directory, "hanging", &more).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = "worker-0: WARN Hanger::hangs has been blocking the thread of all users";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
    let warning = blocked_loop(&directory);
    // One and the same, however often it was reported.
    assert_eq!(
        (warning.subject.as_str(), warning.count),
        ("Hanger::hangs", 1)
    );
    assert!(warning.worst >= 1_000, "{warning:?}");
}
