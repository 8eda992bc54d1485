//! The web server: pages, API and live events on the coordinator's one port.
//!
//! Every URL is in `router.rs`. `access/` says who may ask, `requests/` reads what is asked for, `live/` sends what is
//! new; what many pages ask for at the same time is made once (`recent_answers.rs`). Programs are answered by `api/`, people by `pages/`;
//! `report_file/` makes a run's page one file.
//! How an error looks: `error.rs`, `render_errors.rs`.

mod access;
mod api;
mod assets;
mod error;
mod listen;
mod live;
mod pages;
mod query;
mod recent_answers;
mod render_errors;
mod report_file;
pub(crate) mod requests;
mod router;
mod server;
mod shared_answers;
mod state;
mod tls;

pub use access::public_address::{
    BasePath, BasePathError, PathsDiffer, PublicAddress, PublicUrl, PublicUrlError,
};
pub use access::trusted_proxies::{TrustedProxies, TrustedProxy, TrustedProxyError};
pub(crate) use assets::asset_url;
pub use listen::{ListenRefused, check_listen_address};
pub use router::router;
pub use server::{WebConfig, serve};
pub use tls::{Tls, TlsError, TlsFiles};
