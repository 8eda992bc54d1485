//! Command lines as they are found in people's scripts: each runs, or gives one message that lists everything.

use std::fs;

use greylag_tests::{Ended, Nginx, Process, heavy};
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, greylag};

/// What becomes of a line.
enum Then {
    /// It runs and its users send requests.
    Runs,
    /// Exit code 2, and the message has all of these.
    Refused(&'static [&'static str]),
}

use Then::{Refused, Runs};

type Variables = &'static [(&'static str, &'static str)];

/// The line after `locust` (here: the user's own binary), its variables, and what becomes of it.
const LINES: [(&str, Variables, Then); 13] = [
    // The line of CI systems.
    (
        "--headless -u 2 -r 10 -t 1s -H TARGET --only-summary",
        &[],
        Runs,
    ),
    (
        "-f locustfile.py --headless -u 100 -r 10 --run-time 5m --html r.html -H TARGET",
        &[],
        Refused(&["locustfile.py"]),
    ),
    (
        "--headless --users 2 --spawn-rate 10 --run-time 1s --host TARGET --processes 2",
        &[],
        Runs,
    ),
    (
        "--headless -u 2 -r 10 -t 1s -H TARGET --processes -1 --loglevel WARNING --logfile load.log",
        &[],
        Runs,
    ),
    (
        "--master --expect-workers 4 --headless -u 1000 -r 100 -t 10m -H TARGET",
        &[],
        Refused(&[
            "2 problems",
            "--master: ",
            "--expect-workers: ",
            "greylag coordinator",
        ]),
    ),
    (
        "--worker --master-host 10.0.0.1 --master-port 5557",
        &[],
        Refused(&[
            "3 problems",
            "--worker: ",
            "--master-host: ",
            "--master-port: ",
            "greylag agent",
        ]),
    ),
    (
        "--headless -u 2 -r 10 -t 1s -H TARGET -T read -E write slow --csv out --csv-full-history",
        &[],
        Runs,
    ),
    ("--config load.conf --headless -H TARGET", &[], Runs),
    (
        "",
        &[
            ("LOCUST_HEADLESS", "true"),
            ("LOCUST_HOST", "TARGET"),
            ("LOCUST_USERS", "2"),
            ("LOCUST_SPAWN_RATE", "2"),
            ("LOCUST_RUN_TIME", "1s"),
            ("LOCUST_TAGS", ""),
        ],
        Runs,
    ),
    (
        "Tagged --headless -u 2 -r 10 -t 1s -H TARGET --stop-timeout 5 --exit-code-on-error 1",
        &[],
        Runs,
    ),
    (
        "--autostart --autoquit 10 -u 5 -r 1 -t 1m -H TARGET --web-port 8090 --json",
        &[],
        Refused(&["3 problems", "--autostart: ", "--autoquit: ", "--json: "]),
    ),
    (
        "--headless -u ten -r 0x5 -t 5minutes -H TARGET --class-picker --reset-stats",
        &[],
        Refused(&[
            "5 problems",
            "--users",
            "--spawn-rate",
            "'5minutes'",
            "--class-picker: ",
            "--reset-stats: ",
        ]),
    ),
    (
        "--headless -u 2 -t 1s -H TARGET",
        &[
            ("LOCUST_EXPECT_WORKERS", "3"),
            ("LOCUST_MODE_MASTER", "false"),
            ("LOCUST_STOP_TIMEOUT", "5s"),
        ],
        Runs,
    ),
];

/// Runs a line to its end; how it ended, and how many requests its target got.
async fn type_in(line: &str, variables: Variables) -> (Ended, u64) {
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let directory = TempDir::new().expect("a directory");
    let config = "users = 2\nspawn-rate = 10\nrun-time = 1s\nheadless = true\n";
    fs::write(directory.path().join("load.conf"), config).expect("ours");
    let line = line.replace("TARGET", &host);
    let mut command = greylag().command(line.split_whitespace());
    command
        .current_dir(directory.path())
        .env("HOME", directory.path())
        // The first scenario of the binary under test is not for this.
        .env("GREYLAG_SCENARIO", "tagged")
        .envs(
            variables
                .iter()
                .map(|(name, value)| (name, value.replace("TARGET", &host))),
        );
    let title = format!("greylag {line}");
    let ended = Process::start(title, &mut command).wait(RUN_TIMEOUT).await;
    (ended, nginx.finish().await.totals().requests)
}

/// A run of a second sends nothing where the machine stands still for that second: then it is run again.
const TRIES: usize = 3;

#[tokio::test]
async fn thirteen_command_lines_run_or_say_everything_at_once() {
    let _turn = heavy().await;
    for (line, variables, then) in LINES {
        let (mut ended, mut requests) = type_in(line, variables).await;
        for _ in 1..TRIES {
            if requests > 0 || ended.code != Some(0) {
                break;
            }
            (ended, requests) = type_in(line, variables).await;
        }
        match then {
            Runs => {
                assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
                assert!(requests > 0, "{line}: {ended:?}");
            }
            Refused(texts) => {
                assert_eq!(ended.code, Some(2), "{line}: {ended:?}");
                for text in texts {
                    assert!(
                        ended.stderr.contains(text),
                        "{text} after {line}: {ended:?}"
                    );
                }
                assert_eq!(requests, 0, "{line}");
            }
        }
    }
}
