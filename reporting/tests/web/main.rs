//! The web server through its real router, over a real coordinator and store.

mod about;
mod access;
mod api;
mod bundle;
mod ci_report;
mod compare;
mod compare_page;
mod csv;
mod error_samples;
mod errors;
mod events;
mod fake_agent;
mod form;
mod history;
mod hlog;
mod keeping;
mod live;
mod log_search;
mod many_viewers;
mod messages;
mod metrics;
mod notes;
mod parts;
mod probes;
mod report_file;
mod roles;
mod running;
mod samples;
mod scopes;
mod shown;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod thresholds;
mod transfer;
mod waiting;
