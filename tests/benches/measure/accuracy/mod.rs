//! Whether reported response times are true: Greylag, wrk and oha against a server that logs its own service times.
//!
//! The server, which spins, has one core; the generator with all its processes another. The three cannot be asked for a
//! rate in the same way, so the load is a number of connections without waits: from the CPU that a request costs a
//! generator when the server answers immediately follows how many connections take half of a core, and 90 % of it, at a given
//! delay. What share it took is shown. The error is what a generator reports less what the server logged; the server's times
//! lack what the operating system needs to carry request and answer, which a single raw socket shows.

mod arguments;
mod client;
mod delays;
mod percentiles;
pub(crate) mod raw_client;
mod server;

use std::time::Duration;

use greylag_tests::Process;

use self::arguments::{Arguments, USAGE};
use self::client::Client;
use self::delays::Delay;
use self::percentiles::{Percentiles, of_sorted};
use self::server::Server;
use crate::install::Tools;
use crate::window::{AROUND_S, Window, watch};
use crate::{TARGET_CORE, pin};

/// Connections with which is measured what a request costs.
const PROBE_CONNECTIONS: u32 = 50;
const PROBE_SECONDS: u64 = 2;
/// What a request takes longer than its delay, about, in seconds.
const ON_THE_WAY_S: f64 = 50e-6;
/// How long a generator may take to end after its time.
const END: Duration = Duration::from_secs(60);
/// How far what Greylag reports may be from the truth at half of its capacity: in parts of it, or in µs.
const ALLOWED: [(f64, f64); 3] = [(0.02, 50.0), (0.02, 50.0), (0.05, 200.0)];

/// One run.
struct Seen {
    window: Window,
    truth: Percentiles,
    reported: Percentiles,
}

impl Seen {
    fn errors_us(&self) -> [f64; 3] {
        let (truth, reported) = (self.truth.all(), self.reported.all());
        [0, 1, 2].map(|at| reported[at] - truth[at])
    }

    fn is_true(&self) -> bool {
        let truth = self.truth.all();
        let errors = self.errors_us().into_iter().zip(truth).zip(ALLOWED);
        errors
            .into_iter()
            .all(|((error, truth), (share, us))| error.abs() <= us.max(truth * share))
    }
}

/// Measures and prints the tables.
pub(crate) async fn measure(arguments: &[&str]) {
    let arguments =
        Arguments::read(arguments).unwrap_or_else(|problem| panic!("{problem}; use {USAGE}"));
    let tools = Tools::find().await;
    // The server is a thread of this process.
    pin(std::process::id(), TARGET_CORE);
    let mut costs = Vec::new();
    for client in Client::GENERATORS {
        let seen = run(
            &tools,
            client,
            Delay::Zero,
            PROBE_CONNECTIONS,
            PROBE_SECONDS,
        )
        .await;
        costs.push((client, seen.window.cpu_s / seen.window.requests as f64));
    }
    println!(
        "\nError of reported response times in µs (reported less what the server logged), runs of {} s",
        arguments.seconds
    );
    for &load in &arguments.loads {
        println!("\nAt {:.0} % of the generator's capacity\n", load * 100.0);
        println!(
            "| delay | client | connections | requests per second | of its core | true p50, p99, p99.9 | error of p50 | p99 | p99.9 | within bounds |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for &delay in &arguments.delays {
            for &(client, cost_s) in &costs {
                let connections = load / cost_s * (delay.mean_s() + ON_THE_WAY_S);
                let connections = connections.round().max(1.0) as u32;
                let seen = run(&tools, client, delay, connections, arguments.seconds).await;
                print(client, delay, connections, &seen);
            }
        }
    }
    println!("\nThe operating system's part\n");
    for &delay in &arguments.delays {
        let seen = run(&tools, Client::Raw, delay, 1, PROBE_SECONDS).await;
        print(Client::Raw, delay, 1, &seen);
    }
}

async fn run(tools: &Tools, client: Client, delay: Delay, connections: u32, seconds: u64) -> Seen {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(delay);
    let whole = seconds + AROUND_S;
    let mut command = client.command(tools, &server.url(), connections, whole, directory.path());
    let mut process = Process::start(client.title(), &mut command);
    let window = watch(&process, async || server.requests(), seconds).await;
    let ended = process.wait(END).await;
    let mut times = server.finish();
    times.sort_unstable();
    Seen {
        window,
        truth: of_sorted(&times),
        reported: client.reported(&ended, directory.path()).await,
    }
}

fn print(client: Client, delay: Delay, connections: u32, seen: &Seen) {
    let [p50, p99, p999] = seen.truth.all();
    let error = seen.errors_us().map(|us| format!("{us:+.0}"));
    let [e50, e99, e999] = error;
    println!(
        "| {} | {} | {connections} | {:.0} | {:.0} % | {p50:.0}, {p99:.0}, {p999:.0} | {e50} | {e99} | {e999} | {} |",
        delay.title(),
        client.title(),
        seen.window.requests_per_second(),
        seen.window.cpu_s / seen.window.wall_s * 100.0,
        match (seen.window.is_disturbed(), seen.is_true()) {
            (true, _) => "not to be trusted: other processes took part of the machine",
            (_, true) => "yes",
            (_, false) => "no",
        },
    );
}
