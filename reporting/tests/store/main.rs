//! The store, from outside: what is saved, listed, found again and deleted. One binary, because linking one for each
//! subject takes longer than running them.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

mod deleting;
mod hostile;
mod lists;
mod many_agents;
mod notices;
mod opening;
mod results;
mod runs;
mod scopes;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod thresholds;
