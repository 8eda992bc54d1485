//! User types: who a simulated user is, how often it appears, and what it does.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};

use crate::client::{Client, ClientKind, ClientOptions};
use crate::task::{TaskFn, TaskResult, function_name};
use crate::wait_time::WaitTime;

/// Users on the fast client, an HTTP/1.1 client on hyper with one connection per user and origin.
pub type FastHttpUser<S> = UserBuilder<S, Fast>;

/// Users on the full client, which is reqwest.
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

type Runner<S> =
    Box<dyn for<'a> Fn(&'a mut S, &'a mut Client) -> BoxFuture<'a, TaskResult> + Send + Sync>;

struct Task<S> {
    name: String,
    weight: u32,
    run: Runner<S>,
}

/// Builds a user type: `FastHttpUser::<Shopper>::new("Shopper").weight(3.0).task(1, Shopper::homepage)`.
///
/// Pass the finished builder to [`Scenario::user`](crate::Scenario::user), or turn it `.into()` a
/// [`UserType`].
pub struct UserBuilder<S, C> {
    name: String,
    weight: f64,
    wait_time: WaitTime,
    state: Box<dyn Fn() -> S + Send + Sync>,
    on_start: Option<Task<S>>,
    on_stop: Option<Task<S>>,
    tasks: Vec<Task<S>>,
    client: ClientOptions,
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
            wait_time: WaitTime::default(),
            state: Box::new(state),
            on_start: None,
            on_stop: None,
            tasks: Vec::new(),
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

    /// How long each user waits after a task.
    pub fn wait_time(mut self, wait_time: WaitTime) -> Self {
        self.wait_time = wait_time;
        self
    }

    /// Runs once for each user before its first task. As in Locust, an error here (other than a
    /// failed request) or a panic ends the user.
    pub fn on_start<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.on_start = Some(task(function_name::<F>(), 1, function));
        self
    }

    /// Runs once for each user after its last task, also when the run is stopped.
    pub fn on_stop<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.on_stop = Some(task(function_name::<F>(), 1, function));
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
    pub fn named_task<F>(mut self, name: impl Into<String>, weight: u32, function: F) -> Self
    where
        F: for<'a> TaskFn<'a, S>,
    {
        self.tasks.push(task(name.into(), weight, function));
        self
    }

    /// Longest time for a whole request, from `send()` to the end of the body (60 s if not set).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.client.request_timeout = timeout;
        self
    }

    /// Longest time for making a connection, TLS included (60 s if not set).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client.connect_timeout = timeout;
        self
    }

    /// How many redirects are followed before the request fails (30 if not set).
    pub fn max_redirects(mut self, redirects: usize) -> Self {
        self.client.max_redirects = redirects;
        self
    }

    /// Accepts every TLS certificate, also invalid ones. The default is to check them.
    pub fn accept_invalid_certs(mut self, accept: bool) -> Self {
        self.client.accept_invalid_certs = accept;
        self
    }

    /// Sends a header with every request unless the request sets it itself.
    pub fn default_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.client.headers.insert(name, value);
        self
    }
}

fn task<S: Send + 'static, F>(name: String, weight: u32, function: F) -> Task<S>
where
    F: for<'a> TaskFn<'a, S>,
{
    Task {
        name,
        weight,
        run: Box::new(move |state, client| Box::pin(function.run(state, client))),
    }
}

/// A kind of user: a weight, a wait time and tasks. Made by [`FastHttpUser`] or [`HttpUser`].
#[derive(Clone)]
pub struct UserType(Arc<Definition>);

struct Definition {
    name: String,
    weight: f64,
    wait_time: WaitTime,
    tasks: TaskTable,
    client: Arc<ClientOptions>,
    behaviour: Arc<dyn Behaviour>,
}

impl UserType {
    /// The name given to the builder.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many of these users there are in proportion to the other types; finite, 0 or more.
    pub fn weight(&self) -> f64 {
        self.0.weight
    }

    /// The names of the tasks with their weights, in the order they were added.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.tasks.tasks()
    }

    pub(crate) fn wait_time(&self) -> WaitTime {
        self.0.wait_time
    }

    pub(crate) fn task_table(&self) -> &TaskTable {
        &self.0.tasks
    }

    pub(crate) fn client_options(&self) -> &Arc<ClientOptions> {
        &self.0.client
    }

    pub(crate) fn new_user(&self) -> Box<dyn UserRun> {
        Arc::clone(&self.0.behaviour).new_user()
    }
}

impl fmt::Debug for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserType")
            .field("name", &self.0.name)
            .field("weight", &self.0.weight)
            .finish_non_exhaustive()
    }
}

impl<S: Send + 'static, C: ClientChoice> From<UserBuilder<S, C>> for UserType {
    fn from(builder: UserBuilder<S, C>) -> Self {
        let tasks = TaskTable::new(
            builder
                .tasks
                .iter()
                .map(|task| (task.name.clone(), task.weight)),
        );
        Self(Arc::new(Definition {
            name: builder.name,
            weight: builder.weight,
            wait_time: builder.wait_time,
            tasks,
            client: Arc::new(builder.client),
            behaviour: Arc::new(Typed {
                state: builder.state,
                on_start: builder.on_start,
                on_stop: builder.on_stop,
                tasks: builder.tasks,
            }),
        }))
    }
}

/// The tasks of a user type as the engine draws them.
pub(crate) struct TaskTable {
    names: Vec<String>,
    /// `cumulative[i]` is the sum of the weights of the tasks up to and with task i.
    cumulative: Vec<u64>,
}

impl TaskTable {
    pub(crate) fn new(tasks: impl Iterator<Item = (String, u32)>) -> Self {
        let (mut names, mut cumulative, mut total) = (Vec::new(), Vec::new(), 0_u64);
        for (name, weight) in tasks {
            total += u64::from(weight);
            names.push(name);
            cumulative.push(total);
        }
        Self { names, cumulative }
    }

    /// Sum of all weights; 0 when there is nothing to do.
    pub(crate) fn total_weight(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// Draws a task by weight, independent of earlier draws; the table must have weight.
    pub(crate) fn draw(&self, random: &mut impl rand::Rng) -> usize {
        let point = random.random_range(0..self.total_weight());
        self.cumulative.partition_point(|&sum| sum <= point)
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    fn tasks(&self) -> impl Iterator<Item = (&str, u32)> {
        let before = std::iter::once(0).chain(self.cumulative.iter().copied());
        self.names
            .iter()
            .zip(self.cumulative.iter().zip(before))
            .map(|(name, (sum, before))| {
                (
                    name.as_str(),
                    u32::try_from(sum - before).unwrap_or(u32::MAX),
                )
            })
    }
}

/// Makes users of one type, whatever their state.
trait Behaviour: Send + Sync {
    fn new_user(self: Arc<Self>) -> Box<dyn UserRun>;
}

/// One user: its state and what it can do with it.
pub(crate) trait UserRun: Send {
    /// The name of `on_start` and its run, if there is one.
    fn on_start<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>>;
    fn task<'a>(&'a mut self, index: usize, client: &'a mut Client) -> BoxFuture<'a, TaskResult>;
    fn on_stop<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>>;
}

/// A function's name and its run.
pub(crate) type NamedRun<'a> = (String, BoxFuture<'a, TaskResult>);

struct Typed<S> {
    state: Box<dyn Fn() -> S + Send + Sync>,
    on_start: Option<Task<S>>,
    on_stop: Option<Task<S>>,
    tasks: Vec<Task<S>>,
}

impl<S: Send + 'static> Behaviour for Typed<S> {
    fn new_user(self: Arc<Self>) -> Box<dyn UserRun> {
        Box::new(TypedUser {
            state: (self.state)(),
            typed: self,
        })
    }
}

struct TypedUser<S> {
    state: S,
    typed: Arc<Typed<S>>,
}

impl<S: Send + 'static> UserRun for TypedUser<S> {
    fn on_start<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>> {
        let task = self.typed.on_start.as_ref()?;
        Some((task.name.clone(), (task.run)(&mut self.state, client)))
    }

    fn task<'a>(&'a mut self, index: usize, client: &'a mut Client) -> BoxFuture<'a, TaskResult> {
        (self.typed.tasks[index].run)(&mut self.state, client)
    }

    fn on_stop<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>> {
        let task = self.typed.on_stop.as_ref()?;
        Some((task.name.clone(), (task.run)(&mut self.state, client)))
    }
}
