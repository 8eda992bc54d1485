//! What a scenario's file needs: `use greylag_scenarios::prelude::*;`.

pub use crate::client::{CaughtResponse, Client, JsonError, RequestError, Response};
pub use crate::scenario::Scenario;
pub use crate::task::{TaskError, TaskResult};
pub use crate::user_type::{FastHttpUser, HttpUser, UserType};
pub use crate::wait_time::{WaitTime, between, constant};
