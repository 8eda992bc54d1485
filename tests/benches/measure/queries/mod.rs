//! What a coordinator answers about a long run: summaries of a run of 24 hours with 100 endpoints and 10 agents, and windows of it at
//! random, and what its page asks for to show them; how soon a browser shows that page; how soon it answers after its start with such a database, and
//! that a deleted run's space is given back.
//!
//! `cargo bench -p greylag-tests -- queries [AGENTS] [--hours=N] [--delete]`. The database (0.55 GB an hour) takes two minutes an hour to make, and stays in
//! `target/tmp/queries-AGENTS-HOURSh` for the next time; `--delete` deletes the run in a copy.

mod database;
mod page;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use greylag_tests::{Api, Greylag, Process, START_TIMEOUT, start_coordinator, wait};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::greylag;
use database::{BUSY_AGENT, Day, ENDPOINTS, RUN, agent_name, endpoint};

/// How often the whole run and windows are asked for, and how often the coordinator is started.
const WHOLE: usize = 9;
const WINDOWS: usize = 100;
const STARTS: usize = 3;
/// Agents and hours unless other numbers are given.
const AGENTS: u32 = 10;
const HOURS: u32 = 24;
/// How long deleting the run may take.
const DELETING: Duration = Duration::from_secs(600);
const FILE: &str = "greylag.sqlite";

/// Prints a table of queries, then the starts and what deleting does.
pub(crate) async fn measure(arguments: &[&str]) {
    let mut deletes = false;
    let mut day = Day {
        agents: AGENTS,
        hours: HOURS,
    };
    for argument in arguments {
        match (*argument, argument.strip_prefix("--hours=")) {
            ("--delete", _) => deletes = true,
            (_, Some(hours)) => day.hours = hours.parse().expect("--hours=N"),
            (agents, None) => {
                day.agents = agents
                    .parse()
                    .expect("a number of agents, --hours=N or --delete");
            }
        }
    }
    let directory = day.directory().await;
    let greylag = greylag();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start(&greylag, &directory).await.2);
    }
    let (coordinator, api, _) = start(&greylag, &directory).await;
    let summary = api.summary(RUN).await;
    assert_eq!(summary.totals.requests, day.requests());
    println!(
        "\nA run of {} h with {ENDPOINTS} endpoints and {} agents, database {:.2} GB: what the API answers",
        day.hours,
        day.agents,
        size(&directory) as f64 / 1e9
    );
    println!("| of | median | p95 | longest |\n|---|---|---|---|");
    let mut random = SmallRng::seed_from_u64(7);
    for (part, filter) in filters(day) {
        let whole = vec![filter.clone(); WHOLE];
        let windows =
            (0..WINDOWS).map(|_| format!("{filter}&{}", window(day.seconds(), &mut random)));
        let windows: Vec<String> = windows.collect();
        row(&api, "summary", &format!("the whole run{part}"), &whole).await;
        row(
            &api,
            "summary",
            &format!("windows at random{part}"),
            &windows,
        )
        .await;
        row(
            &api,
            "view",
            &format!("the page of windows at random{part}"),
            &windows,
        )
        .await;
    }
    page::measure(&api).await;
    drop(coordinator);
    let each: Vec<String> = starts.iter().map(|start| seconds(*start)).collect();
    println!(
        "From the start of the coordinator until it answers: {}",
        each.join(", ")
    );
    if deletes {
        delete(&greylag, &directory).await;
    }
}

/// What is added to a query.
fn filters(day: Day) -> Vec<(&'static str, String)> {
    let one = endpoint(ENDPOINTS / 3);
    let one = format!("endpoint={} {}", one.method, one.name);
    let agent = |number| format!("agent={}", agent_name(number));
    vec![
        ("", String::new()),
        (", one endpoint", one.clone()),
        (", one agent", agent(BUSY_AGENT)),
        (", another agent", agent(day.agents / 2)),
        (
            ", one endpoint and agent",
            format!("{one}&{}", agent(BUSY_AGENT)),
        ),
    ]
}

/// A window as a query: of any length from seconds to the whole run, each order of magnitude as likely as the others.
fn window(seconds: u32, random: &mut SmallRng) -> String {
    let longest = f64::from(seconds);
    let length = longest.powf(random.random_range(0.1..1.0)) as u32;
    let from = random.random_range(0..=seconds - length);
    format!("from={from}&to={}", from + length)
}

/// Asks for these parts of the run and prints how long the answers took.
async fn row(api: &Api, answer: &str, what: &str, queries: &[String]) {
    let mut times = Vec::new();
    for query in queries {
        let path = format!("/api/v1/runs/{RUN}/{answer}?{}", query.replace(' ', "%20"));
        let begin = Instant::now();
        let answer = api.get(&path).await;
        times.push(begin.elapsed());
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
    }
    times.sort_unstable();
    let last = times.len() - 1;
    let [middle, high, longest] = [50, 95, 100].map(|percent| times[last * percent / 100]);
    println!(
        "| {what} | {:.0} ms | {:.0} ms | {:.0} ms |",
        millis(middle),
        millis(high),
        millis(longest)
    );
}

/// Milliseconds as a script gives them.
fn millis_of(value: &Value) -> f64 {
    value.as_f64().expect("a time")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Starts a coordinator; how long it took until it answered.
async fn start(greylag: &Greylag, data: &Path) -> (Process, Api, Duration) {
    let begin = Instant::now();
    let (coordinator, api) = start_coordinator(greylag, data, "127.0.0.1:0", &[], |_| ()).await;
    let answer = api.get("/api/v1/runs").await;
    assert!(answer.body.contains(RUN), "{}", answer.body);
    (coordinator, api, begin.elapsed())
}

/// Bytes of everything in a data directory.
fn size(data: &Path) -> u64 {
    let files = fs::read_dir(data).expect("the data directory");
    let sizes = files.flatten().flat_map(|file| file.metadata());
    sizes.map(|metadata| metadata.len()).sum()
}

/// Deletes the run of a copy and says what that gives back.
async fn delete(greylag: &Greylag, original: &Path) {
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let data = copy.path();
    fs::copy(original.join(FILE), data.join(FILE)).expect("there is room for a copy");
    let (_coordinator, api, _) = start(greylag, data).await;
    let before = size(data);
    let begin = Instant::now();
    let arguments = ["delete", RUN, "--yes", "--coordinator", api.url()];
    let ended = greylag.run(&arguments, START_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let deleted = begin.elapsed();
    let asked = ask_meanwhile(&api, data).await;
    println!(
        "Deleting it: {} until it is gone, {} until the files have shrunk from {:.2} GB to {:.1} MB; answers meanwhile within {:.0} ms",
        seconds(deleted),
        seconds(begin.elapsed()),
        before as f64 / 1e9,
        size(data) as f64 / 1e6,
        millis(asked)
    );
}

/// Waits until the space is given back, asking for the runs meanwhile; the longest that an answer took.
async fn ask_meanwhile(api: &Api, data: &Path) -> Duration {
    /// What an empty database takes, and more.
    const EMPTY: u64 = 4 << 20;
    let mut longest = Duration::ZERO;
    wait::until("the space of the deleted run", DELETING, async || {
        let begin = Instant::now();
        api.get("/api/v1/runs").await;
        longest = longest.max(begin.elapsed());
        match size(data) {
            small if small < EMPTY => Ok(()),
            size => Err(format!("{size} bytes")),
        }
    })
    .await;
    longest
}
