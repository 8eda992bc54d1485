//! What it costs to change one line of a crate made by `greylag new`, and what the quick profile costs in return.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use greylag_tests::{Nginx, cpu_seconds_of_ended_children};
use serde_json::Value;

use crate::median;

/// How often a line is changed.
const CHANGES: u32 = 3;
/// The beginning of the line that is changed, as `greylag new` writes it.
const LINE: &str = "self.visits += ";
/// The profiles of the crate: the everyday one first.
const PROFILES: [&str; 3] = ["release", "load-test", "dev"];
/// How often load is generated with each profile.
const RUNS: u32 = 5;
/// Users without waits that generate load, and for how long.
const USERS: &str = "50";
const DURATION: &str = "5s";

/// CPU and wall-clock seconds.
struct Cost {
    cpu_s: f64,
    wall_s: f64,
}

/// Prints what the first build and later ones cost with each profile of the crate, and what a request costs then.
pub(crate) async fn measure() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let made = directory.path().join("my-load");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is in the repository");
    succeed(
        Command::new(env!("CARGO_BIN_EXE_greylag_under_test"))
            .arg("new")
            .arg(&made)
            .arg("--path")
            .arg(repository),
    );
    println!(
        "\nA crate of `greylag new`, built and started (`scenarios`): CPU of all processes and wall clock"
    );
    println!("| profile | first build | one changed line, median of {CHANGES} |\n|---|---|---|");
    for profile in PROFILES {
        let first = build_and_start(&made, profile);
        let later: Vec<Cost> = (1..=CHANGES)
            .map(|number| {
                change_a_line(&made, number);
                build_and_start(&made, profile)
            })
            .collect();
        let cpu_s = median(later.iter().map(|cost| cost.cpu_s).collect());
        let wall_s = median(later.iter().map(|cost| cost.wall_s).collect());
        println!(
            "| {profile} | {:.0} s CPU, {:.0} s | {cpu_s:.1} s CPU, {wall_s:.1} s |",
            first.cpu_s, first.wall_s
        );
    }
    measure_requests(&made).await;
}

/// Prints what a request costs with each profile. They take turns, so that whatever else the machine does is with all.
async fn measure_requests(made: &Path) {
    let nginx = Nginx::start_unlogged().await;
    let mut costs = PROFILES.map(|_| Vec::new());
    for _ in 0..RUNS {
        for (profile, costs) in PROFILES.iter().zip(&mut costs) {
            costs.push(cpu_per_request(made, profile, &nginx.url()));
        }
    }
    println!(
        "\nCPU of coordinator, agent and worker per request, medians of {RUNS} x {DURATION} in turn"
    );
    println!("| profile | per request |\n|---|---|");
    for (profile, costs) in PROFILES.iter().zip(costs) {
        println!("| {profile} | {:.1} µs |", median(costs) * 1e6);
    }
}

fn build_and_start(made: &Path, profile: &str) -> Cost {
    let (began, cpu_before) = (Instant::now(), cpu_seconds_of_ended_children());
    succeed(
        Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--profile", profile, "--", "scenarios"])
            .env("CARGO_TARGET_DIR", made.join("target"))
            // The crate's own profiles count, not settings of whoever measures.
            .env_remove("CARGO_INCREMENTAL")
            .env_remove("RUSTFLAGS")
            .current_dir(made),
    );
    Cost {
        cpu_s: cpu_seconds_of_ended_children() - cpu_before,
        wall_s: began.elapsed().as_secs_f64(),
    }
}

fn change_a_line(made: &Path, number: u32) {
    let path = made.join("src/main.rs");
    let text = fs::read_to_string(&path).expect("greylag new wrote it");
    let (before, after) = text
        .split_once(LINE)
        .unwrap_or_else(|| panic!("`{LINE}` is not in {}", path.display()));
    let (_, after) = after.split_once(';').expect("the end of the line");
    let changed = format!("{before}{LINE}{};{after}", number + 1);
    fs::write(&path, changed).expect("it can be written");
}

/// CPU seconds per request of users that do not wait.
fn cpu_per_request(made: &Path, profile: &str, host: &str) -> f64 {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, summary) = (
        directory.path().join("page.toml"),
        directory.path().join("summary.json"),
    );
    fs::write(&file, "[[request]]\npath = \"/\"\n").expect("the directory was just made");
    let output_directory = if profile == "dev" { "debug" } else { profile };
    let binary = made.join("target").join(output_directory).join("my-load");
    let cpu_before = cpu_seconds_of_ended_children();
    succeed(
        Command::new(binary)
            .arg("run")
            .arg(file)
            .args(["--host", host, "--users", USERS, "--ramp-up", "0s"])
            .args(["--duration", DURATION, "--headless", "--only-summary"])
            .arg("--summary")
            .arg(&summary)
            .current_dir(directory.path()),
    );
    let cpu_s = cpu_seconds_of_ended_children() - cpu_before;
    let summary = fs::read_to_string(summary).expect("--summary writes it");
    let summary: Value = serde_json::from_str(&summary).expect("it is JSON");
    cpu_s / summary["totals"]["requests"].as_f64().expect("a number")
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the command can be started");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
