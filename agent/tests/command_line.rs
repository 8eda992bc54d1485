//! The command line with bad input: one clear sentence, exit code 2, and nothing started.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the real binary in an empty directory without any settings of ours.
fn greylag(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greylag"));
    command.args(arguments).current_dir(directory);
    for (name, _) in std::env::vars() {
        if name.starts_with("GREYLAG_") {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

/// Asserts that this is refused with these words, and that nothing was left behind.
fn assert_refused(arguments: &[&str], words: &str) {
    let directory = tempfile::tempdir().unwrap();
    assert_refused_in(directory.path(), arguments, words);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{arguments:?} left {left:?}");
}

fn assert_refused_in(directory: &Path, arguments: &[&str], words: &str) {
    let output = greylag(directory, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(words),
        "{arguments:?} should say {words:?} and says {said:?}"
    );
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(
        output.stdout.is_empty(),
        "{arguments:?} printed {:?}",
        output.stdout
    );
}

const HOST: [&str; 3] = ["run", "--host", "http://127.0.0.1:9"];

fn run(more: &[&'static str]) -> Vec<&'static str> {
    [&HOST, more].concat()
}

#[test]
fn numbers_and_durations_are_checked() {
    for (more, words) in [
        (vec!["--users", "0"], "users is 0"),
        (vec!["--users", "many"], "invalid value 'many'"),
        (vec!["--users", "2000000"], "the most is"),
        (vec!["--workers", "0"], "workers is 0"),
        (vec!["--workers", "11"], "at most one worker per user"),
        (vec!["--duration", "0"], "duration is 0"),
        (vec!["--duration", "soon"], "`soon` is not a duration"),
        (
            vec!["--duration", "10s", "--ramp-up", "10"],
            "not shorter than the duration",
        ),
        (
            vec!["--scenario", "nobody"],
            "scenario `nobody` is unknown; compiled in are shop",
        ),
        (vec!["--infrastructure", "far"], "--coordinator"),
        (
            vec!["--summary", "no/such/dir/x.json"],
            "cannot be written to no/such/dir/x.json",
        ),
        (vec!["--log-level", "greylag=loud"], "is no log level"),
    ] {
        assert_refused(&run(&more), words);
    }
    assert_refused(&["demo", "--users", "0"], "users is 0");
    assert_refused(&["demo", "--duration", "0"], "duration is 0");
    assert_refused(
        &["demo", "--ramp-up", "2m"],
        "not shorter than the duration",
    );
}

#[test]
fn hosts_are_checked() {
    assert_refused(&["run"], "no host is given");
    for (host, words) in [
        ("shop", "`shop` is not a URL"),
        ("ftp://shop", "neither http:// nor https://"),
        ("http://shop/?a=1", "query"),
    ] {
        assert_refused(&["run", "--host", host], words);
    }
}

#[test]
fn test_files_are_checked_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.toml");
    for (text, words) in [
        (
            "host = \"http://127.0.0.1:9\"\nuser = 5\n",
            "shop.toml, line 2: `user` is no key of this file; did you mean `users`?",
        ),
        ("users =", "line 1: this is not valid TOML"),
        (
            "host = \"http://h\"\n[[request]]\npath = \"no slash\"\n",
            "path has to begin with",
        ),
        (
            "host = \"http://h\"\nscenario = \"nobody\"\n",
            "scenario `nobody` is unknown",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_refused_in(directory.path(), &["run", "shop.toml"], words);
    }
    assert_refused(&["run", "missing.toml"], "missing.toml cannot be read");
}

#[test]
fn a_taken_port_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = format!("cannot listen on 127.0.0.1:{port}");
    assert_refused(
        &["run", "--host", "http://127.0.0.1:9", "--port", &port],
        &words,
    );
    assert_refused(&["demo", "--port", &port], &words);
    let listen = format!("127.0.0.1:{port}");
    assert_refused(&["coordinator", "--listen", &listen], &words);
}

#[test]
fn coordinators_are_guarded() {
    assert_refused(&["coordinator", "--listen", "0.0.0.0:0"], "--token");
    assert_refused(
        &["coordinator", "--listen", "nonsense"],
        "is no address to listen on",
    );
    assert_refused(
        &["coordinator", "--listen", "127.0.0.1:0", "--lease", "0"],
        "the lease is 0s",
    );
    assert_refused(
        &[
            "coordinator",
            "--listen",
            "127.0.0.1:0",
            "--token",
            "two words",
        ],
        "a token has",
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let arguments = ["coordinator", "--listen", "127.0.0.1:0", "--data", "file"];
    assert_refused_in(directory.path(), &arguments, "file");
}

#[test]
fn coordinators_that_are_not_there_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let arguments = ["run", "--host", "http://127.0.0.1:9", "--coordinator", &url];
    assert_refused(&arguments, "cannot be reached");
    assert_refused(&["agent", "--coordinator", &url], "--infrastructure");
    assert_refused(
        &[
            "agent",
            "--coordinator",
            "nowhere",
            "--infrastructure",
            "lab",
        ],
        "invalid value 'nowhere'",
    );
    assert_refused(
        &[
            "agent",
            "--coordinator",
            "ftp://x",
            "--infrastructure",
            "lab",
        ],
        "is no address of a coordinator",
    );
    assert_refused(
        &["agent", "--coordinator", &url, "--infrastructure", "a/b"],
        "is no name for an infrastructure",
    );
}

#[test]
fn a_worker_without_an_agent_says_so() {
    assert_refused(&["worker"], "is started by an agent");
    assert_refused(&["walk"], "unrecognized subcommand");
}

#[test]
fn scenarios_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let output = greylag(directory.path(), &["scenarios"]);
    assert_eq!(output.status.code(), Some(0));
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(
        listed.contains("shop") && listed.contains("weight"),
        "{listed}"
    );
}

#[test]
fn a_switch_in_the_environment_is_on_in_any_usual_word() {
    for word in ["1", "true", "yes"] {
        let output = Command::new(env!("CARGO_BIN_EXE_greylag"))
            .args(["demo", "--users", "0"])
            .env("GREYLAG_EXIT", word)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("users is 0"), "{word}: {said}");
    }
}
