//! Scenarios: what a load test selects by name.
//!
//! - `definition`: a named set of user types, and what it declares beside them.
//! - `declared`: scenarios without Rust, made of a list of requests.
//! - `selection`: which of a scenario's user types and tasks take part in a run.
//! - `counting`: which tags of tasks a run counts.
//! - `client_overrides`: what a load test says about the clients of all its user types.

mod client_overrides;
mod counting;
mod declared;
mod definition;
mod selection;

pub use client_overrides::ClientOverrides;
pub use counting::CountedTagError;
pub use declared::{DeclaredRequest, DeclaredScenario};
pub use definition::{PrepareError, Scenario};
pub use selection::{Selection, SelectionError};
