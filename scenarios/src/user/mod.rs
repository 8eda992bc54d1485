//! Who simulated users are: user types, and how they are built.
//!
//! - `user_type`: how often a type of users appears, its tasks and its client.
//! - `builder`: builds user types. `client_options`: what a builder says about its users' client.

mod builder;
mod client_options;
mod user_type;

pub(crate) use builder::base_url;
pub use builder::{ClientChoice, Fast, FastHttpUser, Full, HttpUser, UserBuilder};
pub(crate) use user_type::{ClientOverrideError, Definition, UserTypeProblem};
pub use user_type::{UserType, UserTypeError};
