//! The web server: pages, API and live events on the coordinator's one port.
//!
//! Every URL is in `router.rs`. Who may ask: `same_origin.rs` (which Host and Origin are ours), `auth.rs`
//! (the token, sessions) and `access_layers.rs` (what needs which). How an error looks: `error.rs`. Live
//! updates: `events.rs` sends what `run_feed.rs` finds new, `json_patch.rs` makes that small. Programs are answered by `api/`, people by
//! `pages/`.

mod access_layers;
mod api;
mod assets;
mod auth;
mod change_users;
mod delete_run;
mod error;
mod events;
mod json_patch;
mod listen;
mod pages;
mod places;
mod public_address;
mod router;
mod run_feed;
mod same_origin;
mod security_headers;
mod server;
mod start;
pub(crate) mod start_form;
mod start_request;
mod state;
mod values;
mod wrong_token_counts;
mod wrong_tokens;

pub(crate) use assets::asset_url;
pub use listen::{ListenRefused, check_listen_address};
pub use public_address::{
    BasePath, BasePathError, PathsDiffer, PublicAddress, PublicUrl, PublicUrlError,
};
pub use router::router;
pub(crate) use router::run_url;
pub use server::{WebConfig, serve};
