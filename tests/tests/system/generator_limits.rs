//! What the load generator itself runs short of is said before the start, beside the numbers and at the end.

use std::process::Command;

use greylag_tests::{Ended, Nginx, Process, alone, clean_command};
use tempfile::TempDir;

use crate::command_line::results::read_summary;
use crate::support::RUN_TIMEOUT;

/// `run` with these arguments and at most so many open files.
async fn run_with_files(directory: &TempDir, files: u32, arguments: &[&str]) -> Ended {
    let mut command: Command = clean_command("sh");
    command
        .current_dir(directory.path())
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(files.to_string())
        .args([env!("CARGO_BIN_EXE_greylag_under_test"), "run"])
        .args(["--headless", "--summary", "summary.json"])
        .args(arguments);
    Process::start("run", &mut command).wait(RUN_TIMEOUT).await
}

#[tokio::test]
async fn too_few_files_for_the_users_are_said_before_the_start() {
    let _turn = alone().await;
    let (nginx, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let url = nginx.url();
    let arguments = |users| {
        let load = ["--duration", "2s", "--ramp-up", "0s", "--users", users];
        [&["--scenario", "idle", "--host", &url][..], &load].concat()
    };
    let ended = run_with_files(&directory, 200, &arguments("190")).await;
    let (summary, _) = read_summary(&directory.path().join("summary.json"));
    let warning = &summary.warnings[0];
    assert_eq!(
        (
            warning.kind.as_str(),
            warning.worker,
            warning.count,
            warning.worst
        ),
        ("few_file_descriptors", Some(0), 190, 200),
        "{warning:?}"
    );
    // When it appears, and below the tables.
    for (output, head) in [(&ended.stderr, "Warning: "), (&ended.stdout, "- ")] {
        let line = format!("{head}{}\n", warning.message);
        assert!(output.contains(&line), "{line:?} is not in {output}");
    }
    assert!(warning.message.contains("ulimit -n"), "{warning:?}");

    let ended = run_with_files(&directory, 200, &arguments("20")).await;
    let (summary, _) = read_summary(&directory.path().join("summary.json"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let few = |kind: &str| kind == "few_file_descriptors";
    assert!(
        !summary.warnings.iter().any(|warning| few(&warning.kind)),
        "{:?}",
        summary.warnings
    );
}

/// A worker whose users compute all the time measures its own delay, too.
#[tokio::test]
async fn a_worker_at_the_end_of_its_core_is_said_beside_the_numbers() {
    let _turn = alone().await;
    let (nginx, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let url = nginx.url();
    // So many that some compute while others wait for a target that is slow on a busy machine.
    let load = ["--duration", "7s", "--ramp-up", "0s", "--users", "30"];
    let arguments = [&["--scenario", "computing", "--host", &url][..], &load].concat();
    let ended = run_with_files(&directory, 1_024, &arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("summary.json"));
    // With other work on the machine it waits for its core now and then rather than using it up.
    let of_core: Vec<_> = summary
        .warnings
        .iter()
        .filter(|warning| ["cpu", "cpu_wait"].contains(&warning.kind.as_str()))
        .collect();
    let seconds: u64 = of_core.iter().map(|warning| warning.count).sum();
    assert!(seconds >= 3, "{:?}", summary.warnings);
    for warning in of_core {
        assert_eq!(warning.worker, Some(0));
        assert!(warning.last_second < 10, "{warning:?}");
        assert!(ended.stdout.contains(&warning.message), "{}", ended.stdout);
        let delay = "include the generator's own delay";
        assert!(warning.message.contains(delay), "{warning:?}");
    }
}
