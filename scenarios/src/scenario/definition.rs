//! A scenario: a named set of user types, and what it declares beside them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::events::{Events, RequestEvent, UserErrorEvent, handler, spawned_handler};
use crate::load_shape::{self, LoadShape, ShapeError, ShapeFactory, ShapePlan};
use crate::options::{CustomOption, Options};
use crate::place::keep_places_of_panics;
use crate::recorder::Recorder;
use crate::rows::{DataSource, RowsError};
use crate::run::{Run, RunSettings, SET_UP_TIME, SetUp, SetUpError};
use crate::task::{TaskError, TaskResult};
use crate::user::{UserType, UserTypeError, UserTypeProblem};

/// Why no load can start with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A user type cannot work as it was written.
    #[error(transparent)]
    UserType(#[from] UserTypeError),
    /// Test data cannot be used.
    #[error(transparent)]
    Data(#[from] RowsError),
}

/// A named set of user types that a load test can select, with its options, its test data, its load shape and
/// its listeners to events. Cheap to clone.
#[derive(Clone)]
pub struct Scenario {
    /// What a load test selects it by.
    pub name: String,
    /// A short description for people; may be empty.
    pub description: String,
    /// Who takes part, and with which weights.
    pub user_types: Vec<UserType>,
    /// The options it declares.
    pub options: Vec<CustomOption>,
    pub(crate) events: Arc<Events>,
    pub(crate) data: Vec<&'static dyn DataSource>,
    pub(crate) shape: Option<ShapeFactory>,
    pub(crate) set_up: Option<SetUp>,
}

impl Scenario {
    /// A scenario without users yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            user_types: Vec::new(),
            options: Vec::new(),
            events: Arc::default(),
            data: Vec::new(),
            shape: None,
            set_up: None,
        }
    }

    /// Says briefly what the scenario does.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a user type.
    pub fn user(mut self, user_type: impl Into<UserType>) -> Self {
        self.user_types.push(user_type.into());
        self
    }

    /// Declares an option of the scenario's own, read with [`Run::options`]. Locust's
    /// `init_command_line_parser`.
    pub fn option(mut self, option: CustomOption) -> Self {
        self.options.push(option);
        self
    }

    /// Has test data read and checked before load starts: `.data(&ACCOUNTS)`. Its file travels with a program that is shipped to
    /// agents.
    pub fn data(mut self, source: &'static dyn DataSource) -> Self {
        self.data.push(source);
        self
    }

    /// The files of its test data, each once, as they are named.
    pub fn data_files(&self) -> Vec<&'static str> {
        let mut files = Vec::new();
        for file in self.data.iter().filter_map(|source| source.file()) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// Lets a load shape say how many users there are when, in place of the load test's users, ramp-up and
    /// duration: `.shape(MyShape::default)`. Locust's `LoadTestShape`.
    pub fn shape<L, F>(self, make: F) -> Self
    where
        L: LoadShape + 'static,
        F: Fn() -> L + Send + Sync + 'static,
    {
        self.shape_with(move |_| Ok(make()))
    }

    /// The same, for a shape that depends on the scenario's options.
    pub fn shape_with<L, F>(mut self, make: F) -> Self
    where
        L: LoadShape + 'static,
        F: Fn(&Options) -> Result<L, TaskError> + Send + Sync + 'static,
    {
        self.shape = Some(Arc::new(move |options| Ok(Box::new(make(options)?))));
        self
    }

    /// Whether it has a load shape of its own.
    pub fn has_shape(&self) -> bool {
        self.shape.is_some()
    }

    /// Runs once in each worker process, before any user. An error or a panic is fatal: the run fails. Locust's
    /// `init`, at the start of a run: a worker process is started for one run.
    pub fn on_init<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().init.push(handler(function));
        self
    }

    /// Makes what all users of the test share: runs once per test, on the worker with number 0, before
    /// `on_test_start`, and what it returns is there on every worker when its users start, read with
    /// [`Run::set_up_data`]. On one machine or many, and through a restart of the coordinator.
    ///
    /// ```
    /// use greylag_scenarios::prelude::*;
    /// # use greylag_scenarios as greylag;
    ///
    /// #[derive(greylag::serde::Serialize, greylag::serde::Deserialize)]
    /// #[serde(crate = "greylag::serde")]
    /// struct Tenants {
    ///     names: Vec<String>,
    /// }
    ///
    /// async fn visit(client: &mut Client) -> TaskResult {
    ///     let tenants = client.run().set_up_data::<Tenants>()?;
    ///     let index = client.user().index as usize % tenants.names.len();
    ///     client.get(format!("/{}", tenants.names[index])).send().await?;
    ///     Ok(())
    /// }
    ///
    /// let scenario = Scenario::new("tenants").set_up(|_run| async {
    ///     Ok(Tenants { names: vec!["ada".into(), "grace".into()] })
    /// });
    /// ```
    ///
    /// An error, a panic, more than [`SET_UP_TIME`](crate::SET_UP_TIME) or more than
    /// [`MAX_SET_UP_BYTES`](crate::MAX_SET_UP_BYTES) fail the run before any load.
    pub fn set_up<T, F, R>(mut self, function: F) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, TaskError>> + Send + 'static,
    {
        self.set_up = Some(SetUp::new(function));
        self
    }

    /// Makes the set-up data for a run and puts it there. Returns it as it is sent to the other workers; none for a
    /// scenario without. For the worker with number 0.
    ///
    /// # Errors
    /// The scenario's code failed, panicked or took too long, or the data is too large.
    pub async fn make_set_up_data(&self, run: &Arc<Run>) -> Result<Option<Vec<u8>>, SetUpError> {
        match &self.set_up {
            Some(set_up) => set_up.make(run).await.map(Some),
            None => Ok(None),
        }
    }

    /// Puts the set-up data that was made on worker 0 into a run.
    ///
    /// # Errors
    /// It cannot be read, or the scenario has a `set_up` and nothing came.
    pub fn take_set_up_data(&self, run: &Run, bytes: Option<&[u8]>) -> Result<(), SetUpError> {
        match (&self.set_up, bytes) {
            (None, _) => Ok(()),
            (Some(set_up), Some(bytes)) => set_up.take(run, bytes),
            (Some(_), None) => Err(SetUpError::Missing),
        }
    }

    /// How much longer than without code of its own a worker process may take until it is ready to start users.
    pub fn longest_start(&self, worker: u32) -> Duration {
        let set_up = if self.set_up.is_some() && worker == 0 {
            SET_UP_TIME
        } else {
            Duration::ZERO
        };
        self.events.longest_start(worker) + set_up
    }

    /// Runs once per test, on the worker with number 0, before any worker starts users: the place to prepare the
    /// target. What users need of it is returned by [`set_up`](Self::set_up). An error is reported and the test continues; [`stop_test`](crate::stop_test) stops it.
    ///
    /// Set-up requests belong to no user and are not recorded: make them with any HTTP client, for example
    /// reqwest with [`Run::host`] as the base URL.
    pub fn on_test_start<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().test_start.push(handler(function));
        self
    }

    /// Runs once per test, on the worker with number 0, when that worker's last user has ended. Bounded to
    /// [`STOP_EVENT_TIME`](crate::STOP_EVENT_TIME).
    pub fn on_test_stop<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().test_stop.push(handler(function));
        self
    }

    /// Runs once on each worker, before it starts users. Locust's `test_start` as its workers see it.
    pub fn on_worker_start<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().worker_start.push(handler(function));
        self
    }

    /// Runs once on each worker, when its last user has ended. Locust's `test_stop` as its workers see it.
    /// Bounded to [`STOP_EVENT_TIME`](crate::STOP_EVENT_TIME).
    pub fn on_worker_stop<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().worker_stop.push(handler(function));
        self
    }

    /// Hears every request when it has ended, before it is recorded, and may rename it. Called by the users
    /// themselves, many times a second and from any thread: it must be quick and must not block.
    pub fn on_request<F>(mut self, function: F) -> Self
    where
        F: Fn(&mut RequestEvent<'_>) + Send + Sync + 'static,
    {
        self.events_mut().request.push(Arc::new(function));
        self
    }

    /// Hears every error of a task that is not a failed request, and every panic. It must not block.
    pub fn on_user_error<F>(mut self, function: F) -> Self
    where
        F: Fn(&UserErrorEvent<'_>) + Send + Sync + 'static,
    {
        self.events_mut().user_error.push(Arc::new(function));
        self
    }

    /// Runs on each worker when all users planned so far have started, with their number over the whole run.
    pub fn on_spawning_complete<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>, u64) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut()
            .spawning_complete
            .push(spawned_handler(function));
        self
    }

    /// Runs in each worker process before it ends; the last registered handler comes first. Bounded to
    /// [`STOP_EVENT_TIME`](crate::STOP_EVENT_TIME).
    pub fn on_quitting<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = TaskResult> + Send + 'static,
    {
        self.events_mut().quitting.push(handler(function));
        self
    }

    fn events_mut(&mut self) -> &mut Events {
        Arc::make_mut(&mut self.events)
    }

    /// What listens to events, for the process that runs the scenario.
    pub fn events(&self) -> Arc<Events> {
        Arc::clone(&self.events)
    }

    /// A run of this scenario as its listeners and users see it.
    pub fn run(&self, settings: RunSettings, recorder: Arc<dyn Recorder>) -> Arc<Run> {
        keep_places_of_panics();
        Arc::new(Run::with_options(settings, &self.options, recorder))
    }

    /// The same, with the set-up data of a run that was prepared.
    pub(crate) fn run_as_prepared(
        &self,
        settings: RunSettings,
        recorder: Arc<dyn Recorder>,
        prepared: Option<&Run>,
    ) -> Arc<Run> {
        let mut run = Run::with_options(settings, &self.options, recorder);
        if let Some(prepared) = prepared {
            run.set_up = Arc::clone(&prepared.set_up);
        }
        Arc::new(run)
    }

    /// Checks all user types: that each has a name of its own, and what [`UserType::check`] looks at. Logs
    /// what is only worth a warning.
    ///
    /// # Errors
    ///
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), UserTypeError> {
        let mut names = BTreeSet::new();
        for user_type in &self.user_types {
            if !names.insert(user_type.name()) {
                return Err(user_type.refused(UserTypeProblem::SameName));
            }
            user_type.check()?;
            user_type.task_table().warn();
        }
        Ok(())
    }

    /// Checks what can be known here before load starts, and reads the test data: user types (as [`Scenario::check`]
    /// does) and data files. Reads files, so it may block.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn prepare(&self, settings: &RunSettings) -> Result<(), PrepareError> {
        self.check()?;
        for source in &self.data {
            source.prepare(settings)?;
        }
        Ok(())
    }

    /// Asks the scenario's load shape for each whole second of run time, until it ends the run or until
    /// `ceiling`. It runs the shape's code to its end, so it may block.
    ///
    /// # Errors
    /// When there is no shape, or what it answers cannot be run.
    pub fn evaluate_shape(
        &self,
        ceiling: Duration,
        settings: &RunSettings,
    ) -> Result<ShapePlan, ShapeError> {
        let Some(make) = &self.shape else {
            return Err(ShapeError::None {
                scenario: self.name.clone(),
            });
        };
        load_shape::evaluate(
            make,
            &Options::new(&self.options, &settings.options),
            ceiling,
        )
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("user_types", &self.user_types)
            .field("options", &self.options)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
