//! How an async function becomes a task.

use std::future::Future;

use super::TaskResult;
use crate::client::Client;

/// An async function that can be a task of users with the state `S`:
/// `async fn(&mut S, &mut Client) -> TaskResult`, usually a method.
pub trait TaskFn<'a, S: 'a>: Send + Sync + 'static {
    /// The task under way.
    type Run: Future<Output = TaskResult> + Send + 'a;

    /// Starts the task.
    fn run(&self, state: &'a mut S, client: &'a mut Client) -> Self::Run;
}

impl<'a, S, F, R> TaskFn<'a, S> for F
where
    S: 'a,
    F: Fn(&'a mut S, &'a mut Client) -> R + Send + Sync + 'static,
    R: Future<Output = TaskResult> + Send + 'a,
{
    type Run = R;

    fn run(&self, state: &'a mut S, client: &'a mut Client) -> R {
        self(state, client)
    }
}

/// An async function that can be a task of a task set: `T` is the task set's own state, `S` the user's.
/// `async fn(&mut T, &mut S, &mut Client) -> TaskResult`, usually a method of `T`.
pub trait TaskSetFn<'a, T: 'a, S: 'a>: Send + Sync + 'static {
    /// The task under way.
    type Run: Future<Output = TaskResult> + Send + 'a;

    /// Starts the task.
    fn run(&self, set: &'a mut T, user: &'a mut S, client: &'a mut Client) -> Self::Run;
}

impl<'a, T, S, F, R> TaskSetFn<'a, T, S> for F
where
    T: 'a,
    S: 'a,
    F: Fn(&'a mut T, &'a mut S, &'a mut Client) -> R + Send + Sync + 'static,
    R: Future<Output = TaskResult> + Send + 'a,
{
    type Run = R;

    fn run(&self, set: &'a mut T, user: &'a mut S, client: &'a mut Client) -> R {
        self(set, user, client)
    }
}

/// The name of a task's function as its author wrote it: the last two segments of its path
/// (`Shopper::products`).
pub(crate) fn function_name<F>() -> String {
    let path = std::any::type_name::<F>();
    // Type arguments may hold paths of their own: only what is outside of `<…>` counts.
    let mut depth = 0_usize;
    let mut segments = vec![String::new()];
    for character in path.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ':' => {
                if segments.last().is_some_and(|last| !last.is_empty()) {
                    segments.push(String::new());
                }
            }
            other => {
                if let Some(last) = segments.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    segments.retain(|segment| !segment.is_empty() && segment != "{{closure}}");
    let from = segments.len().saturating_sub(2);
    segments[from..].join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shopper;
    impl Shopper {
        async fn products(&mut self, _: &mut Client) -> TaskResult {
            Ok(())
        }
    }

    fn name_of<F>(_: F) -> String {
        function_name::<F>()
    }

    #[test]
    fn a_task_is_named_as_its_author_wrote_it() {
        assert_eq!(name_of(Shopper::products), "Shopper::products");
        assert_eq!(
            name_of(|| ()),
            "tests::a_task_is_named_as_its_author_wrote_it"
        );
    }
}
