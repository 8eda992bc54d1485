//! What a coordinator costs with many agents, and how late it is: a real coordinator on one core, simulated agents and viewers on
//! the other.
//!
//! `cargo bench -p greylag-tests -- coordinator [AGENTS …] [--seconds N] [--together] [--fetching N] [--memory] [--idle]`: by default 100, 500 and 1,000 agents
//! for a minute each. Each agent sends a snapshot a second with 20 endpoints, at its own moment of the second, or `--together` as the
//! agents of one run do. With `--fetching 50` so many further agents fetch a build of 15 MB in the middle of the run. `--memory` adds the resident memory over time. With `--idle` they are only connected, by default 1,000 and
//! 10,000, and then asked to prepare a run.

mod delays;
mod idle;
mod load;
mod settings;
mod viewers;

use greylag_tests::{Cluster, ProcessId};

use crate::{GENERATOR_CORE, TARGET_CORE, greylag, pin};
use load::Measured;
use settings::Settings;

/// Measures each number of agents and prints a table.
pub(crate) async fn measure(arguments: &[&str]) {
    let settings = Settings::of(arguments);
    let (mut all, mut idle) = (Vec::new(), Vec::new());
    for &agents in &settings.agents {
        // A process inherits the core of the one that starts it.
        pin(std::process::id(), GENERATOR_CORE);
        let mut cluster = Cluster::start_with(&greylag(), &["--accept-uploads"]).await;
        let pid = cluster.coordinator().pid();
        pin(pid, TARGET_CORE);
        let process = ProcessId::of(pid).expect("it runs");
        if settings.idle {
            idle.push(idle::measure(&cluster, process, agents, settings.seconds).await);
        } else {
            all.push(load::measure(&cluster, process, agents, &settings).await);
        }
    }
    if settings.idle {
        println!(
            "\nCoordinator on one core, agents that are only connected, {} s",
            settings.seconds
        );
        println!("{}\n{}", idle::HEAD, idle.join("\n"));
        return;
    }
    println!(
        "\nCoordinator on one core, {} endpoints per agent, a snapshot a second {}, {} viewers, {} s",
        load::ENDPOINTS,
        if settings.together {
            "at the same moment"
        } else {
            "spread over the second"
        },
        load::VIEWERS,
        settings.seconds
    );
    println!("{}", Measured::HEAD);
    for measured in &all {
        println!("{measured}");
    }
    if settings.memory {
        for measured in &all {
            println!("{}", measured.memory_over_time());
        }
    }
}
