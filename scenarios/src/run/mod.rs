//! The run a scenario takes part in.
//!
//! - `view`: the run as the scenario sees it.
//! - `context`: what its users share with the engine.
//! - `set_up`: the data that a scenario makes once per test.

mod context;
mod set_up;
mod view;

pub(crate) use context::{RunContext, UserContext};
pub use set_up::{MAX_SET_UP_BYTES, SET_UP_TIME, SetUpDataError, SetUpError};
pub(crate) use set_up::{SetUp, SetUpData};
pub(crate) use view::without_password;
pub use view::{Run, RunSettings, UserInfo};
