#![doc = include_str!("../README.md")]

mod agent;
/// What the benches measure; not part of the public interface.
#[doc(hidden)]
pub mod bench_support;
mod bounded_names;
mod cli;
#[cfg(feature = "coordinator")]
mod demo_target;
mod http_client;
mod innermost;
mod main_macro;
mod open_files;
mod own_build;
mod recorder;
mod scenario;
mod untrusted;
mod usage;
mod worker;
mod worker_protocol;

pub use agent::{
    Agent, AgentConfig, AgentConfigError, AgentError, AgentHandle, CacheOfOthers, Refusal, Stay,
    UploadedBuilds, WorkerUser, machine_name, worker_command,
};
pub use cli::main;
#[cfg(feature = "coordinator")]
pub use demo_target::DemoTarget;
/// The engine, for scenarios written for goose itself: `Scenario::new("…").goose(…)`.
pub use greylag_scenarios::goose;
/// What a scenario's file needs: `use greylag::prelude::*;`.
pub use greylag_scenarios::prelude;
/// What testing a scenario's own functions needs: [`Client::outside_a_run`](prelude::Client::outside_a_run).
pub use greylag_scenarios::{Recorder, RequestSample, client::ClientKind};
/// For random choices of users: `greylag::rand::random_range(1..=50)`.
pub use rand;
/// Of the version JSON and rows are read with: `#[derive(Deserialize)] #[serde(crate = "greylag::serde")]`.
pub use serde;
/// Of the version JSON is read with: `greylag::serde_json::json!({ … })`.
pub use serde_json;

/// What macros expand to; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    pub use greylag_scenarios::macro_support::*;
    pub use mimalloc::MiMalloc;

    /// The command line of a crate that was compiled in this directory.
    pub fn main_of_crate(
        directory: &'static str,
        scenarios: Vec<greylag_scenarios::Scenario>,
    ) -> std::process::ExitCode {
        crate::cli::shipping::set_crate_dir(directory);
        crate::main(scenarios)
    }
}

/// The examples of the repository's README must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;
