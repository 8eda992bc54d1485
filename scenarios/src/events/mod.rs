//! What a scenario can listen to.
//!
//! - `listeners`: all listeners of a scenario. Users call those to errors of tasks and to requests as they go, from any
//!   thread.
//! - `request`: a request that has ended, as listeners see it.
//! - `of_the_run`: the handlers that a worker process awaits: init, start, stop, quitting.

mod listeners;
mod of_the_run;
mod request;

pub use listeners::{Events, UserErrorEvent};
pub use of_the_run::{InitError, START_EVENT_TIME, STOP_EVENT_TIME};
pub(crate) use of_the_run::{handler, spawned_handler};
pub(crate) use request::Details;
pub use request::RequestEvent;
