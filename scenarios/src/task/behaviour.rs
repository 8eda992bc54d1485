//! The functions of users and task sets behind the types of their states: what the engine calls.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::client::Client;
use crate::engine::Arrivals;
use crate::run::UserContext;
use crate::task::{TaskFn, TaskResult, TaskSet, TaskSetFn, function_name};

/// One user: its state, those of the task sets it is in, and what it can do with them.
pub(crate) trait UserRun: Send {
    /// `on_start` of the innermost task set, or of the user outside of any: its name and its run.
    fn on_start<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>>;
    /// The task with this index of the innermost task set, or of the user.
    fn task<'a>(&'a mut self, index: usize, client: &'a mut Client) -> BoxFuture<'a, TaskResult>;
    /// `on_stop` of the innermost task set, or of the user.
    fn on_stop<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>>;
    /// Enters the task set that is the task with this index: makes its state.
    fn enter(&mut self, index: usize);
    /// Leaves the innermost task set: its state is gone.
    fn leave(&mut self);
    /// Calls the innermost task set's own wait function.
    fn set_wait_time(&mut self) -> Duration;
    /// Calls the user's own wait function.
    fn user_wait_time(&mut self) -> Duration;
}

/// A function's name and its run. The function is called within the run, so that a panic before its own future
/// exists is caught like any other.
pub(crate) type NamedRun<'a> = (String, BoxFuture<'a, TaskResult>);

type UserFn<S> =
    Box<dyn for<'a> Fn(&'a mut S, &'a mut Client) -> BoxFuture<'a, TaskResult> + Send + Sync>;
type SetFn<T, S> = Box<
    dyn for<'a> Fn(&'a mut T, &'a mut S, &'a mut Client) -> BoxFuture<'a, TaskResult> + Send + Sync,
>;
pub(crate) type MakeState<T> = Box<dyn Fn() -> T + Send + Sync>;
pub(crate) type UserWait<S> = Box<dyn Fn(&mut S) -> Duration + Send + Sync>;
pub(crate) type SetWait<T, S> = Box<dyn Fn(&mut T, &mut S) -> Duration + Send + Sync>;

pub(crate) fn user_fn<S: Send + 'static, F>(function: F) -> UserFn<S>
where
    F: for<'a> TaskFn<'a, S>,
{
    Box::new(move |state, client| Box::pin(function.run(state, client)))
}

pub(crate) fn set_fn<T: Send + 'static, S: Send + 'static, F>(function: F) -> SetFn<T, S>
where
    F: for<'a> TaskSetFn<'a, T, S>,
{
    Box::new(move |set, user, client| Box::pin(function.run(set, user, client)))
}

/// `on_start` or `on_stop`.
pub(crate) struct Hook<F> {
    name: String,
    function: F,
}

impl<F> Hook<F> {
    /// Named for the function it was made of.
    pub(crate) fn of<Named>(function: F) -> Self {
        Self {
            name: function_name::<Named>(),
            function,
        }
    }
}

/// A task: a function, or a task set to enter.
pub(crate) enum Step<F, S> {
    Task(F),
    Set(TaskSet<S>),
}

impl<F, S> Step<F, S> {
    /// The engine looks at the table first, which says what is a task set.
    fn function(&self) -> &F {
        match self {
            Self::Task(function) => function,
            Self::Set(_) => unreachable!("a task set is entered, not run"),
        }
    }

    fn set(&self) -> &TaskSet<S> {
        match self {
            Self::Set(set) => set,
            Self::Task(_) => unreachable!("only a task set is entered"),
        }
    }
}

/// The functions of a user type.
pub(crate) struct UserFunctions<S> {
    pub(crate) state: MakeState<S>,
    pub(crate) on_start: Option<Hook<UserFn<S>>>,
    pub(crate) on_stop: Option<Hook<UserFn<S>>>,
    pub(crate) wait_time: Option<UserWait<S>>,
    pub(crate) steps: Vec<Step<UserFn<S>, S>>,
}

impl<S> UserFunctions<S> {
    pub(crate) fn new(state: MakeState<S>) -> Self {
        Self {
            state,
            on_start: None,
            on_stop: None,
            wait_time: None,
            steps: Vec::new(),
        }
    }
}

/// Makes users of one type, whatever their state.
pub(crate) trait MakeUser: Send + Sync {
    fn new_user(self: Arc<Self>) -> Box<dyn UserRun>;
    /// What drives its users where that is not the engine calling functions.
    fn self_driven(&self) -> Option<&dyn SelfDriven> {
        None
    }
}

/// Users that are driven by code of their own, as those of goose scenarios are.
pub(crate) trait SelfDriven: Send + Sync {
    /// Runs one user from its `on_start` to its `on_stop`.
    fn run<'a>(
        &'a self,
        user: &'a UserContext,
        arrivals: Option<&'a Arrivals>,
    ) -> BoxFuture<'a, ()>;
}

impl<S: Send + 'static> MakeUser for UserFunctions<S> {
    fn new_user(self: Arc<Self>) -> Box<dyn UserRun> {
        Box::new(User {
            state: (self.state)(),
            functions: self,
            inside: Vec::new(),
        })
    }
}

struct User<S> {
    state: S,
    functions: Arc<UserFunctions<S>>,
    /// The task sets it is in, the innermost last.
    inside: Vec<Box<dyn SetRun<S>>>,
}

impl<S: Send + 'static> UserRun for User<S> {
    fn on_start<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>> {
        if let Some(set) = self.inside.last_mut() {
            return set.on_start(&mut self.state, client);
        }
        let hook = self.functions.on_start.as_ref()?;
        let (function, state) = (&hook.function, &mut self.state);
        let run = async move { function(state, client).await };
        Some((hook.name.clone(), Box::pin(run)))
    }

    fn task<'a>(&'a mut self, index: usize, client: &'a mut Client) -> BoxFuture<'a, TaskResult> {
        match self.inside.last_mut() {
            None => (self.functions.steps[index].function())(&mut self.state, client),
            Some(set) => set.task(index, &mut self.state, client),
        }
    }

    fn on_stop<'a>(&'a mut self, client: &'a mut Client) -> Option<NamedRun<'a>> {
        if let Some(set) = self.inside.last_mut() {
            return set.on_stop(&mut self.state, client);
        }
        let hook = self.functions.on_stop.as_ref()?;
        let (function, state) = (&hook.function, &mut self.state);
        let run = async move { function(state, client).await };
        Some((hook.name.clone(), Box::pin(run)))
    }

    fn enter(&mut self, index: usize) {
        let set = match self.inside.last() {
            None => self.functions.steps[index].set(),
            Some(set) => set.inner(index),
        };
        let entered = set.new_run();
        self.inside.push(entered);
    }

    fn leave(&mut self) {
        self.inside.pop();
    }

    fn set_wait_time(&mut self) -> Duration {
        match self.inside.last_mut() {
            Some(set) => set.wait_time(&mut self.state),
            None => self.user_wait_time(),
        }
    }

    fn user_wait_time(&mut self) -> Duration {
        let wait_time = self.functions.wait_time.as_ref();
        wait_time.map_or(Duration::ZERO, |wait_time| wait_time(&mut self.state))
    }
}

/// The functions of a task set.
pub(crate) struct SetFunctions<T, S> {
    pub(crate) state: MakeState<T>,
    pub(crate) on_start: Option<Hook<SetFn<T, S>>>,
    pub(crate) on_stop: Option<Hook<SetFn<T, S>>>,
    pub(crate) wait_time: Option<SetWait<T, S>>,
    pub(crate) steps: Vec<Step<SetFn<T, S>, S>>,
}

impl<T, S> SetFunctions<T, S> {
    pub(crate) fn new(state: MakeState<T>) -> Self {
        Self {
            state,
            on_start: None,
            on_stop: None,
            wait_time: None,
            steps: Vec::new(),
        }
    }
}

/// Makes instances of a task set, whatever their state.
pub(crate) trait MakeSet<S>: Send + Sync {
    fn new_set(self: Arc<Self>) -> Box<dyn SetRun<S>>;
}

impl<T: Send + 'static, S: Send + 'static> MakeSet<S> for SetFunctions<T, S> {
    fn new_set(self: Arc<Self>) -> Box<dyn SetRun<S>> {
        Box::new(Set {
            state: (self.state)(),
            functions: self,
        })
    }
}

/// A task set that a user is in.
pub(crate) trait SetRun<S>: Send {
    fn on_start<'a>(&'a mut self, user: &'a mut S, client: &'a mut Client) -> Option<NamedRun<'a>>;
    fn task<'a>(
        &'a mut self,
        index: usize,
        user: &'a mut S,
        client: &'a mut Client,
    ) -> BoxFuture<'a, TaskResult>;
    fn on_stop<'a>(&'a mut self, user: &'a mut S, client: &'a mut Client) -> Option<NamedRun<'a>>;
    fn inner(&self, index: usize) -> &TaskSet<S>;
    fn wait_time(&mut self, user: &mut S) -> Duration;
}

struct Set<T, S> {
    state: T,
    functions: Arc<SetFunctions<T, S>>,
}

impl<T: Send + 'static, S: Send + 'static> SetRun<S> for Set<T, S> {
    fn on_start<'a>(&'a mut self, user: &'a mut S, client: &'a mut Client) -> Option<NamedRun<'a>> {
        let hook = self.functions.on_start.as_ref()?;
        let (function, state) = (&hook.function, &mut self.state);
        let run = async move { function(state, user, client).await };
        Some((hook.name.clone(), Box::pin(run)))
    }

    fn task<'a>(
        &'a mut self,
        index: usize,
        user: &'a mut S,
        client: &'a mut Client,
    ) -> BoxFuture<'a, TaskResult> {
        (self.functions.steps[index].function())(&mut self.state, user, client)
    }

    fn on_stop<'a>(&'a mut self, user: &'a mut S, client: &'a mut Client) -> Option<NamedRun<'a>> {
        let hook = self.functions.on_stop.as_ref()?;
        let (function, state) = (&hook.function, &mut self.state);
        let run = async move { function(state, user, client).await };
        Some((hook.name.clone(), Box::pin(run)))
    }

    fn inner(&self, index: usize) -> &TaskSet<S> {
        self.functions.steps[index].set()
    }

    fn wait_time(&mut self, user: &mut S) -> Duration {
        let wait_time = self.functions.wait_time.as_ref();
        wait_time.map_or(Duration::ZERO, |wait_time| wait_time(&mut self.state, user))
    }
}
