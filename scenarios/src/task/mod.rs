//! What users do: tasks and sets of them, in what order they come, and how long users wait between them.
//!
//! - `function`: how an async function becomes a task. `error`: what it returns. `recorded`: errors that are counted
//!   already.
//! - `options`: name, weight and tags of a task.
//! - `set`: task sets. `markov`: the transitions of a Markov task set.
//! - `table`: the tasks of a user type or of a task set as the engine sees them, without their functions.
//! - `behaviour`: their functions, behind the types of the users' states.
//! - `counted_tags`: which of the tags that a run counts a task has.
//! - `wait_time`: how long a user waits between two tasks.

mod behaviour;
mod counted_tags;
mod error;
mod function;
mod markov;
mod options;
mod recorded;
mod set;
mod table;
mod wait_time;

pub(crate) use behaviour::{
    Hook, MakeSet, MakeUser, SelfDriven, SetFunctions, SetRun, Step, UserFunctions, UserRun,
    set_fn, user_fn,
};
pub(crate) use counted_tags::OfTask;
pub use counted_tags::{MAX_COUNTED_TAGS, TagSet};
pub(crate) use error::{Flow, TestEnd, asks};
pub use error::{
    TaskError, TaskResult, finish_test, interrupt, interrupt_and_wait, reschedule,
    reschedule_immediately, stop_test, stop_user,
};
pub(crate) use function::function_name;
pub use function::{TaskFn, TaskSetFn};
pub(crate) use markov::{Chain, MarkovError, Transitions};
pub use options::TaskOptions;
pub use recorded::{Recorded, RequestError, ResponseError};
pub use set::{TaskSet, TaskSetBuilder};
pub(crate) use table::{Cursor, Order, TaskTable, TaskTableError, Wait};
pub use table::{TaskEntry, TaskOrder};
pub(crate) use wait_time::WaitTimeError;
pub use wait_time::{WaitTime, between, constant, constant_pacing, constant_throughput, poisson};
