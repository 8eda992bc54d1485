//! Secrets that let programs and people in: the coordinator's own token, and those with a role.

mod grant;
mod hide;
mod token;
#[cfg(feature = "coordinator")]
mod token_store;

pub use grant::{Grant, GrantError, Role, RoleError};
pub use hide::hide_tokens;
pub use token::{MAX_TOKEN_BYTES, Token, TokenError};
#[cfg(feature = "coordinator")]
pub use token_store::{
    CreateTokenError, RevokeTokenError, TokenId, TokenRecord, TokenStore, ValidToken,
};
