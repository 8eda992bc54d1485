//! User types: who a simulated user is, how often it appears, and what it does.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::client::{Client, ClientOptions, ClientSetupError, ClientShared};
use crate::recorder::Recorder;
use crate::task::{MakeUser, SelfDriven, TaskEntry, TaskTable, TaskTableError, UserRun};

/// A kind of user: a weight, a wait time and tasks. Made by [`FastHttpUser`](crate::FastHttpUser) or
/// [`HttpUser`](crate::HttpUser).
#[derive(Clone)]
pub struct UserType(Arc<Definition>);

/// What a user type is.
#[derive(Clone)]
pub(crate) struct Definition {
    pub(crate) weight: f64,
    pub(crate) fixed_count: u64,
    pub(crate) host: Option<Url>,
    /// Has the user type's name.
    pub(crate) tasks: TaskTable,
    pub(crate) client: Arc<ClientOptions>,
    pub(crate) functions: Arc<dyn MakeUser>,
    /// Why no run can begin with it.
    pub(crate) problem: Option<UserTypeProblem>,
}

/// Why no run can begin with a user type. The message is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("user type `{user_type}`: {problem}")]
pub struct UserTypeError {
    user_type: String,
    problem: UserTypeProblem,
}

/// What is wrong with a user type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserTypeProblem {
    #[error("its host `{0}` is not an http:// or https:// URL with a host name")]
    Host(String),
    #[error(transparent)]
    Client(#[from] ClientSetupError),
    #[error(transparent)]
    Tasks(#[from] TaskTableError),
    #[error("its goose scenario has only on_start and on_stop transactions")]
    OnlyHooks,
    #[error("another one has the same name; rename one of them")]
    SameName,
    #[error(transparent)]
    Override(#[from] ClientOverrideError),
}

/// Why a user type cannot have what a load test says about its users' client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientOverrideError {
    #[error(
        "its users run a goose scenario with goose's own client, to which the test's client settings do not apply; leave them out or select other user types"
    )]
    Goose,
    #[error(
        "the test asks for the fast client, and the user type for {0}, which only the full client has; change one of the two"
    )]
    FullClientOnly(&'static str),
    #[error("the test names a proxy, but only the full client supports proxies")]
    Proxy,
    #[error("the test names an HTTP version, but only the full client lets you choose it")]
    HttpVersion,
    #[error("`{0}` is not a valid header name")]
    HeaderName(String),
    #[error("the value of the default header {0} has characters that cannot be sent")]
    HeaderValue(String),
}

impl UserType {
    pub(crate) fn new(definition: Definition) -> Self {
        Self(Arc::new(definition))
    }

    /// The name given to the builder.
    pub fn name(&self) -> &str {
        self.0.tasks.name()
    }

    /// How many of these users there are in proportion to the other types; finite, 0 or more.
    pub fn weight(&self) -> f64 {
        self.0.weight
    }

    /// Exactly this many of these users, before any by weight; 0 for by weight.
    pub fn fixed_count(&self) -> u64 {
        self.0.fixed_count
    }

    /// Base URL of the target for these users, used when the load test names none.
    pub fn host(&self) -> Option<&Url> {
        self.0.host.as_ref()
    }

    /// Its tasks, in the order they were added; task sets have tasks of their own.
    pub fn tasks(&self) -> &[TaskEntry] {
        self.0.tasks.entries()
    }

    /// All tags of its tasks and of the task sets among them, sorted.
    pub fn tags(&self) -> BTreeSet<&str> {
        let mut tags = BTreeSet::new();
        let mut open: Vec<&TaskEntry> = self.tasks().iter().collect();
        while let Some(task) = open.pop() {
            tags.extend(task.tags());
            open.extend(task.tasks());
        }
        tags
    }

    /// Checks what would fail while running: Markov task sets, wait times, the host, the client's options.
    ///
    /// # Errors
    ///
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), UserTypeError> {
        let of_tasks = || self.0.tasks.first_problem().map(UserTypeProblem::from);
        let of_client = || self.0.client.invalid.clone().map(UserTypeProblem::from);
        let own = self.0.problem.clone();
        match own.or_else(of_tasks).or_else(of_client) {
            None => Ok(()),
            Some(problem) => Err(self.refused(problem)),
        }
    }

    pub(crate) fn refused(&self, problem: impl Into<UserTypeProblem>) -> UserTypeError {
        UserTypeError {
            user_type: self.name().to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn definition(&self) -> &Definition {
        &self.0
    }

    pub(crate) fn task_table(&self) -> &TaskTable {
        &self.0.tasks
    }

    pub(crate) fn client_options(&self) -> &Arc<ClientOptions> {
        &self.0.client
    }

    /// What drives its users, if that is not the engine by their tasks.
    pub(crate) fn self_driven(&self) -> Option<&dyn SelfDriven> {
        self.0.functions.self_driven()
    }

    pub(crate) fn new_user(&self) -> Box<dyn UserRun> {
        Arc::clone(&self.0.functions).new_user()
    }
}

impl fmt::Debug for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserType")
            .field("name", &self.name())
            .field("weight", &self.0.weight)
            .field("fixed_count", &self.0.fixed_count)
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// [`outside_a_run`](Self::outside_a_run) with the client that users of this type have: its kind, headers, timeouts, certificates.
    ///
    /// # Errors
    ///
    /// When the host is not one that can be requested, or the type's client cannot be made.
    pub fn of_type(
        user_type: &UserType,
        host: &Url,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, ClientSetupError> {
        let shared = ClientShared::new(host, Arc::clone(user_type.client_options()))?;
        Ok(Self::alone(shared, host, recorder))
    }
}
