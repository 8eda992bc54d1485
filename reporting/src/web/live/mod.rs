//! What keeps pages live: server-sent events, and what they are made of.

pub(super) mod events;
mod followed_runs;
mod frame;
mod front_changes;
pub(super) mod json_patch;
pub(super) mod run_feed;
mod update_throttle;

pub(super) use followed_runs::FollowedRuns;
pub(super) use front_changes::FrontChanges;
