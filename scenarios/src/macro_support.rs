//! What the attributes of `greylag-macros` expand to; not for direct use.

use std::cell::Cell;

use crate::scenario::Scenario;
pub use crate::task::{TaskOptions, TaskOrder, TaskSet, TaskSetBuilder};
pub use crate::user::{FastHttpUser, HttpUser, UserBuilder, UserType};

/// How deep task sets may be nested; a set that contains itself would never end.
const DEEPEST_NESTING: usize = 64;

/// A type that is a user type because its impl block says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a user type",
    label = "no user type",
    note = "write `#[http_user]` or `#[fast_http_user]` before `impl {Self}`"
)]
pub trait UserTypeDef: Sized + Send + 'static {
    /// The user type.
    fn user_type() -> UserType;
}

/// A type that is a task set because its impl block says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task set",
    label = "no task set",
    note = "write `#[task_set(user = …)]`, `#[sequential_task_set(user = …)]` or `#[markov_task_set(user = …)]` before `impl {Self}`"
)]
pub trait TaskSetDef: Sized + Send + 'static {
    /// Whose task set it is.
    type User;

    /// The task set.
    fn task_set() -> TaskSet<Self::User>;
}

impl Scenario {
    /// Adds a user type that `#[http_user]` or `#[fast_http_user]` made.
    pub fn user_type<U: UserTypeDef>(self) -> Self {
        self.user(U::user_type())
    }
}

/// The state of users and task sets that say nothing about it.
pub fn default_state<T: Default>() -> T {
    T::default()
}

/// A task set within another or within a user type, of the same user.
///
/// # Panics
/// When it is nested too deep, which is when it contains itself.
pub fn nested<T: TaskSetDef<User = U>, U>() -> TaskSet<U> {
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    let depth = DEPTH.get();
    assert!(
        depth < DEEPEST_NESTING,
        "the task set {} contains itself, or is nested more than {DEEPEST_NESTING} deep",
        std::any::type_name::<T>()
    );
    DEPTH.set(depth + 1);
    let set = T::task_set();
    DEPTH.set(depth);
    set
}

/// A builder after `with = |user| …`.
pub fn configured<S, C>(
    builder: UserBuilder<S, C>,
    with: impl FnOnce(UserBuilder<S, C>) -> UserBuilder<S, C>,
) -> UserBuilder<S, C> {
    with(builder)
}
