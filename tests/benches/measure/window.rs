//! What a generator does in the middle of its run: processor time by the operating system, requests by the server.

use std::time::{Duration, Instant};

use greylag_tests::{Process, ProcessId, busy_seconds, descendants, wait};
use tokio::time::sleep;

/// How long a generator may take until its first request: Locust reads many files.
const FIRST_REQUEST: Duration = Duration::from_secs(30);
/// From the first request to the window: all users are there and everything is warm.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long each generator is to run around the window, in seconds: warm-up, and time to look.
pub(crate) const AROUND_S: u64 = 3;

/// Which part of one core others may take.
const DISTURBING: f64 = 0.05;

/// What was seen in a window.
pub(crate) struct Window {
    /// Processor seconds of the generator's processes, those that ended included.
    pub(crate) cpu_s: f64,
    /// Processor seconds of Greylag's workers among them.
    pub(crate) workers_cpu_s: f64,
    /// Requests that the server received.
    pub(crate) requests: u64,
    /// Processor seconds of all processes that this measurement did not start, on any core.
    pub(crate) others_s: f64,
    /// How long it was.
    pub(crate) wall_s: f64,
}

/// Watches a generator that has just been started; `requests` says how many the server has received.
pub(crate) async fn watch(
    process: &Process,
    requests: impl AsyncFn() -> u64,
    seconds: u64,
) -> Window {
    let before = requests().await;
    wait::until("the first request", FIRST_REQUEST, async || {
        (requests().await > before)
            .then_some(())
            .ok_or_else(|| process.output())
    })
    .await;
    sleep(WARM_UP).await;
    let first = Look::at(process, &requests).await;
    sleep(Duration::from_secs(seconds)).await;
    let last = Look::at(process, &requests).await;
    Window {
        cpu_s: last.cpu_s - first.cpu_s,
        workers_cpu_s: last.workers_cpu_s - first.workers_cpu_s,
        requests: last.requests - first.requests,
        others_s: last.others_s - first.others_s,
        wall_s: (last.at - first.at).as_secs_f64(),
    }
}

struct Look {
    at: Instant,
    cpu_s: f64,
    workers_cpu_s: f64,
    others_s: f64,
    requests: u64,
}

impl Look {
    async fn at(process: &Process, requests: &impl AsyncFn() -> u64) -> Self {
        let requests = requests().await;
        let at = Instant::now();
        let root = ProcessId::of(process.pid()).unwrap_or_else(|| {
            panic!("it ended too early\n{}", process.output());
        });
        let (mut cpu_s, mut workers_cpu_s) = (root.cpu_seconds_with_ended_children(), 0.0);
        for one in descendants(root.pid) {
            cpu_s += one.cpu_seconds_with_ended_children();
            if one.command_line().split(' ').nth(1) == Some("worker") {
                workers_cpu_s += one.cpu_seconds();
            }
        }
        Self {
            at,
            cpu_s,
            workers_cpu_s,
            others_s: busy_seconds() - cpu_of_this_measurement(),
            requests,
        }
    }
}

/// Processor seconds of this process and of all that it has started.
fn cpu_of_this_measurement() -> f64 {
    let this = std::process::id();
    ProcessId::of(this)
        .into_iter()
        .chain(descendants(this))
        .map(ProcessId::cpu_seconds_with_ended_children)
        .sum()
}

impl Window {
    /// Whether other processes took so much of the machine that the figures are not to be trusted: they evict caches, and take
    /// time from the server.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.others_s > self.wall_s * DISTURBING
    }

    pub(crate) fn us_per_request(&self) -> f64 {
        self.cpu_s * 1e6 / self.requests as f64
    }

    pub(crate) fn workers_us_per_request(&self) -> f64 {
        self.workers_cpu_s * 1e6 / self.requests as f64
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.wall_s
    }
}
