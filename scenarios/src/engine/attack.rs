//! One goose attack that runs all planned users of this process.
//!
//! goose launches its users and spawns, schedules and joins them; each of them takes one of the
//! planned users and lives its whole life in a single goose transaction, which waits by our own
//! timer and our own stop signal (goose polls twice a second, and its users would wake up as often).
//! What of goose is switched off and why:
//!
//! - its metrics, reports and controllers: every request is timed and counted by us;
//! - one HTTP client per user: building it costs 109 kB and 2.5 ms, and ours is used anyway, so all
//!   share one;
//! - its Ctrl-C handler: a second SIGINT would end the process. A handler of ours that does nothing
//!   is set first, and goose keeps the one that is there.
//!
//! goose prints `N users launched.` to stdout whatever it is told.

use std::sync::{Arc, Once};
use std::time::Duration;

use ::goose::client::GooseClientBuilder;
use ::goose::config::GooseConfiguration;
use ::goose::goose::{GooseUser, Scenario as GooseScenario, Transaction};
use ::goose::{GooseAttack, GooseError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::log_limit::LogLimit;
use super::stop::StopSignal;
use super::user;
use crate::events::Events;
use crate::recorder::{Recorder, RunContext};
use crate::run::{Run, RunSettings};
use crate::scenario::Scenario;

/// How fast goose launches users, per second. They wait for their own start themselves, so this
/// only has to be beyond what a machine can do.
const LAUNCH_RATE: &str = "1000000";

/// How long after the stop time-out `drive` returns at the latest, whatever users do. The engine
/// needs the last second of it: on_stop has one second, and goose looks for ended users every 500 ms.
const STOP_GRACE: Duration = Duration::from_millis(1_800);

/// One user that this process shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedUser {
    /// The user's number over the whole run, from 0.
    pub index: u64,
    /// Which of the scenario's `user_types` it is.
    pub user_type: usize,
    /// When it begins, counted from run time zero.
    pub starts_after: Duration,
}

/// What one process has to drive.
#[derive(Debug, Clone)]
pub struct Load {
    /// The base URL that paths of requests are appended to; http or https.
    pub host: Url,
    /// This process's users.
    pub users: Vec<PlannedUser>,
    /// Run time zero. May be in the future; users whose start is past begin at once.
    pub started_at: Instant,
    /// How long tasks under way may go on when the run is stopped.
    pub stop_timeout: Duration,
}

/// Why a load cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A user type has nothing to do.
    #[error("user type {user_type:?} has no task with a weight above 0: add one with .task(1, …)")]
    NoTasks {
        /// The user type's name.
        user_type: String,
    },
    /// A planned user names a user type that the scenario does not have.
    #[error(
        "user {index} is planned for user type number {user_type}, but scenario {scenario:?} has {count}"
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
    #[error("host {host:?} is no http:// or https:// URL with a host name")]
    Host {
        /// The host as given.
        host: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// goose refused or failed to run the attack.
    #[error("the load engine failed: {0}")]
    Engine(String),
}

/// Drives the users until `stop` is cancelled and every user has ended.
///
/// One call at a time per process: goose keeps global state. Dropping the future stops the users, too. Returns within 2 s of the stop
/// time-out, whatever the users await. SIGINT is ignored from the first call on, because Ctrl-C at
/// a terminal reaches workers too, and whoever started this process decides about its end.
///
/// # Errors
///
/// When the load does not fit the scenario, or the engine cannot be started; nothing was sent then.
pub async fn drive(
    scenario: &Scenario,
    load: Load,
    recorder: Arc<dyn Recorder>,
    stop: CancellationToken,
) -> Result<(), DriveError> {
    check(scenario, &load)?;
    if load.users.is_empty() {
        stop.cancelled().await;
        return Ok(());
    }
    let settings = RunSettings {
        host: Some(load.host.clone()),
        ..RunSettings::default()
    };
    let context = Arc::new(RunContext {
        run: Arc::new(Run::new(settings, Arc::clone(&recorder))),
        recorder,
        log: LogLimit::new(),
        events: Arc::new(Events::default()),
    });
    let stop_signal = Arc::new(StopSignal::new(load.stop_timeout));
    let crew = Arc::new(
        user::Crew::new(scenario, load, context, Arc::clone(&stop_signal))
            .map_err(DriveError::Client)?,
    );
    let attack = attack(crew)?;
    let _raised_in_the_end = RaiseOnDrop(Arc::clone(&stop_signal));
    let mut running = std::pin::pin!(attack.execute());

    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = stop.cancelled() => None,
    };
    stop_signal.raise();
    let ended = match ended {
        Some(ended) => ended,
        None => {
            let deadline = stop_signal.deadline().unwrap_or_else(Instant::now);
            match tokio::time::timeout_at(deadline + STOP_GRACE, running).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::warn!("the load engine did not end in time and was left behind");
                    return Ok(());
                }
            }
        }
    };
    ended.map(drop).map_err(refused)
}

/// goose's reason; its sentence alone leaves out which option it means.
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

/// goose's users are tasks of their own: without this they would go on when `drive` is dropped.
struct RaiseOnDrop(Arc<StopSignal>);

impl Drop for RaiseOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}

fn check(scenario: &Scenario, load: &Load) -> Result<(), DriveError> {
    if !matches!(load.host.scheme(), "http" | "https") || !load.host.has_host() {
        return Err(DriveError::Host {
            host: load.host.to_string(),
        });
    }
    for planned in &load.users {
        let Some(user_type) = scenario.user_types.get(planned.user_type) else {
            return Err(DriveError::NoSuchUserType {
                index: planned.index,
                user_type: planned.user_type,
                scenario: scenario.name.clone(),
                count: scenario.user_types.len(),
            });
        };
        if user_type.task_table().total_weight() == 0 {
            return Err(DriveError::NoTasks {
                user_type: user_type.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// The attack: as many goose users as are planned, each with one transaction that is a user's life.
fn attack(crew: Arc<user::Crew>) -> Result<GooseAttack, DriveError> {
    ignore_sigint();

    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(crew.host().to_string());
    configuration.users = Some(crew.len());
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
    let life = Transaction::new(Arc::new(move |goose_user: &mut GooseUser| {
        let crew = Arc::clone(&crew);
        let number = goose_user.weighted_users_index;
        Box::pin(async move {
            crew.live(number).await;
            Ok(())
        })
    }));
    Ok(GooseAttack::initialize_with_config(configuration)
        .map_err(refused)?
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())
        .map_err(refused)?
        .register_scenario(GooseScenario::new("greylag").register_transaction(life)))
}

/// Takes SIGINT before goose does.
fn ignore_sigint() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = ctrlc::set_handler(|| {}) {
            tracing::debug!("SIGINT is handled by someone else: {error}");
        }
    });
}
