//! The command line as people and scripts use it.

mod compare;
mod demo;
mod failed_runs;
mod finished_runs;
mod locust_lines;
mod locust_options;
pub(crate) mod results;
mod serve;
mod settings;
mod shown_thresholds;
mod thresholds;
mod vocabulary;
mod what_users_print;
