//! The command line with bad input: one clear message, exit code 2, and nothing started.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod exit_codes;
mod shell_and_man;
#[cfg(feature = "coordinator")]
mod stored_runs;
mod texts;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the real binary in an empty directory without any settings of ours.
fn greylag(directory: &Path, arguments: &[&str]) -> Output {
    greylag_with(directory, arguments, &[])
}

/// The same with these variables.
fn greylag_with(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greylag"));
    command.args(arguments).current_dir(directory);
    for (name, _) in std::env::vars() {
        if name.starts_with("GREYLAG_") || name.starts_with("LOCUST_") {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", directory)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Asserts that these variables are refused with these words.
fn assert_variables_refused(arguments: &[&str], variables: &[(&str, &str)], words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let output = greylag_with(directory.path(), arguments, variables);
    let said = String::from_utf8_lossy(&output.stderr);
    for words in words {
        assert!(
            said.contains(words),
            "{arguments:?} {variables:?} should say {words:?} and says {said:?}"
        );
    }
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
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
        (
            vec!["--users", "0"],
            "users must be between 1 and 1000000, got 0",
        ),
        (vec!["--users", "many"], "invalid value 'many'"),
        (vec!["--users", "2000000"], "got 2000000"),
        (
            vec!["--workers", "0"],
            "workers must be between 1 and 20000, got 0",
        ),
        (vec!["--workers", "11"], "at most one worker per user"),
        (
            vec!["--duration", "0"],
            "duration must be between 1s and 30 days, got 0s",
        ),
        (vec!["--duration", "soon"], "`soon` is not a valid duration"),
        (
            vec!["--duration", "1500ms"],
            "must be a whole number of seconds",
        ),
        (vec!["--ramp-up", "800h"], "at most 30 days"),
        (
            vec!["--scenario", "other"],
            "scenario `other` is unknown; available scenarios: shop",
        ),
        (vec!["--infrastructure", "far"], "--coordinator"),
        (
            vec!["--summary", "no/such/dir/x.json"],
            "cannot be written to no/such/dir/x.json",
        ),
        (
            vec!["--html", "no/such/dir/x.html"],
            "cannot be written to no/such/dir/x.html",
        ),
        (
            vec!["--html", "r", "--junit", "./r"],
            "the page and the JUnit file cannot both be written to",
        ),
        (
            vec!["--summary", "r", "--bundle", "r"],
            "the summary and the bundle cannot both be written to",
        ),
        (
            vec!["--junit", "-"],
            "the JUnit file cannot be written to -, because standard output has the results as text",
        ),
        (vec!["--csv", "-"], "--csv needs a prefix for file names"),
        (vec!["--save-baseline", "main.json"], "must end in .bundle"),
        (
            vec!["--log-level", "greylag=loud"],
            "is not a valid log level",
        ),
    ] {
        assert_refused(&run(&more), words);
    }
    assert_refused(
        &["demo", "--users", "0"],
        "users must be between 1 and 1000000, got 0",
    );
    assert_refused(
        &["demo", "--duration", "0"],
        "duration must be between 1s and 30 days, got 0s",
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
            "shop.toml, line 2: `user` is not a valid key of this file; did you mean `users`?",
        ),
        ("users =", "line 1: this is not valid TOML"),
        (
            "host = \"http://h\"\n[[request]]\npath = \"no slash\"\n",
            "line 3: the path `no slash` does not begin with `/`",
        ),
        (
            "host = \"http://h\"\nscenario = \"other\"\n",
            "scenario `other` is unknown",
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
        "is not a valid listen address",
    );
    assert_refused(
        &["coordinator", "--listen", "127.0.0.1:0", "--lease", "0"],
        "got 0s",
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
fn coordinators_that_do_not_answer_are_reported() {
    // A port that the system gives to none of the servers of other tests.
    let url = "http://127.0.0.1:1";
    let arguments = ["run", "--host", "http://127.0.0.1:9", "--coordinator", url];
    assert_refused(&arguments, "cannot reach the coordinator");
    assert_refused(&["agent", "--coordinator", url], "--infrastructure");
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
        "is not a valid coordinator address",
    );
    assert_refused(
        &["agent", "--coordinator", url, "--infrastructure", "a/b"],
        "is not a valid infrastructure name",
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
fn a_switch_in_the_environment_is_on_or_off_in_any_usual_word() {
    let switches = [
        ("demo", "GREYLAG_EXIT"),
        ("run", "GREYLAG_HEADLESS"),
        ("run", "GREYLAG_ONLY_SUMMARY"),
        ("run", "GREYLAG_EQUAL_WEIGHTS"),
        ("run", "GREYLAG_CSV_FULL_HISTORY"),
        ("run", "LOCUST_HEADLESS"),
    ];
    for (subcommand, name) in switches {
        for word in [
            "1", "true", "TRUE", "yes", "on", "0", "no", "off", "FALSE", "",
        ] {
            let arguments = [subcommand, "--users", "0", "--host", "http://127.0.0.1:9"];
            let arguments = if subcommand == "run" {
                &arguments[..]
            } else {
                &arguments[..3]
            };
            assert_variables_refused(
                arguments,
                &[(name, word)],
                &["users must be between 1 and 1000000, got 0"],
            );
        }
        let words = [name, "'perhaps'", "1, yes, on, true, 0, no, off or false"];
        assert_variables_refused(&[subcommand], &[(name, "perhaps")], &words);
    }
}

/// What compose files and CI systems write for variables they do not have.
#[test]
fn a_variable_that_is_empty_is_not_set() {
    let directory = tempfile::tempdir().unwrap();
    let file = "users = 0\nhost = \"http://127.0.0.1:9\"\n[[request]]\npath = \"/\"\n";
    std::fs::write(directory.path().join("own.toml"), file).unwrap();
    let help = greylag(directory.path(), &["run", "--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let names: Vec<&str> = help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next())
        .collect();
    assert!(names.len() > 25, "{names:?}");
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    let output = greylag_with(directory.path(), &["run", "own.toml"], &empty);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("users must be between 1 and 1000000, got 0"),
        "{said}"
    );
    assert!(!said.contains("shop"), "{said}");

    let scenario = [("GREYLAG_SCENARIO", "shop")];
    let output = greylag_with(directory.path(), &["run", "own.toml"], &scenario);
    let said = String::from_utf8_lossy(&output.stderr);
    for words in ["GREYLAG_SCENARIO", "`shop`", "own.toml", "[[request]]"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(output.status.code(), Some(2));
    for name in [
        "GREYLAG_COORDINATOR",
        "GREYLAG_TOKEN",
        "GREYLAG_LOG_LEVEL",
        "RUST_LOG",
    ] {
        let arguments = ["agent", "--infrastructure", "lab"];
        assert_variables_refused(&arguments, &[(name, "")], &["--coordinator"]);
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let line = [
        "run",
        "--reset-stats",
        "--expect-workers=4",
        "-r",
        "fast",
        "--master",
    ];
    let variables = [("GREYLAG_USERS", "many"), ("GREYLAG_RUN_TIME", "soon")];
    let words = [
        "6 problems",
        "--reset-stats: ",
        "--expect-workers: ",
        "--master: ",
        "'fast' for --spawn-rate",
        "'many' for GREYLAG_USERS",
        "'soon' for GREYLAG_RUN_TIME",
    ];
    assert_variables_refused(&line, &variables, &words);
}

#[test]
fn what_locusts_users_list_first_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let listed = greylag(directory.path(), &["run", "--scenario", "shop", "--list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.starts_with("Available Users:\n    "), "{listed}");
    let ratio = greylag(directory.path(), &["--show-task-ratio", "--headless"]);
    let ratio = String::from_utf8_lossy(&ratio.stdout).into_owned();
    assert!(ratio.contains('%'), "{ratio}");
    assert_refused(
        &["run", "--scenario", "none", "-l"],
        "scenario `none` is unknown",
    );
}

#[test]
fn the_log_goes_where_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--data",
        "file",
        "--logfile",
        "greylag.log",
        "--loglevel",
        "WARNING",
    ];
    std::fs::write(directory.path().join("file"), "").unwrap();
    assert_refused_in(directory.path(), &arguments, "file");
    assert!(directory.path().join("greylag.log").exists());
    assert_refused(&["scenarios", "--log-file", "no/such/x"], "no/such/x");
    assert_refused(
        &["scenarios", "-L", "loud=quiet"],
        "is not a valid log level",
    );
}
