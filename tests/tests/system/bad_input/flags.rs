//! Flags with values that make no test.

use greylag_tests::Nginx;
use tempfile::TempDir;

use super::refusal::{REFUSED_WITHIN, entries, refused_run};
use crate::support::greylag;

#[tokio::test]
async fn flags() {
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let directory = TempDir::new().expect("a directory");
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["--users", "0"],
            &["users must be between 1 and 1000000, got 0"],
        ),
        (
            &["--workers", "0"],
            &["workers must be between 1 and 20000, got 0"],
        ),
        (
            &["--duration", "0"],
            &["duration must be between 1s and 30 days, got 0s"],
        ),
        (&["--ramp-up", "800h"], &["ramp-up", "at most 30 days"]),
        (
            &["--users", "2", "--workers", "3"],
            &["at most one worker per user"],
        ),
        (
            &["--scenario", "no-such-scenario"],
            &["no-such-scenario", "shop"],
        ),
        (&["no-such-file.toml"], &["no-such-file.toml"]),
    ];
    for (arguments, words) in cases {
        // What is not under test is right, so that only the error can be what is refused.
        let mut all: Vec<&str> = arguments.to_vec();
        for (flag, value) in [("--host", host.as_str()), ("--scenario", "shop")] {
            if !all.contains(&flag) {
                all.extend([flag, value]);
            }
        }
        refused_run(directory.path(), &all, words).await;
    }
    for bad in [
        "example.com",
        "ftp://example.com",
        "http://",
        "not a url",
        "127.0.0.1:80",
    ] {
        refused_run(
            directory.path(),
            &["--scenario", "shop", "--host", bad],
            &["is not a URL"],
        )
        .await;
    }
    assert!(
        nginx.finish().await.requests.is_empty(),
        "load was generated"
    );
}

#[tokio::test]
async fn values_that_are_no_numbers_or_durations() {
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        ["run", "--host", "http://127.0.0.1:1", "--users", "many"],
        ["run", "--host", "http://127.0.0.1:1", "--users", "-1"],
        ["run", "--host", "http://127.0.0.1:1", "--duration", "soon"],
        ["run", "--host", "http://127.0.0.1:1", "--ramp-up", "1d"],
        ["run", "--host", "http://127.0.0.1:1", "--no-such-flag", "1"],
        ["coordinator", "--data", "data", "--listen", "nowhere"],
        [
            "agent",
            "--infrastructure",
            "lab",
            "--coordinator",
            "not a url",
        ],
        [
            "agent",
            "--infrastructure",
            "lab",
            "--coordinator",
            "ftp://127.0.0.1",
        ],
        [
            "agent",
            "--coordinator",
            "http://127.0.0.1:1",
            "--infrastructure",
            "a/b",
        ],
    ] {
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(
            !ended.stderr.trim().is_empty(),
            "{arguments:?} says nothing"
        );
        assert!(
            entries(directory.path()).is_empty(),
            "{arguments:?} left something behind"
        );
    }
}
