//! The goose attack whose users run ours.
//!
//! goose launches its users and spawns, schedules and joins them. Each of them takes users of ours from the
//! queue (`slots.rs`) in turn, runs each as a task of its own, and waits for all of them in a single goose transaction,
//! by our own timer and our own stop signal (goose polls twice a second, and its users would wake up as often). So
//! the number of goose users of the attack is fixed, and any number of ours can come.
//!
//! Up to [`MOST_GOOSE_USERS`] each of ours has a goose user to itself. Beyond them they share, because a goose user holds
//! the whole configuration and a batch of metrics: about 11 kB, more than twice what a user of ours takes while it waits.
//!
//! What of goose is switched off and why:
//!
//! - its metrics, reports and controllers: every request is timed and counted by us;
//! - one HTTP client per user: building it costs 109 kB and 2.5 ms, and ours is used anyway, so all
//!   share one;
//! - its Ctrl-C handler: a second SIGINT would end the process. A handler of ours that does nothing
//!   is set first, and goose keeps the one that is there.
//!
//! goose prints `N users launched.` to stdout whatever its options say; [`is_engine_chatter`] knows that line.

use std::pin::pin;
use std::sync::{Arc, Once};
use std::time::Duration;

use ::goose::client::GooseClientBuilder;
use ::goose::config::GooseConfiguration;
use ::goose::goose::{GooseUser, Scenario as GooseScenario, Transaction};
use ::goose::{GooseAttack, GooseError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrivals::{Arrivals, SKIP_EVERY};
use super::grace_periods::ENGINE_GRACE;
use super::log_limit::LogLimit;
use super::loop_watch::LoopWatch;
use super::slots::{Assignment, Room, Slots};
use super::user::UserRunner;
use crate::client::ClientSetupError;
use crate::recorder::Recorder;
use crate::run::{Run, RunContext, RunSettings, without_password};
use crate::scenario::Scenario;
use crate::user::UserTypeError;

/// How fast goose launches users, per second. They wait for users of ours themselves, so this only has to
/// be beyond what a machine can do.
const LAUNCH_RATE: &str = "1000000";
/// As many goose users as there are users of ours, but no more than this.
const MOST_GOOSE_USERS: usize = 64;

/// The longest stop timeout; longer ones are cut to it (a year, beyond any run and within every clock).
const LONGEST_STOP_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// One user that this process is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedUser {
    /// The user's number over the whole run, from 0.
    pub index: u64,
    /// Which of the scenario's `user_types` it is.
    pub user_type: usize,
}

/// An order to the engine while it drives, meant for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOrder {
    /// A user begins; while one of the same index is still ending, as soon as that has ended.
    Start(PlannedUser),
    /// The user with this index ends: a task under way may continue for the stop timeout, then `on_stop` runs.
    /// Nothing happens if it has ended by itself.
    Stop {
        /// The user's number over the whole run.
        index: u64,
    },
}

/// What one process has to drive.
#[derive(Debug)]
pub struct Load {
    /// The run as the scenario sees it. Paths of requests are appended to its host (http or https), or to the
    /// user type's own where there is none.
    pub settings: RunSettings,
    /// How many users there will be at once, as far as that is known; more may come.
    pub users: usize,
    /// How long tasks under way may continue when the run is stopped.
    pub stop_timeout: Duration,
    /// For an arrival rate: when iterations are intended to begin, each given when it is due. Users then
    /// wait for iterations instead of for their wait times.
    pub arrivals: Option<mpsc::Receiver<Instant>>,
    /// Records what users are doing at the moment; only for a runtime that has one thread.
    pub watch: Option<Arc<LoopWatch>>,
    /// The run as it was prepared, whose set-up data the users read; none outside of a worker.
    pub prepared: Option<Arc<Run>>,
}

/// Why a load cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A user type has nothing to do.
    #[error("user type `{user_type}` has no task with a weight above 0: add one with .task(1, …)")]
    NoTasks {
        /// The user type's name.
        user_type: String,
    },
    /// A user type cannot work as it was written.
    #[error(transparent)]
    UserType(#[from] UserTypeError),
    /// There is nothing to send requests to.
    #[error(
        "user type `{user_type}` has no host: you must specify the base host, for the load test with --host or \
         for the user type with .host(…)"
    )]
    NoHost {
        /// The user type's name.
        user_type: String,
    },
    /// A planned user names a user type that the scenario does not have.
    #[error(
        "user {index} is planned for user type number {user_type}, but scenario `{scenario}` has {count}"
    )]
    NoSuchUserType {
        /// The planned user's number.
        index: u64,
        /// The number that was planned.
        user_type: usize,
        /// The scenario's name.
        scenario: String,
        /// How many user types it has.
        count: usize,
    },
    /// The host is not a base URL for HTTP.
    #[error("host `{host}` is not an http:// or https:// URL with a host name")]
    Host {
        /// The host as given, but for its password.
        host: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] ClientSetupError),
    /// goose refused or failed to run the attack.
    #[error("the load engine failed: {0}")]
    Engine(String),
}

/// Drives the users that `orders` names until `stop` is cancelled and every user has ended. Orders that can
/// not be followed (an unknown user type) end the load.
///
/// One call at a time per process: goose keeps global state. Dropping the future stops the users, too. Returns within 2 s of the stop
/// timeout, whatever the users await. SIGINT is ignored from the first call on, because Ctrl-C at
/// a terminal reaches workers too, and whoever started this process decides about its end.
///
/// # Errors
///
/// When the load does not fit the scenario, or the engine cannot be started.
pub async fn drive(
    scenario: &Scenario,
    load: Load,
    mut orders: mpsc::Receiver<UserOrder>,
    recorder: Arc<dyn Recorder>,
    stop: CancellationToken,
) -> Result<(), DriveError> {
    check(scenario, &load)?;
    let context = Arc::new(RunContext {
        run: scenario.run_as_prepared(
            load.settings,
            Arc::clone(&recorder),
            load.prepared.as_deref(),
        ),
        recorder: Arc::clone(&recorder),
        log: LogLimit::new(),
        events: scenario.events(),
        watch: load.watch,
    });
    let stop_timeout = load.stop_timeout.min(LONGEST_STOP_TIMEOUT);
    let mut due = load.arrivals;
    let arrivals = due.as_ref().map(|_| Arc::new(Arrivals::new(recorder)));
    let runner = UserRunner::new(scenario, context, arrivals.clone())?;
    let engine = Arc::new(Engine {
        runner,
        slots: Slots::new(stop_timeout),
    });
    let _closed_in_the_end = CloseOnDrop(Arc::clone(&engine));
    let goose_users = load.users.clamp(1, MOST_GOOSE_USERS);
    let mut attack = pin!(attack(Arc::clone(&engine), goose_users)?.execute());
    let mut skip = tokio::time::interval(SKIP_EVERY);
    let mut orders_ended = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            // It ends only when the slots are closed.
            ended = &mut attack => return ended.map(drop).map_err(refused),
            order = next_order(&mut orders, &engine.slots), if !orders_ended => match order {
                Some((UserOrder::Start(planned), room)) => {
                    check_user(scenario, planned)?;
                    engine.slots.start(planned, room);
                }
                Some((UserOrder::Stop { index }, _)) => engine.slots.stop(index),
                None => orders_ended = true,
            },
            Some(intended) = next_due(&mut due) => {
                if let Some(arrivals) = &arrivals {
                    arrivals.push(intended);
                }
            }
            _ = skip.tick(), if arrivals.is_some() => {
                if let Some(arrivals) = &arrivals {
                    arrivals.skip_old();
                }
            }
        }
    }
    engine.slots.close();
    let deadline = Instant::now() + stop_timeout + ENGINE_GRACE;
    match tokio::time::timeout_at(deadline, attack).await {
        Ok(ended) => ended.map(drop).map_err(refused),
        Err(_) => {
            tracing::warn!("the load engine did not end in time and was abandoned");
            Ok(())
        }
    }
}

/// The next order, once it can be followed.
async fn next_order(
    orders: &mut mpsc::Receiver<UserOrder>,
    slots: &Slots,
) -> Option<(UserOrder, Room)> {
    let room = slots.room().await;
    Some((orders.recv().await?, room))
}

/// The next iteration that is due; pending for ever where there are none.
async fn next_due(due: &mut Option<mpsc::Receiver<Instant>>) -> Option<Instant> {
    match due {
        Some(due) => match due.recv().await {
            Some(intended) => Some(intended),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// What goose's users work with.
struct Engine {
    runner: UserRunner,
    slots: Slots,
}

impl Engine {
    /// The life of a goose user: it runs users of ours until the run is being stopped, and waits for their ends.
    async fn run_users(self: Arc<Self>) {
        let users = TaskTracker::new();
        while let Some(assignment) = self.slots.next().await {
            users.spawn(run_user(Arc::clone(&self), assignment));
        }
        users.close();
        users.wait().await;
    }
}

async fn run_user(engine: Arc<Engine>, mut assignment: Assignment) {
    assignment.begin();
    let _ended = EndOnDrop {
        slots: &engine.slots,
        index: assignment.planned.index,
    };
    engine.runner.run(assignment.planned, assignment.stop).await;
}

/// Whatever becomes of a user's life, its slot knows that it is over.
struct EndOnDrop<'a> {
    slots: &'a Slots,
    index: u64,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.slots.ended(self.index);
    }
}

/// goose's reason; its message alone leaves out which option it means.
fn refused(error: GooseError) -> DriveError {
    DriveError::Engine(match error {
        GooseError::InvalidOption {
            option,
            value,
            detail,
        } => format!("{option} {value}: {detail}"),
        other => other.to_string(),
    })
}

/// Users are tasks of their own: without this they would keep running when `drive` is dropped.
struct CloseOnDrop(Arc<Engine>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.slots.close();
    }
}

fn check(scenario: &Scenario, load: &Load) -> Result<(), DriveError> {
    if let Some(host) = &load.settings.host
        && (!matches!(host.scheme(), "http" | "https") || !host.has_host())
    {
        return Err(DriveError::Host {
            host: without_password(host).into(),
        });
    }
    scenario.check()?;
    for user_type in &scenario.user_types {
        let name = || user_type.name().to_owned();
        if load.settings.host.is_none() && user_type.host().is_none() {
            return Err(DriveError::NoHost { user_type: name() });
        }
        let takes_part = user_type.weight() > 0.0 || user_type.fixed_count() > 0;
        if takes_part && !user_type.task_table().has_work() {
            return Err(DriveError::NoTasks { user_type: name() });
        }
    }
    Ok(())
}

fn check_user(scenario: &Scenario, planned: PlannedUser) -> Result<(), DriveError> {
    if planned.user_type < scenario.user_types.len() {
        return Ok(());
    }
    Err(DriveError::NoSuchUserType {
        index: planned.index,
        user_type: planned.user_type,
        scenario: scenario.name.clone(),
        count: scenario.user_types.len(),
    })
}

/// An attack with this many goose users, with one transaction each, which lasts as long as they do.
fn attack(engine: Arc<Engine>, users: usize) -> Result<GooseAttack, DriveError> {
    /// goose wants a host; its own client, which would use it, is never asked.
    const UNUSED_HOST: &str = "http://127.0.0.1/";
    keep_sigint_from_engine();

    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(UNUSED_HOST.to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some(LAUNCH_RATE.to_owned());
    configuration.iterations = Some(1);
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_status_codes = true;
    configuration.no_error_summary = true;
    configuration.no_telnet = true;
    configuration.quiet = 2;
    let work = Transaction::new(Arc::new(move |_: &mut GooseUser| {
        let engine = Arc::clone(&engine);
        Box::pin(async move {
            engine.run_users().await;
            Ok(())
        })
    }));
    // Goose's own client sends nothing: users have theirs. One that would check certificates cannot be made in small
    // images, which have no authorities.
    let unused = GooseClientBuilder::new()
        .accept_invalid_certs(true)
        .without_cookies();
    Ok(GooseAttack::initialize_with_config(configuration)
        .map_err(refused)?
        .set_client_builder_without_cookies(unused)
        .map_err(refused)?
        .register_scenario(GooseScenario::new("greylag").register_transaction(work)))
}

/// Whether a line that a worker printed to standard output is goose's own, which counts its users and not ours.
pub fn is_engine_chatter(line: &str) -> bool {
    line.strip_suffix(" users launched.").is_some_and(|count| {
        let count = count.strip_prefix("All ").unwrap_or(count);
        !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Takes SIGINT before goose does, once. A program that handles SIGINT itself calls this before, because its own handler
/// would be replaced otherwise.
pub fn keep_sigint_from_engine() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = ctrlc::set_handler(|| {}) {
            tracing::debug!("SIGINT is already handled elsewhere: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gooses_line_is_chatter() {
        assert!(
            is_engine_chatter("25 users launched.") && is_engine_chatter("All 25 users launched.")
        );
        for line in [
            "",
            " users launched.",
            "x users launched.",
            "25 users launched",
            "all 25 users launched.",
        ] {
            assert!(!is_engine_chatter(line), "{line}");
        }
    }
}
