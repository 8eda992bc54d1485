//! Locust's command line, as it ports: its options, its files, its lists.

use std::fs;
use std::path::Path;

use greylag_tests::{Cluster, Nginx, Process, heavy, local_url};
use tempfile::TempDir;

use super::results::{TABLES, read_summary, run_page};
use crate::support::{RUN_TIMEOUT, SOON, greylag};

const PERCENTILES: &str = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";

/// The rows of a CSV file without quotes inside of fields, the header first.
fn csv(directory: &Path, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(directory.join(name))
        .unwrap_or_else(|error| panic!("{name} was not written: {error}"));
    text.lines()
        .map(|line| {
            line.split(',')
                .map(|field| field.trim_matches('"').to_owned())
                .collect()
        })
        .collect()
}

/// The fields of the row that has this value in this column.
fn row<'a>(rows: &'a [Vec<String>], column: usize, value: &str) -> &'a [String] {
    rows.iter()
        .find(|row| row.get(column).is_some_and(|field| field == value))
        .unwrap_or_else(|| panic!("no {value} in {rows:?}"))
}

#[tokio::test]
async fn a_command_line_of_locust_runs_and_writes_its_files() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
    let line = [
        "run",
        "--scenario",
        "tagged",
        "-H",
        &host,
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "4s",
        "-s",
        "5",
        "-T",
        "read",
        "slow",
        "-E",
        "write",
        "--csv",
        "results/load",
        "--csv-full-history",
        "--only-summary",
        "--headless",
        "--exit-code-on-error",
        "3",
    ];
    // A port of the environment's does not contradict the absence of a page, nor its ramp-up to -r.
    let mut command = greylag().command(line);
    command
        .current_dir(directory.path())
        .env("GREYLAG_PORT", greylag_tests::free_port().to_string())
        .env("GREYLAG_RAMP_UP", "3s");
    let ended = Process::start("greylag run", &mut command)
        .wait(RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(0), "nothing failed: {ended:?}");
    for heading in &TABLES[..4] {
        assert!(ended.stdout.contains(heading), "{heading}: {ended:?}");
    }
    assert_eq!(local_url(&ended.stdout), None, "{}", ended.stdout);
    assert_eq!(local_url(&ended.stderr), None, "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("rps"),
        "no progress: {}",
        ended.stderr
    );

    let log = nginx.finish().await;
    assert!(log.requests.iter().all(|request| request.path == "/read"));
    let requests = log.totals().requests.to_string();
    let results = directory.path().join("results");

    let stats = csv(&results, "load_stats.csv");
    let header = format!(
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,{PERCENTILES}"
    );
    assert_eq!(stats[0].join(","), header);
    assert_eq!(
        row(&stats, 1, "/read")[..4],
        ["GET", "/read", &requests, "0"]
    );
    assert_eq!(row(&stats, 1, "Aggregated")[2..4], [requests.as_str(), "0"]);

    let history = csv(&results, "load_stats_history.csv");
    let header = format!(
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,{PERCENTILES},Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size"
    );
    assert_eq!(history[0].join(","), header);
    for name in ["/read", "Aggregated"] {
        let last = history
            .iter()
            .rfind(|row| row.get(3).is_some_and(|field| field == name))
            .unwrap_or_else(|| panic!("no {name} in {history:?}"));
        assert_eq!(last[17..19], [requests.as_str(), "0"], "{name}");
    }

    let failures = csv(&results, "load_failures.csv");
    let header = "Method,Name,Error,Occurrences,First Seen,Last Seen";
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].join(","), header);
    let exceptions = csv(&results, "load_exceptions.csv");
    assert_eq!(exceptions, [["Count", "Message", "Traceback", "Nodes"]]);
}

#[tokio::test]
async fn a_test_file_says_stages_options_and_tags() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let file = |text: &str| {
        let text = format!("host = \"{}\"\n{text}", nginx.url());
        fs::write(directory.path().join("test.toml"), text).expect("ours");
    };
    file(concat!(
        "scenario = \"optional\"\n[options]\nmode = \"write\"\nrows = 4\nfast = true\n",
        "[[stage]]\nusers = 2\nduration = \"1s\"\n",
        "[[stage]]\nusers = 4\nramp = \"1s\"\nduration = \"2s\"\n",
    ));
    let run = ["run", "test.toml", "--data", "d", "--summary", "s.json"];
    let ended = greylag().run_in(directory.path(), &run, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    run_page(&ended);
    let (summary, _) = read_summary(&directory.path().join("s.json"));
    assert_eq!((summary.run.users, summary.run.duration_s), (4, 3.0));
    let log = nginx.log_with(summary.totals.requests).await;
    assert_eq!(summary.totals.requests, log.totals().requests);
    let expected = "/option/write/4/true?key=none";
    assert!(log.requests.iter().all(|request| request.path == expected));

    // Failed requests make the exit code, when one is asked for.
    file(concat!(
        "users = 1\nduration = \"2s\"\n",
        "[[request]]\npath = \"/missing\"\n",
    ));
    let failing = [&run[..], &["--exit-code-on-error", "3", "--csv", "load"]].concat();
    let before = log.totals();
    let ended = greylag()
        .run_in(directory.path(), &failing, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("s.json"));
    let log = nginx
        .log_with(before.requests + summary.totals.requests)
        .await;
    let failed = (log.totals().failures - before.failures).to_string();
    let failures = csv(directory.path(), "load_failures.csv");
    assert_eq!(row(&failures, 1, "/missing")[3], failed);

    file("scenario = \"tagged\"\ntags = [\"slow\"]\nusers = 1\nduration = \"2s\"\n");
    let ended = greylag().run_in(directory.path(), &run, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let log = nginx.finish().await;
    let tagged: Vec<_> = log
        .requests
        .iter()
        .filter(|request| !request.path.starts_with("/option/") && request.path != "/missing")
        .map(|request| (request.method.as_str(), request.path.as_str()))
        .collect();
    assert!(!tagged.is_empty() && tagged.iter().all(|asked| *asked == ("POST", "/write")));
}

#[tokio::test]
async fn contradictions_and_unknown_names_are_refused_before_load_starts() {
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let cases: [(&[&str], &str); 7] = [
        (
            &["--scenario", "optional", "-o", "rwos=3"],
            "has no option `rwos`; did you mean `rows`?",
        ),
        (&["-r", "2", "--ramp-up", "3s"], "--ramp-up"),
        (&["--headless", "--port", "1"], "--headless"),
        (
            &["--headless", "--coordinator", "http://127.0.0.1:1"],
            "--coordinator",
        ),
        (
            &["--port", "1", "--coordinator", "http://127.0.0.1:1"],
            "--port",
        ),
        (
            &["--scenario", "tagged", "-T", "read", "test.toml"],
            "`test.toml` is not read as the test file",
        ),
        (&["--csv-full-history"], "--csv"),
    ];
    for (flags, words) in cases {
        let line = [&["run", "--host", &host, "-t", "2s"], flags].concat();
        let ended = greylag().run(&line, SOON).await;
        assert_eq!(ended.code, Some(2), "{flags:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{flags:?}: {}", ended.stderr);
    }
    assert_eq!(nginx.finish().await.totals().requests, 0);
}

#[tokio::test]
async fn a_coordinator_asks_the_load_shape_how_long_it_takes() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let host = nginx.url();
    let line = [
        "run",
        "--scenario",
        "endless",
        "--host",
        &host,
        "--infrastructure",
        "lab",
        "--coordinator",
        cluster.api().url(),
    ];
    let ended = greylag().run(&line, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("does not end"), "{}", ended.stdout);
    assert_eq!(nginx.finish().await.totals().requests, 0);
}

/// A shell with job control: `greylag run … &` must not be stopped for touching the terminal.
#[tokio::test]
async fn a_run_in_the_background_of_a_terminal_continues() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let run = greylag().command([
        "run",
        "--scenario",
        "tagged",
        "-u",
        "1",
        "-t",
        "2s",
        "--headless",
        "-H",
    ]);
    let script = format!("{:?} {} & wait; echo the shell ends", run, nginx.url())
        .split_once("\"/")
        .map(|(_, rest)| format!("\"/{rest}"))
        .expect("the program has an absolute path");
    let inner = directory.path().join("inner.sh");
    fs::write(&inner, script).expect("ours");
    let mut command = greylag_tests::clean_command("script");
    command
        .args(["-qec", "sh -m inner.sh", "/dev/null"])
        .current_dir(directory.path());
    let ended = Process::start("script", &mut command)
        .wait(RUN_TIMEOUT)
        .await;
    assert!(ended.stdout.contains("Run #1 finished"), "{ended:?}");
    assert!(ended.stdout.contains("the shell ends"), "{ended:?}");
    assert!(nginx.finish().await.totals().requests > 0);
}

#[tokio::test]
async fn the_share_of_each_task_is_shown_as_locust_does() {
    let listed = greylag()
        .run(&["scenarios", "--show-task-ratio"], SOON)
        .await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let (_, tagged) = listed
        .stdout
        .split_once("tagged: Has tags")
        .expect("it is there");
    let tasks: Vec<&str> = tagged.lines().skip(2).take(3).map(str::trim).collect();
    assert_eq!(
        tasks,
        [
            "33.3% Tagged::read [read]",
            "33.3% Tagged::write [slow, write]",
            "33.3% Tagged::plain"
        ],
        "{tagged}"
    );
    let short = greylag().run(&["scenarios"], SOON).await;
    assert!(!short.stdout.contains("33.3%"), "{}", short.stdout);
}
