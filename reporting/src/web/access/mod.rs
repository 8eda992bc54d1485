//! Who may ask: which hosts and origins are ours, the token and sessions, and how many connections anyone may have.

pub(in crate::web) mod auth;
pub(in crate::web) mod layers;
pub(in crate::web) mod places;
pub(in crate::web) mod public_address;
pub(in crate::web) mod same_origin;
pub(in crate::web) mod security_headers;
mod wrong_token_counts;
mod wrong_tokens;
