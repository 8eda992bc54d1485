//! The coordinator as an agent sees it: a fake agent over a real WebSocket.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agent_tokens;
mod load;
mod lost_agents;
mod machines;
mod queue;
mod site;
mod slow_store;
mod thresholds;
mod whole_runs;
