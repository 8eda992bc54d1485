//! The command line as people and scripts use it.

mod demo;
mod failed_runs;
mod finished_runs;
pub(crate) mod results;
mod settings;
mod vocabulary;
