//! Task sets: tasks of tasks, with a state and a pace of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::task::{
    Chain, Hook, MakeSet, MarkovError, Order, SetFunctions, SetRun, Step, TaskEntry, TaskOptions,
    TaskOrder, TaskSetFn, TaskTable, Transitions, Wait, WaitTime, function_name, set_fn,
};

/// Builds a task set: `TaskSetBuilder::<Browsing, Shopper>::new("Browsing").task(1, Browsing::next)`.
///
/// `T` is the state of the task set, made anew each time a user enters it; `S` is that of the user.
/// A task set is itself a task: pass it to [`UserBuilder::task_set`](crate::UserBuilder::task_set) or to
/// [`TaskSetBuilder::task_set`]. A user that enters it runs its tasks for ever, until one of them returns
/// [`interrupt()`](crate::interrupt), or the user stops.
pub struct TaskSetBuilder<T, S> {
    name: String,
    order: TaskOrder,
    wait: Wait,
    entries: Vec<TaskEntry>,
    transitions: Transitions,
    functions: SetFunctions<T, S>,
}

impl<T: Default + Send + 'static, S: Send + 'static> TaskSetBuilder<T, S> {
    /// A task set that draws each task by weight, as users do. Locust's `TaskSet`.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_state(name, TaskOrder::Random, T::default)
    }

    /// A task set that runs its tasks as they were added, over and over. Locust's `SequentialTaskSet`.
    pub fn sequential(name: impl Into<String>) -> Self {
        Self::with_state(name, TaskOrder::Sequential, T::default)
    }

    /// A task set that goes from task to task by its [`transitions`](Self::transitions). Locust's
    /// `MarkovTaskSet`.
    pub fn markov(name: impl Into<String>) -> Self {
        Self::with_state(name, TaskOrder::Markov, T::default)
    }
}

impl<T: Send + 'static, S: Send + 'static> TaskSetBuilder<T, S> {
    /// A task set whose state is made by `state`, each time a user enters it.
    pub fn with_state(
        name: impl Into<String>,
        order: TaskOrder,
        state: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            order,
            wait: Wait::OfTheUser,
            entries: Vec::new(),
            transitions: Vec::new(),
            functions: SetFunctions::new(Box::new(state)),
        }
    }

    /// How long a user waits after a task of this task set; without it the user's own wait time is used
    /// (also in a task set within another that has one, as in Locust).
    pub fn wait_time(mut self, wait_time: WaitTime) -> Self {
        self.wait = Wait::Time(wait_time);
        self
    }

    /// Asks a function how long to wait after each task of this task set.
    pub fn wait_time_fn(
        mut self,
        function: impl Fn(&mut T, &mut S) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.wait = Wait::Function;
        self.functions.wait_time = Some(Box::new(function));
        self
    }

    /// Runs each time a user enters. An error here (other than a failed request) is reported, and the user
    /// is outside again; so it is with [`interrupt()`](crate::interrupt). `on_stop` does not run then.
    pub fn on_start<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskSetFn<'a, T, S>,
    {
        self.functions.on_start = Some(Hook::of::<F>(set_fn(function)));
        self
    }

    /// Runs each time a user leaves, by [`interrupt()`](crate::interrupt) or because it stops.
    pub fn on_stop<F>(mut self, function: F) -> Self
    where
        F: for<'a> TaskSetFn<'a, T, S>,
    {
        self.functions.on_stop = Some(Hook::of::<F>(set_fn(function)));
        self
    }

    /// Adds a task, named for its function.
    pub fn task<F>(self, weight: u32, function: F) -> Self
    where
        F: for<'a> TaskSetFn<'a, T, S>,
    {
        let options = TaskOptions::new(function_name::<F>()).weight(weight);
        self.task_with(options, function)
    }

    /// Adds a task with a name, a weight and tags.
    pub fn task_with<F>(mut self, options: TaskOptions, function: F) -> Self
    where
        F: for<'a> TaskSetFn<'a, T, S>,
    {
        self.entries.push(TaskEntry::new(&options, None));
        self.functions.steps.push(Step::Task(set_fn(function)));
        self
    }

    /// Adds a task set of the same users as a task.
    pub fn task_set(mut self, options: TaskOptions, set: impl Into<TaskSet<S>>) -> Self {
        let set = set.into();
        self.entries
            .push(TaskEntry::new(&options, Some(Arc::clone(&set.table))));
        self.functions.steps.push(Step::Set(set));
        self
    }

    /// In a Markov task set: after the task `from` comes one of `to`, by weight. Names are those the tasks
    /// were added with. Said more than once for a task, the lists are joined.
    ///
    /// Checked before load starts, for Locust's reasons: there must be at least one task with
    /// transitions, each of them must lead to a task that has some itself, and no task may have tags.
    pub fn transitions(
        mut self,
        from: impl Into<String>,
        to: impl IntoIterator<Item = (impl Into<String>, u32)>,
    ) -> Self {
        let to = to.into_iter().map(|(name, weight)| (name.into(), weight));
        self.transitions.push((from.into(), to.collect()));
        self
    }
}

impl<T, S> fmt::Debug for TaskSetBuilder<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSetBuilder")
            .field("name", &self.name)
            .field("order", &self.order)
            .field("tasks", &self.entries)
            .finish_non_exhaustive()
    }
}

/// A task set of users with the state `S`, made by [`TaskSetBuilder`].
pub struct TaskSet<S> {
    table: Arc<TaskTable>,
    functions: Arc<dyn MakeSet<S>>,
}

impl<S> TaskSet<S> {
    /// The name given to the builder.
    pub fn name(&self) -> &str {
        self.table.name()
    }

    /// Its tasks, in the order they were added.
    pub fn tasks(&self) -> &[TaskEntry] {
        self.table.entries()
    }

    pub(crate) fn table(&self) -> &Arc<TaskTable> {
        &self.table
    }

    pub(crate) fn new_run(&self) -> Box<dyn SetRun<S>> {
        Arc::clone(&self.functions).new_set()
    }
}

impl<S> Clone for TaskSet<S> {
    fn clone(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            functions: Arc::clone(&self.functions),
        }
    }
}

impl<S> fmt::Debug for TaskSet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSet")
            .field("name", &self.name())
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static, S: Send + 'static> From<TaskSetBuilder<T, S>> for TaskSet<S> {
    fn from(builder: TaskSetBuilder<T, S>) -> Self {
        let TaskSetBuilder { name, entries, .. } = builder;
        let (order, problem) = match builder.order {
            TaskOrder::Markov => match Chain::new(&name, &entries, &builder.transitions) {
                Ok(chain) => (Order::Markov(Arc::new(chain)), None),
                // Never run: the problem is reported before load starts.
                Err(error) => (Order::Random, Some(error)),
            },
            order => {
                let problem = (!builder.transitions.is_empty())
                    .then(|| MarkovError::NotMarkov { set: name.clone() });
                match order {
                    TaskOrder::Sequential => (Order::Sequential, problem),
                    _ => (Order::Random, problem),
                }
            }
        };
        Self {
            table: Arc::new(TaskTable::new(name, entries, order, builder.wait, problem)),
            functions: Arc::new(builder.functions),
        }
    }
}
