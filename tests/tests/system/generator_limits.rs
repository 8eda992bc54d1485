//! What the load generator itself runs short of is said before the start, beside the numbers and at the end.

use std::collections::BTreeSet;
use std::process::Command;

use greylag_tests::summary::{Stretch, Summary, Warning};
use greylag_tests::{Cluster, Ended, Nginx, Process, alone, clean_command};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::results::read_summary;
use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

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
    // A machine that stands still for a moment makes the generator saturated, too.
    let few = |warning: &&Warning| warning.kind == "few_file_descriptors";
    let warning = summary.warnings.iter().find(few);
    let warning = warning.unwrap_or_else(|| panic!("{:?}", summary.warnings));
    assert_eq!(
        (warning.worker, warning.count, warning.worst),
        (Some(0), 190, 200),
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
    let warning = summary.warnings.iter().find(few);
    assert!(warning.is_none(), "{warning:?}");
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
    let generator = &summary.generator;
    // Seconds in which all users wait for a delayed target are not saturated.
    assert!(generator.saturated_seconds > 0, "{generator:?}");
    let worst = generator.worst.as_ref().expect("it is measured");
    assert_eq!(worst.worker, 0);
    // With other work on the machine it waits for its core now and then rather than using it up.
    let wanted = worst.core_percent.zip(worst.wait_percent);
    assert!(
        wanted.is_some_and(|(core, wait)| core + wait > 90.0),
        "{worst:?}"
    );
    let of_generator = |warning: &&Warning| warning.kind == "saturated";
    let warnings: Vec<_> = summary.warnings.iter().filter(of_generator).collect();
    let [warning] = warnings.as_slice() else {
        panic!("one plain warning: {:?}", summary.warnings);
    };
    assert_eq!(warning.count, generator.saturated_seconds);
    let last = f64::from(warning.last_second);
    assert!(last < summary.run.elapsed_s + 1.0, "{warning:?}");
    assert!(ended.stdout.contains(&warning.message), "{}", ended.stdout);
    let delay = "include the generator's own delay";
    assert!(warning.message.contains(delay), "{warning:?}");
}

/// Whatever else is on the machine: what is marked was measured above the limits, and nothing else is.
#[tokio::test]
async fn seconds_are_marked_where_what_was_measured_is_above_the_limits() {
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("health", &["one"])
        .await;
    let api = cluster.api();
    let light = json!({ "users": 4, "workers": 1, "duration": 4, "ramp_up": 0 });
    let id = api.start(&test(&nginx.url(), "health", light)).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let summary = api.summary(&id).await;
    assert!(summary.generator.measured, "{:?}", summary.generator);
    let workers = api.get(&format!("/api/v1/runs/{id}/workers")).await.json();
    let worker = &workers["workers"][0];
    assert_eq!(workers["worker_count"], 1);
    assert_eq!(
        (&worker["agent"], &worker["index"]),
        (&json!("one"), &json!(0))
    );
    for measured in [
        "core_percent",
        "wait_percent",
        "process_percent",
        "memory_bytes",
        "open_files",
        "late_p99_ms",
    ] {
        assert!(worker[measured].as_f64().is_some(), "{measured}: {worker}");
    }
    assert!(worker["requests_per_s"].as_f64() > Some(1.0), "{worker}");
    let agent = &workers["agents"][0];
    for measured in [
        "process_percent",
        "memory_bytes",
        "open_files",
        "file_limit",
        "machine_percent",
        "machine_memory_bytes",
    ] {
        assert!(agent[measured].as_f64().is_some(), "{measured}: {agent}");
    }
    let marked = saturated_seconds(&workers);
    assert_eq!(marked, seconds_above_the_limits(&workers), "{workers}");
    assert_eq!(marked.len() as u64, summary.generator.saturated_seconds);
}

/// The seconds in which a worker wanted more than 90 % of its core or was more than 50 ms late, by the chart's own numbers.
fn seconds_above_the_limits(workers: &Value) -> BTreeSet<u64> {
    let chart = &workers["chart"];
    let seconds = chart["second"].as_array().expect("seconds");
    assert!(!seconds.is_empty(), "{chart}");
    let is_above = |at: usize| {
        let is_above = |column: &str, limit: f64| chart[column][at].as_f64() > Some(limit);
        is_above("wanted_worst_percent", 90.0) || is_above("late_worst_ms", 50.0)
    };
    (0..seconds.len())
        .filter(|at| is_above(*at))
        .filter_map(|at| seconds[at].as_u64())
        .collect()
}

/// Its core is shared with processes that are always busy, and its users want all of it.
#[tokio::test]
async fn a_starved_generator_is_marked_and_its_seconds_can_be_left_out() {
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("starved", &["one"])
        .await;
    let core = first_core();
    // Workers inherit it.
    let pid = cluster.agent(0).pid().to_string();
    let mut pin = clean_command("taskset");
    let mut pinned = Process::start("taskset", pin.args(["-a", "-p", "-c", &core, &pid]));
    assert_eq!(pinned.wait(SOON).await.code, Some(0));
    let busy = || {
        let mut busy = clean_command("taskset");
        busy.args(["-c", &core, "sh", "-c", "while :; do :; done"]);
        Process::start("a busy process", &mut busy)
    };
    let _busy = [busy(), busy(), busy()];

    let api = cluster.api();
    let load =
        json!({ "scenario": "computing", "users": 30, "workers": 1, "duration": 6, "ramp_up": 0 });
    let id = api.start(&test(&nginx.url(), "starved", load)).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let whole = api.summary(&id).await;
    assert!(
        whole.generator.saturated_seconds > 0,
        "{:?}",
        whole.generator
    );
    let workers = api.get(&format!("/api/v1/runs/{id}/workers")).await.json();
    let above = seconds_above_the_limits(&workers);
    assert_eq!(saturated_seconds(&workers), above, "{workers}");
    let worst = whole.generator.worst.as_ref().expect("it is measured");
    assert!(
        worst.wait_percent > Some(20.0),
        "others had its core: {worst:?}"
    );
    let page = api.page(&id).await;
    let button = format!("Leave out {} s", whole.generator.saturated_seconds);
    assert!(page.contains(&button), "{page}");

    let marked: BTreeSet<u64> = stretches(&whole.generator.saturated).collect();
    let in_marked = whole
        .series
        .iter()
        .filter(|point| marked.contains(&u64::from(point.second)));
    let left_out: u64 = in_marked.map(|point| point.requests).sum();
    assert!(left_out > 0, "{whole:?}");
    let answer = api
        .get(&format!("/api/v1/runs/{id}/summary?saturated=leave-out"))
        .await;
    let rest: Summary = serde_json::from_value(answer.json()).expect("a summary");
    assert!(rest.generator.left_out, "{:?}", rest.generator);
    assert_eq!(rest.generator.saturated, whole.generator.saturated);
    assert_eq!(rest.totals.requests, whole.totals.requests - left_out);
    assert_eq!(
        rest.scope.and_then(|scope| scope.saturated).as_deref(),
        Some("leave-out")
    );
    let tables = api
        .get(&format!("/api/v1/runs/{id}/tables?saturated=leave-out"))
        .await;
    assert!(
        tables.body.contains("are left out of all numbers"),
        "{}",
        tables.body
    );
}

/// A core that this process may use.
fn first_core() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is Linux");
    let mut lines = status.lines();
    let cores = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cores = cores.expect("it has cores").trim();
    cores.chars().take_while(char::is_ascii_digit).collect()
}

fn stretches(stretches: &[Stretch]) -> impl Iterator<Item = u64> + '_ {
    stretches
        .iter()
        .flat_map(|stretch| u64::from(stretch.from)..u64::from(stretch.to))
}

/// The seconds that an answer marks.
fn saturated_seconds(generator: &Value) -> BTreeSet<u64> {
    let stretches = generator["saturated"].as_array().expect("stretches").iter();
    let end = |stretch: &Value, end: &str| stretch[end].as_u64().expect("a second");
    stretches
        .flat_map(|stretch| end(stretch, "from")..end(stretch, "to"))
        .collect()
}
