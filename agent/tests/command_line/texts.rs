//! The texts that users read, as snapshots: a changed word is a changed file, which the review of a change shows.
//!
//! `INSTA_UPDATE=always cargo test -p greylag --test command_line texts` writes them anew.

use std::fmt::Write;
use std::path::Path;

use super::{greylag, greylag_with};

/// As wide as clap writes where it knows no terminal.
const WIDTH: (&str, &str) = ("COLUMNS", "100");
const HOST: &str = "http://127.0.0.1:9";

/// Compares a text with `snapshots/NAME.snap`.
fn assert_text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn help_of(directory: &Path, subcommand: &[&str]) -> String {
    let arguments = [subcommand, &["--help"]].concat();
    let output = greylag_with(directory, &arguments, &[WIDTH]);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_subcommand_has_its_help() {
    let directory = tempfile::tempdir().unwrap();
    let overview = help_of(directory.path(), &[]);
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    let subcommands: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(subcommands.contains(&"run"), "{subcommands:?}");
    for subcommand in &subcommands {
        let help = help_of(directory.path(), &[subcommand]);
        assert_text(&format!("help_{subcommand}"), &help);
    }
    assert_text("help", &overview);
}

/// What a command line is answered with, as a terminal shows it.
fn session(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let quiet = [WIDTH, ("GREYLAG_LOG_LEVEL", "off")];
    let output = greylag_with(directory, arguments, &[&quiet, variables].concat());
    let mut text = String::from("$");
    for (name, value) in variables {
        write!(text, " {name}={value}").unwrap();
    }
    write!(text, " greylag").unwrap();
    for argument in arguments {
        write!(text, " {argument}").unwrap();
    }
    let said = String::from_utf8(output.stderr).unwrap();
    writeln!(text, "\n{}", said.trim_end()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

#[test]
fn each_bad_command_line_has_its_message() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let lines: &[&[&str]] = &[
        &["run"],
        &["run", "-H", "shop"],
        &["run", "-H", "127.0.0.1:8080"],
        &["run", "-H", "ftp://shop"],
        &["run", "-H", "http://shop/?a=1"],
        &["run", "-H", HOST, "--users", "0"],
        &["run", "-H", HOST, "--users", "2000000"],
        &["run", "-H", HOST, "--users", "many"],
        &["run", "-H", HOST, "--workers", "0"],
        &["run", "-H", HOST, "--workers", "11"],
        &["run", "-H", HOST, "--workers", "-2"],
        &["run", "-H", HOST, "--duration", "0"],
        &["run", "-H", HOST, "--duration", "soon"],
        &["run", "-H", HOST, "--duration", "1500ms"],
        &["run", "-H", HOST, "--ramp-up", "800h"],
        &["run", "-H", HOST, "--ramp-up", "5s", "--spawn-rate", "2"],
        &["run", "-H", HOST, "--spawn-rate", "0"],
        &["run", "-H", HOST, "--arrival-rate", "0"],
        &[
            "run",
            "-H",
            HOST,
            "--arrival-rate",
            "5",
            "--spawn-rate",
            "2",
        ],
        &["run", "-H", HOST, "--stop-timeout", "48h"],
        &["run", "-H", HOST, "--name", ""],
        &["run", "-H", HOST, "--scenario", "other"],
        &["run", "-H", HOST, "--user-types", "Shoper"],
        &["run", "-H", HOST, "--tags", "nope"],
        &["run", "-H", HOST, "--option", "api-key"],
        &["run", "-H", HOST, "--option", "api-key=1"],
        &["run", "-H", HOST, "--infrastructure", "far"],
        &["run", "-H", HOST, "--headless", "--port", "8000"],
        &["run", "-H", HOST, "--csv-full-history"],
        &["run", "-H", HOST, "--log-level", "greylag=loud"],
        &[
            "run",
            "-H",
            HOST,
            "--threshold",
            "p95 < 500",
            "--threshold",
            "error-rate < 1%",
        ],
        &["run", "-H", HOST, "--exit-code-on-breach", "300"],
        &["run", "-H", HOST, "--ca", "missing.pem"],
        &["run", "-H", HOST, "--web-host", "0.0.0.0"],
        &[
            "run",
            "-H",
            HOST,
            "--coordinator",
            "http://c",
            "--port",
            "80",
        ],
        &["run", "-H", HOST, "--reset-stats", "--master", "-r", "fast"],
        &["run", "-H", HOST, "--userz", "5"],
        &["run", "missing.toml"],
        &["run", "locustfile.py"],
        &[
            "agent",
            "--coordinator",
            "nowhere",
            "--infrastructure",
            "lab",
        ],
        &[
            "agent",
            "--coordinator",
            "ftp://x",
            "--infrastructure",
            "lab",
        ],
        &[
            "agent",
            "--coordinator",
            "http://u:p@x",
            "--infrastructure",
            "lab",
        ],
        &[
            "agent",
            "--coordinator",
            "http://x",
            "--infrastructure",
            "a/b",
        ],
        &["coordinator", "--listen", "0.0.0.0:0"],
        &["coordinator", "--listen", "0.0.0.0:0", "--token", "short"],
        &["coordinator", "--listen", "nonsense"],
        &["coordinator", "--lease", "0"],
        &["coordinator", "--token", "two words"],
        &["coordinator", "--keep", "some"],
        &["coordinator", "--base-path", "greylag"],
        &["coordinator", "--public-url", "ftp://x"],
        &["coordinator", "--listen", "127.0.0.1:0", "--data", "file"],
        &["backup", "copy.sqlite"],
        // Nothing listens there, whatever runs on this machine.
        &["users", "0", "5", "--coordinator", "http://127.0.0.1:9"],
        &["new", "match"],
        &["new", "1st"],
        &["new", "file"],
        &["new", "x", "--path", "."],
        &["worker"],
        &["walk"],
    ];
    let mut text = String::new();
    for arguments in lines {
        writeln!(text, "{}", session(directory.path(), arguments, &[])).unwrap();
    }
    for (arguments, variables) in [
        (&["run"], [("GREYLAG_USERS", "many")]),
        (&["run"], [("GREYLAG_HEADLESS", "perhaps")]),
    ] {
        writeln!(text, "{}", session(directory.path(), arguments, &variables)).unwrap();
    }
    assert_text("bad_command_lines", &text);
}

#[test]
fn each_bad_test_file_has_its_message() {
    let directory = tempfile::tempdir().unwrap();
    let host = "host = \"http://127.0.0.1:9\"\n";
    let request = "[[request]]\npath = \"/\"\n";
    let mut text = String::new();
    for file in [
        "users =".to_owned(),
        format!("{host}user = 5\n{request}"),
        format!("{host}users = -1\nworkers = \"two\"\nduration = 1.5\n{request}"),
        format!("{host}stop_timeout = \"500ms\"\nramp_up = \"1d\"\n{request}"),
        format!("{host}ramp_up = 5\nspawn_rate = 2\n{request}"),
        format!("{host}wait_time = [3, 1]\n{request}"),
        format!("{host}wait_time = 1\nscenario = \"shop\"\n"),
        format!("{host}scenario = \"shop\"\n{request}"),
        format!("{host}tags = [\"a\"]\n{request}"),
        format!("{host}[options]\na = [1]\n"),
        format!("{host}[[request]]\npaht = \"/\"\n"),
        format!("{host}[[request]]\npath = \"no slash\"\nmethod = \"G E T\"\n"),
        format!("{host}[[request]]\npath = \"/\"\nweight = 0\n"),
        format!("{host}[[request]]\npath = \"/\"\nmethod = \"CONNECT\"\nexpect_status = 7\n"),
        format!("{host}[[request]]\npath = \"/\"\nheaders = {{ \"a b\" = \"x\" }}\n"),
        format!("{host}[client]\nkind = \"quick\"\nproxy = \"x\"\nmax_redirects = 9999\n{request}"),
        format!("{host}[client]\nroot_certificate = \"missing.pem\"\n{request}"),
        format!("{host}[[stage]]\nusers = 5\n{request}"),
        format!("{host}thresholds = [\"p95 < 500\", \"error-rate < 1%\"]\n{request}"),
        format!(
            "{host}[[threshold]]\ncondition = \"p95 < 1s during steady\"\nduring = \"whole\"\n{request}"
        ),
        format!("{host}[[stage]]\nusers = 0\nduration = \"1m\"\n{request}"),
        format!(
            "{host}users = 5\nduration = \"1m\"\n[[stage]]\nusers = 5\nduration = \"1m\"\n{request}"
        ),
        format!("{host}[[stage]]\nspawn_rate = 5\nramp = 3\nduration = \"1m\"\n{request}"),
        format!(
            "{host}users = 5\n[[stage]]\nusers = 5\nduration = \"1m\"\n[[stage]]\narrival_rate = 5\nduration = \"1m\"\n{request}"
        ),
    ] {
        std::fs::write(directory.path().join("test.toml"), &file).unwrap();
        for line in file.lines() {
            writeln!(text, "  | {line}").unwrap();
        }
        let answer = session(directory.path(), &["run", "test.toml"], &[]);
        writeln!(text, "{answer}").unwrap();
    }
    assert_text("bad_test_files", &text);
}

#[test]
fn scenarios_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let listed = greylag(directory.path(), &["scenarios", "--tasks"]);
    assert_text("scenarios", &String::from_utf8(listed.stdout).unwrap());
}
