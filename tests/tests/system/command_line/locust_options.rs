//! Every row of the porting guide's table of Locust's options and variables, run.

use std::fs;
use std::path::Path;

use futures_util::stream::{self, StreamExt};
use greylag_tests::{Ended, GuideRow, Nginx, Process, free_port, guide_table, heavy};
use tempfile::TempDir;

use super::results::read_summary;
use crate::support::{RUN_TIMEOUT, greylag};

/// A run of a second sends nothing where the machine stands still for that second: then it is run again.
const TRIES: usize = 3;
/// So long that statistics are printed while a run goes on, which happens every two seconds.
const UNTIL_PRINTED: &str = "8s";

/// Commands at the same time: most of each is waiting for its run to end.
const AT_ONCE: usize = 4;

/// What shows that an option did what the guide says.
enum Effect {
    /// It is in the output of a command that exits with 0 and runs nothing.
    Prints(&'static str),
    /// The standard output of a run has this.
    Says(String),
    /// The standard error of a run has this.
    Shows(&'static str),
    /// The output of a run has not.
    NotSays(&'static str),
    /// The run leaves this file.
    Writes(&'static str),
    /// The run's summary says this about test, users, workers and duration.
    Summary(&'static str),
    /// Only these endpoints were asked.
    Endpoints(&'static [&'static str]),
    /// The exit code.
    Code(i32),
}

/// An option's example: what follows it, what else the command has, and what it does.
fn example(flag: &str, port: u16) -> (String, Vec<String>, Effect) {
    use Effect::{Code, Endpoints, NotSays, Prints, Says, Shows, Summary, Writes};
    let with = |value: &str, more: &[&str], effect| {
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        (value.to_owned(), more, effect)
    };
    match flag {
        "-h" | "--help" => with("", &[], Prints("Usage:")),
        "-V" | "--version" => with("", &[], Prints("greylag")),
        "-f" | "--locustfile" => with("named.toml", &[], Summary("test from-file")),
        "--config" => with("locust-style.conf", &[], Summary("test from-config")),
        "-H" | "--host" => with("TARGET", &[], Endpoints(&["/plain", "/read", "/write"])),
        "-u" | "--users" => with("3", &[], Summary("users 3")),
        "-r" | "--spawn-rate" => with("100", &[], Summary("users 2")),
        "-t" | "--run-time" => with("2s", &[], Summary("duration 2")),
        "-l" | "--list" => with("", &[], Prints("Available Users:\n    Tagged\n")),
        "--web-host" => {
            let says = Says("http://127.0.0.2:".to_owned());
            with("127.0.0.2", &["--headless=false"], says)
        }
        "-P" | "--web-port" => {
            let says = Says(format!("http://127.0.0.1:{port}/runs/"));
            with(&port.to_string(), &["--headless=false"], says)
        }
        "--headless" => with("", &[], NotSays("http://")),
        "--processes" => with("2", &[], Summary("workers 2")),
        "-T" | "--tags" => with("read", &[], Endpoints(&["/read"])),
        "-E" | "--exclude-tags" => with("write", &[], Endpoints(&["/plain", "/read"])),
        "--html" => with("page.html", &[], Writes("page.html")),
        "--csv" => with("out/load", &[], Writes("out/load_stats.csv")),
        "--csv-full-history" => with("", &["--csv", "x"], Writes("x_stats_history.csv")),
        "--print-stats" => with("", &["-t", UNTIL_PRINTED], Shows("# reqs")),
        "--only-summary" => with("", &[], NotSays("  rps ")),
        "--skip-log-setup" => with("", &["-L", "trace"], NotSays("TRACE")),
        "-L" | "--loglevel" => with("TRACE", &[], Shows("TRACE")),
        "--logfile" => with("own.log", &[], Writes("own.log")),
        "--show-task-ratio" => with("", &[], Prints("33.3% Tagged::read [read]")),
        "--exit-code-on-error" => with("7", &["-T", "missing"], Code(7)),
        "-s" | "--stop-timeout" => with("3", &[], Summary("users 2")),
        "--equal-weights" => with("", &[], Endpoints(&["/plain", "/read", "/write"])),
        "--profile" => with("grouped", &[], Summary("test grouped")),
        other => panic!("the guide has {other}, which this test has no example for"),
    }
}

fn prepare(directory: &Path) {
    fs::write(directory.join("named.toml"), "name = \"from-file\"\n").expect("ours");
    let config = "profile = from-config\n";
    fs::write(directory.join("locust-style.conf"), config).expect("ours");
}

async fn run(directory: &Path, line: &[String], variables: &[(String, String)]) -> Ended {
    let mut command = greylag().command(line);
    command
        .current_dir(directory)
        .env("HOME", directory)
        .envs(variables.iter().cloned());
    let title = format!("greylag {}", line.join(" "));
    Process::start(title, &mut command).wait(RUN_TIMEOUT).await
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A short run, whose settings options after it replace.
fn short_run(host: &str) -> Vec<String> {
    words(&format!(
        "run --scenario tagged -H {host} -u 2 -r 50 -t 1s --headless --summary s.json"
    ))
}

async fn does_what_it_says(flag: &str, host: &str) {
    let directory = TempDir::new().expect("a directory");
    prepare(directory.path());
    let (value, more, effect) = example(flag, free_port());
    let mut line = short_run(host);
    line.extend(more);
    if matches!(effect, Effect::Code(_)) {
        // A test whose only request fails, in place of the scenario.
        let text = "wait_time = 0.1\n[[request]]\npath = \"/missing\"\n";
        fs::write(directory.path().join("failing.toml"), text).expect("ours");
        line = words(&format!(
            "run failing.toml -H {host} -u 1 -t 1s --headless --summary s.json"
        ));
    }
    line.push(flag.to_owned());
    if !value.is_empty() {
        line.push(value.replace("TARGET", host));
    }
    let summary = || read_summary(&directory.path().join("s.json")).0;
    let is_seen_in_requests = matches!(
        effect,
        Effect::NotSays(_) | Effect::Endpoints(_) | Effect::Code(_)
    );
    let mut ended = run(directory.path(), &line, &[]).await;
    for _ in 1..TRIES {
        if !is_seen_in_requests || ended.code != Some(0) || summary().totals.requests > 0 {
            break;
        }
        ended = run(directory.path(), &line, &[]).await;
    }
    let output = format!("{}{}", ended.stdout, ended.stderr);
    let code = match effect {
        Effect::Code(code) => code,
        _ => 0,
    };
    assert_eq!(ended.code, Some(code), "{line:?}: {ended:?}");
    match effect {
        Effect::Prints(text) => {
            assert!(ended.stdout.contains(text), "{line:?}: {ended:?}");
            assert!(!directory.path().join("s.json").exists(), "{line:?}");
        }
        Effect::Says(text) => assert!(ended.stdout.contains(&text), "{line:?}: {ended:?}"),
        Effect::Shows(text) => assert!(ended.stderr.contains(text), "{line:?}: {ended:?}"),
        Effect::NotSays(text) => {
            assert!(!output.contains(text), "{line:?}: {ended:?}");
            assert!(summary().totals.requests > 0, "{line:?}");
        }
        Effect::Writes(file) => assert!(directory.path().join(file).exists(), "{line:?}"),
        Effect::Summary(wanted) => {
            let run = summary().run;
            let facts = [
                format!("test {}", run.test),
                format!("users {}", run.users),
                format!("workers {}", run.workers),
                format!("duration {}", run.duration_s),
            ];
            assert!(facts.contains(&wanted.to_owned()), "{line:?}: {facts:?}");
        }
        Effect::Endpoints(allowed) => {
            let endpoints = summary().endpoints;
            assert!(!endpoints.is_empty(), "{line:?}");
            for endpoint in endpoints {
                assert!(
                    allowed.contains(&endpoint.name.as_str()),
                    "{line:?}: {endpoint:?}"
                );
            }
        }
        Effect::Code(_) => {}
    }
}

/// The first words of a note, as the message has them.
fn start_of(note: &str) -> String {
    note.chars().take(30).collect()
}

async fn is_refused(row: &GuideRow, host: &str) {
    let directory = TempDir::new().expect("a directory");
    for flag in row.flags.iter().filter(|flag| flag.starts_with("--")) {
        let line = [short_run(host), vec![format!("{flag}=1")]].concat();
        let ended = run(directory.path(), &line, &[]).await;
        assert_eq!(ended.code, Some(2), "{line:?}: {ended:?}");
        for text in [format!("{flag}: "), start_of(&row.note)] {
            assert!(
                ended.stderr.contains(&text),
                "{text} after {line:?}: {ended:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_option_of_locust_does_what_the_porting_guide_says() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let table = guide_table();
    assert!(table.len() > 50, "{} rows", table.len());

    let (refused, done): (Vec<_>, Vec<_>) = table.iter().partition(|row| row.here == "refused");
    assert!(
        done.iter()
            .all(|row| row.here == "same" || row.here == "differs")
    );
    stream::iter(&refused)
        .for_each_concurrent(AT_ONCE, |row| is_refused(row, &host))
        .await;
    assert_eq!(
        nginx.log_so_far().totals().requests,
        0,
        "nothing was started"
    );

    // All of them together: one message has all.
    let directory = TempDir::new().expect("a directory");
    let flags = refused.iter().flat_map(|row| &row.flags);
    let all: Vec<String> = flags
        .filter(|flag| flag.starts_with("--"))
        .map(|flag| format!("{flag}=1"))
        .collect();
    let ended = run(
        directory.path(),
        &[short_run(&host), all.clone()].concat(),
        &[],
    )
    .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("{} problems", all.len())),
        "{ended:?}"
    );

    let flags: Vec<&String> = done.iter().flat_map(|row| &row.flags).collect();
    stream::iter(flags)
        .for_each_concurrent(AT_ONCE, |flag| does_what_it_says(flag, &host))
        .await;
}

/// What each variable that has a counterpart is set to.
fn value_of(variable: &str, host: &str, port: u16) -> String {
    match variable {
        "LOCUST_LOCUSTFILE" => "named.toml".to_owned(),
        "LOCUST_HOST" => host.to_owned(),
        "LOCUST_USERS" => "3".to_owned(),
        "LOCUST_SPAWN_RATE" => "60".to_owned(),
        "LOCUST_RUN_TIME" => UNTIL_PRINTED.to_owned(),
        "LOCUST_WEB_HOST" => "127.0.0.3".to_owned(),
        "LOCUST_WEB_PORT" => port.to_string(),
        "LOCUST_HEADLESS" => "false".to_owned(),
        "LOCUST_PROCESSES" => "2".to_owned(),
        "LOCUST_TAGS" => "[read, write]".to_owned(),
        "LOCUST_EXCLUDE_TAGS" => "write".to_owned(),
        "LOCUST_HTML" => "from-variable.html".to_owned(),
        "LOCUST_CSV" => "from-variable".to_owned(),
        "LOCUST_CSV_FULL_HISTORY" | "LOCUST_PRINT_STATS" => "TRUE".to_owned(),
        "LOCUST_ONLY_SUMMARY" => "off".to_owned(),
        "LOCUST_SKIP_LOG_SETUP" => "no".to_owned(),
        "LOCUST_LOGLEVEL" => "DEBUG".to_owned(),
        "LOCUST_LOGFILE" => "own.log".to_owned(),
        "LOCUST_EXIT_CODE_ON_ERROR" => "9".to_owned(),
        "LOCUST_STOP_TIMEOUT" => "2s".to_owned(),
        "LOCUST_USER_CLASSES" => "Tagged".to_owned(),
        other => panic!("the guide has {other}, which this test has no value for"),
    }
}

#[tokio::test]
async fn every_variable_of_locust_does_what_the_porting_guide_says() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let port = free_port();
    let table = guide_table();
    let of = |wants_refused: bool| {
        table
            .iter()
            .filter(move |row| (row.here == "refused") == wants_refused)
            .filter_map(|row| Some((row.variable.clone()?, row)))
    };

    let directory = TempDir::new().expect("a directory");
    prepare(directory.path());
    let variables: Vec<(String, String)> = of(false)
        .map(|(name, _)| (name.clone(), value_of(&name, &host, port)))
        .collect();
    let line = words("run --scenario tagged --summary s.json");
    let ended = run(directory.path(), &line, &variables).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("s.json"));
    let facts = &summary.run;
    assert_eq!((facts.users, facts.workers, facts.duration_s), (3, 2, 8.0));
    assert_eq!(facts.test, "from-file");
    assert!(
        summary
            .endpoints
            .iter()
            .all(|endpoint| endpoint.name == "/read")
    );
    let page = format!("http://127.0.0.3:{port}/runs/");
    assert!(ended.stdout.contains(&page), "{ended:?}");
    assert!(
        ended.stderr.contains("# reqs"),
        "LOCUST_PRINT_STATS: {ended:?}"
    );
    for file in ["from-variable.html", "from-variable_stats.csv", "own.log"] {
        assert!(directory.path().join(file).exists(), "{file}");
    }
    let log = fs::read_to_string(directory.path().join("own.log")).expect("it is there");
    assert!(log.contains("DEBUG"), "LOCUST_LOGLEVEL: {log}");
    // The exit code for failures: of a test in which all fails.
    let text = "users = 1\nduration = 2\nwait_time = 0.1\n[[request]]\npath = \"/missing\"\n";
    fs::write(directory.path().join("failing.toml"), text).expect("ours");
    let of_failures: Vec<(String, String)> = variables
        .iter()
        .filter(|(name, _)| ["LOCUST_HOST", "LOCUST_EXIT_CODE_ON_ERROR"].contains(&name.as_str()))
        .cloned()
        .collect();
    let ended = run(
        directory.path(),
        &words("run failing.toml --headless"),
        &of_failures,
    )
    .await;
    assert_eq!(ended.code, Some(9), "{ended:?}");

    // Those without a counterpart are named, each with its reason, and the run continues.
    let directory = TempDir::new().expect("a directory");
    let variables: Vec<_> = of(true).map(|(name, _)| (name, "1".to_owned())).collect();
    let ended = run(directory.path(), &short_run(&host), &variables).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (name, row) in of(true) {
        let text = format!("{name} ({}", start_of(&row.note));
        assert!(ended.stderr.contains(&text), "{text}: {}", ended.stderr);
    }
}
