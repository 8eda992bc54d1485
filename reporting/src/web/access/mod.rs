//! Who may ask, and what: which hosts and origins are ours, which address a request comes from, tokens, sessions and roles, and
//! how many connections anyone may have.

pub(in crate::web) mod auth;
mod forbidden;
pub(in crate::web) mod identity;
pub(in crate::web) mod layers;
pub(in crate::web) mod places;
pub(in crate::web) mod public_address;
pub(in crate::web) mod same_origin;
pub(in crate::web) mod security_headers;
mod sessions;
pub(in crate::web) mod trusted_proxies;
mod wrong_token_counts;
mod wrong_tokens;
