//! Listing, exporting and deleting runs that a coordinator has.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use greylag_infra::protocol::LogLine;
use greylag_infra::{Completeness, LoadProfile, LoadTest, RunPhase, RunRecord, WallTime};
use greylag_reporting::Store;

use super::greylag;

/// What is in the log of every run.
const SAID: [(&str, &str); 3] = [
    ("east/worker-0", "checking out"),
    ("east/worker-1", "ERROR no basket"),
    ("coordinator", "east has ended"),
];

/// A coordinator with these runs, ended with the value.
struct Coordinator {
    process: Child,
    url: String,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Coordinator {
    /// `runs`: id, test, and how many days ago it ended; none for one that has not.
    fn with(directory: &Path, runs: &[(&str, &str, Option<u32>)]) -> Self {
        let data = directory.join("data");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = Store::open(&data).unwrap();
            for (id, test, days) in runs {
                store.create_run(record(id, test, *days)).await.unwrap();
                let said = SAID.map(|(source, text)| LogLine {
                    at: WallTime::default(),
                    source: source.to_owned(),
                    text: text.to_owned(),
                });
                store
                    .append_log(&(*id).into(), said.to_vec())
                    .await
                    .unwrap();
            }
            store.close().await;
        });
        let mut process = Command::new(env!("CARGO_BIN_EXE_greylag"))
            .args(["coordinator", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Greylag is at ").unwrap();
        Self {
            url: url.to_owned(),
            process,
        }
    }

    /// What a command prints, standard output and standard error, and its exit code.
    fn answer(&self, directory: &Path, arguments: &[&str]) -> (String, Option<i32>) {
        let coordinator = ["--coordinator", self.url.as_str()];
        let output = greylag(directory, &[arguments, &coordinator].concat());
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    }

    /// The ids of its runs as `greylag runs` lists them.
    fn ids(&self, directory: &Path) -> Vec<String> {
        let (listed, code) = self.answer(directory, &["runs"]);
        assert_eq!(code, Some(0), "{listed}");
        let lines = listed.lines().skip(1);
        let ids = lines.map(|line| line.split(' ').next().unwrap_or_default());
        ids.map(str::to_owned).collect()
    }
}

fn record(id: &str, test: &str, ended_days_ago: Option<u32>) -> RunRecord {
    const DAY_US: u64 = 86_400_000_000;
    let days = u64::from(ended_days_ago.unwrap_or_default());
    let started = WallTime::from_micros(WallTime::of_system().as_micros() - days * DAY_US);
    RunRecord {
        id: id.into(),
        number: 0,
        test: LoadTest {
            name: test.to_owned(),
            ..LoadTest::default()
        },
        phase: if ended_days_ago.is_some() {
            RunPhase::Finished
        } else {
            RunPhase::Running
        },
        created_at: started,
        started_at: Some(started),
        ended_at: ended_days_ago.map(|_| started),
        agents: Vec::new(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

#[test]
fn runs_are_listed_and_deleted_by_id_test_and_age() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let coordinator = Coordinator::with(
        directory,
        &[
            ("aaaa", "checkout", Some(90)),
            ("bbbb", "search", Some(60)),
            ("cccc", "checkout", Some(40)),
            ("dddd", "search", Some(10)),
            ("eeee", "checkout", Some(1)),
        ],
    );
    assert_eq!(
        coordinator.ids(directory),
        ["eeee", "dddd", "cccc", "bbbb", "aaaa"]
    );
    let (listed, _) = coordinator.answer(directory, &["runs", "--test", "search", "--limit", "1"]);
    assert!(listed.contains("dddd  search #2  Finished"), "{listed}");
    assert!(listed.contains("The newest 1 of 2 runs"), "{listed}");

    // Nothing is deleted unless it is clear what, and that this is meant.
    for (arguments, words, code) in [
        (&["delete", "aaaa"][..], "add --yes", 2),
        (&["delete", "--yes"], "required", 2),
        (
            &["delete", "--yes", "aaaa", "--test", "search"],
            "cannot be used with",
            2,
        ),
        (&["delete", "--yes", "aaaa", "zzzz"], "zzzz", 2),
        (&["delete", "--yes", "../x"], "the last part of its URL", 2),
        (
            &["delete", "--yes", "--older-than", "a while"],
            "such as 30d",
            2,
        ),
        (
            &["delete", "--yes", "--test", "login"],
            "No runs to delete.",
            0,
        ),
    ] {
        let (said, ended) = coordinator.answer(directory, arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    }
    assert_eq!(coordinator.ids(directory).len(), 5);

    let delete = |arguments: &[&str]| {
        let arguments = [&["delete", "--yes"], arguments].concat();
        coordinator.answer(directory, &arguments)
    };
    let deleted = |runs: &str| (format!("Deleted {runs}.\n"), Some(0));
    assert_eq!(
        delete(&["--test", "checkout", "--older-than", "30d"]),
        deleted("2 runs")
    );
    assert_eq!(coordinator.ids(directory), ["eeee", "dddd", "bbbb"]);
    assert_eq!(delete(&["--older-than", "1000h"]), deleted("1 run"));
    assert_eq!(delete(&["dddd", "eeee"]), deleted("2 runs"));
    assert_eq!(
        coordinator.answer(directory, &["runs"]),
        ("No runs.\n".to_owned(), Some(0))
    );
}

#[test]
fn a_log_is_printed_and_searched() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::with(directory.path(), &[("abc123", "checkout", Some(1))]);
    let line = |at: usize| {
        let (source, text) = SAID[at];
        format!("[1970-01-01T00:00:00Z] {source}: {text}\n")
    };
    for (arguments, expected) in [
        (&[][..], vec![0, 1, 2]),
        (&["--follow"], vec![0, 1, 2]),
        (&["--grep", "CHECK"], vec![0]),
        (&["--grep", "^.ast", "--regex"], vec![0, 1, 2]),
        (&["--level", "error"], vec![1]),
        (&["--agent", "east/worker-0"], vec![0]),
        (&["--agent", "east", "--grep", "ended"], vec![]),
    ] {
        let arguments = [&["log", "abc123"], arguments].concat();
        let (text, code) = coordinator.answer(directory.path(), &arguments);
        let expected: String = expected.into_iter().map(line).collect();
        assert_eq!((text, code), (expected, Some(0)), "{arguments:?}");
    }
    let wrong = ["log", "abc123", "--grep", "a(", "--regex"];
    let (text, code) = coordinator.answer(directory.path(), &wrong);
    assert_eq!(code, Some(2));
    assert!(text.contains("unclosed group, at character 2"), "{text}");
}

#[test]
fn a_run_is_exported_to_files_and_to_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let coordinator = Coordinator::with(directory, &[("abc123", "checkout", Some(1))]);
    let export = |arguments: &[&str]| {
        let arguments = [&["export", "abc123"], arguments].concat();
        coordinator.answer(directory, &arguments)
    };
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    let (text, code) = export(&["--format", "json"]);
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&summary["run"]["id"], code), (&"abc123".into(), Some(0)));

    std::fs::write(directory.join("series.csv"), "old").unwrap();
    let (said, code) = export(&["--format", "series.csv", "--output", "series.csv"]);
    assert_eq!(
        (said.as_str(), code),
        ("Wrote series.csv (1 KiB).\n", Some(0))
    );
    assert!(read("series.csv").starts_with("second,at,method,name,users,"));
    let (text, code) = export(&["--format", "samples.csv", "-o", "-"]);
    assert!(text.starts_with("at_s,at,method,"), "{text}");
    assert_eq!(code, Some(0));

    for format in ["junit", "markdown"] {
        let (text, code) = export(&["--format", format]);
        let page = format!("{}/runs/abc123", coordinator.url);
        assert!(text.contains(&page), "{format}: {text}");
        assert_eq!(code, Some(0));
    }
    let (text, code) = export(&["--format", "html"]);
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
    assert_eq!(code, Some(0));

    let (said, code) = export(&["--format", "csv", "--output", "results/checkout"]);
    assert_eq!(
        (said.as_str(), code),
        ("Wrote results/checkout_*.csv.\n", Some(0))
    );
    for ending in ["stats", "failures", "exceptions", "stats_history"] {
        assert!(!read(&format!("results/checkout_{ending}.csv")).is_empty());
    }

    for (arguments, words) in [
        (&["--format", "csv"][..], "--output results/checkout"),
        (&["--format", "pdf"], "series.csv"),
        (&["--format", "json", "-o", "no/such/file"], "no/such/file"),
        (&["--format", "json", "-o", "results"], "directory"),
    ] {
        let (said, code) = export(arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
    }
    for format in ["json", "csv"] {
        let unknown = ["export", "zzz", "--format", format, "-o", "none"];
        let (said, code) = coordinator.answer(directory, &unknown);
        assert!(said.contains("`zzz` was not found"), "{said}");
        assert_eq!(code, Some(2));
    }
    let left = std::fs::read_dir(directory).unwrap();
    let left = left.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let left: Vec<String> = left.filter(|name| name != "data").collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
