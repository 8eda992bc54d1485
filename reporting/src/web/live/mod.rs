//! Live updates: what is new of a run, made small, as server-sent events.

pub(in crate::web) mod events;
mod json_patch;
pub(in crate::web) mod run_feed;
