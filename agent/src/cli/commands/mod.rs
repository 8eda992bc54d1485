//! The subcommands, one file each.

pub(super) mod agent;
#[cfg(feature = "coordinator")]
pub(super) mod backup;
pub(super) mod builds;
pub(super) mod compare;
pub(super) mod completions;
#[cfg(feature = "coordinator")]
pub(super) mod coordinator;
pub(super) mod delete;
#[cfg(feature = "coordinator")]
pub(super) mod demo;
pub(super) mod export;
pub(super) mod import;
pub(super) mod infrastructures;
pub(super) mod log;
pub(super) mod man;
pub(super) mod new;
pub(super) mod note;
#[cfg(feature = "coordinator")]
mod provisioning;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod scenarios;
#[cfg(feature = "coordinator")]
pub(super) mod serve;
#[cfg(feature = "coordinator")]
mod start_form;
pub(super) mod token;
pub(super) mod users;
