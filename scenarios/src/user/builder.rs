//! Builds user types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::client::{ClientKind, ClientOptions};
use crate::task::{
    Hook, Order, Step, TaskEntry, TaskFn, TaskOptions, TaskSet, TaskTable, UserFunctions, Wait,
    WaitTime, function_name, user_fn,
};
use crate::user::{Definition, UserType, UserTypeProblem};

/// Users on the fast client: HTTP/1.1, one connection per user and origin, Locust's rules for `FastHttpUser`.
pub type FastHttpUser<S> = UserBuilder<S, Fast>;

/// Users on the full client: HTTP/1.1 and HTTP/2, proxies, Locust's rules for `HttpUser`.
pub type HttpUser<S> = UserBuilder<S, Full>;

/// Marks builders of users on the fast client.
#[derive(Debug)]
pub enum Fast {}

/// Marks builders of users on the full client.
#[derive(Debug)]
pub enum Full {}

/// Says which client a builder's users get.
pub trait ClientChoice: private::Sealed {}
impl ClientChoice for Fast {}
impl ClientChoice for Full {}

mod private {
    use super::{ClientKind, Fast, Full};

    pub trait Sealed {
        const KIND: ClientKind;
    }
    impl Sealed for Fast {
        const KIND: ClientKind = ClientKind::Fast;
    }
    impl Sealed for Full {
        const KIND: ClientKind = ClientKind::Full;
    }
}

/// Builds a user type: `FastHttpUser::<Shopper>::new("Shopper").weight(3.0).task(1, Shopper::homepage)`.
///
/// Pass the finished builder to [`Scenario::user`](crate::Scenario::user), or turn it `.into()` a
/// [`UserType`].
pub struct UserBuilder<S, C> {
    name: String,
    weight: f64,
    fixed_count: u64,
    host: Option<String>,
    wait: Wait,
    entries: Vec<TaskEntry>,
    functions: UserFunctions<S>,
    pub(crate) client: ClientOptions,
    choice: PhantomData<fn() -> C>,
}

impl<S: Default + Send + 'static, C: ClientChoice> UserBuilder<S, C> {
    /// Users that begin with the default state: weight 1, no wait time, no tasks yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_state(name, S::default)
    }
}

impl<S: Send + 'static, C: ClientChoice> UserBuilder<S, C> {
    /// Users whose state is made by `state`, once for each user.
    pub fn with_state(
        name: impl Into<String>,
        state: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            weight: 1.0,
            fixed_count: 0,
            host: None,
            wait: Wait::Time(WaitTime::default()),
            entries: Vec::new(),
            functions: UserFunctions::new(Box::new(state)),
            client: ClientOptions::new(C::KIND),
            choice: PhantomData,
        }
    }

    /// How many of these users there are in proportion to the scenario's other types. Weight 0
    /// leaves the type out; a negative or non-finite weight counts as 0.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = if weight.is_finite() {
            weight.max(0.0)
        } else {
            0.0
        };
        self
    }

    /// Exactly this many of these users, whatever the weight; they come before any users by weight.
    /// 0 goes by weight.
    pub fn fixed_count(mut self, users: u64) -> Self {
        self.fixed_count = users;
        self
    }

    /// Base URL of the target for these users, used when the load test names none. One that is no
    /// http:// or https:// URL with a host name is refused before load starts.
    pub fn host(mut self, url: impl Into<String>) -> Self {
        self.host = Some(url.into());
        self
    }

    /// How long each user waits after a task.
    pub fn wait_time(mut self, wait_time: WaitTime) -> Self {
        self.wait = Wait::Time(wait_time);
        self
    }

    /// Asks a function how long the user waits after a task.
    pub fn wait_time_fn(
        mut self,
        function: impl Fn(&mut S) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.wait = Wait::Function;
        self.functions.wait_time = Some(Box::new(function));
        self
    }

    /// Runs once for each user before its first task. As in Locust, an error here (other than a
    /// failed request) or a panic ends the user.
    pub fn on_start<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.functions.on_start = Some(Hook::of::<F>(user_fn(function)));
        self
    }

    /// Runs once for each user after its last task, also when the run is stopped.
    pub fn on_stop<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.functions.on_stop = Some(Hook::of::<F>(user_fn(function)));
        self
    }

    /// Adds a task, named for its function. Each time a user picks one of its tasks at random, and
    /// a task of weight 2 is picked twice as often as one of weight 1.
    pub fn task<F>(self, weight: u32, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.named_task(function_name::<F>(), weight, function)
    }

    /// Adds a task under a name of your own.
    pub fn named_task<F>(self, name: impl Into<String>, weight: u32, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.task_with(TaskOptions::new(name).weight(weight), function)
    }

    /// Adds a task with a name, a weight and tags.
    pub fn task_with<F>(mut self, options: TaskOptions, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.entries.push(TaskEntry::new(&options, None));
        self.functions.steps.push(Step::Task(user_fn(function)));
        self
    }

    /// Adds a task set as a task: a user that picks it runs its tasks until one of them returns
    /// [`interrupt()`](crate::interrupt).
    pub fn task_set(mut self, options: TaskOptions, set: impl Into<TaskSet<S>>) -> Self {
        let set = set.into();
        let table = Arc::clone(set.table());
        self.entries.push(TaskEntry::new(&options, Some(table)));
        self.functions.steps.push(Step::Set(set));
        self
    }
}

impl<S, C> fmt::Debug for UserBuilder<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserBuilder")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .field("tasks", &self.entries)
            .finish_non_exhaustive()
    }
}

impl<S: Send + 'static, C: ClientChoice> From<UserBuilder<S, C>> for UserType {
    fn from(builder: UserBuilder<S, C>) -> Self {
        let (host, problem) = match builder.host.as_deref().map(base_url).transpose() {
            Ok(host) => (host, None),
            Err(problem) => (None, Some(problem)),
        };
        let problem = problem.or_else(|| builder.client.problem().map(UserTypeProblem::from));
        let tasks = TaskTable::new(
            builder.name,
            builder.entries,
            Order::Random,
            builder.wait,
            None,
        );
        Self::new(Definition {
            weight: builder.weight,
            fixed_count: builder.fixed_count,
            host,
            tasks,
            client: Arc::new(builder.client),
            functions: Arc::new(builder.functions),
            problem,
        })
    }
}

pub(crate) fn base_url(host: &str) -> Result<Url, UserTypeProblem> {
    Url::parse(host)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            // What is before an @ may be a password.
            let shown = host.rsplit_once('@').map_or(host, |(_, host)| host);
            UserTypeProblem::Host(shown.to_owned())
        })
}
