//! The examples in the documentation of the attribute macros, compiled as a crate of users sees them.

#[doc = include_str!("../../macros/doc/http_user.md")]
mod http_user {}

#[doc = include_str!("../../macros/doc/fast_http_user.md")]
mod fast_http_user {}

#[doc = include_str!("../../macros/doc/task_set.md")]
mod task_set {}

#[doc = include_str!("../../macros/doc/sequential_task_set.md")]
mod sequential_task_set {}

#[doc = include_str!("../../macros/doc/markov_task_set.md")]
mod markov_task_set {}

#[doc = include_str!("../../macros/doc/task.md")]
mod task {}
