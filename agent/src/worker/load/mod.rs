//! The load thread: the scenario's code on a runtime of its own, from the test data to the last event.
//!
//! ```text
//!   data, on_init, set_up, on_test_start, on_worker_start ─► Ready ─► go ─► users ─► UsersEnded ─► on_…_stop, on_quitting ─► Over
//!                          └─ an error ──► Refused ──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Everything is prepared before the worker reports that it is ready, so on_test_start of worker 0 is over before any
//! worker of the run starts users, and users start on time however long the preparation took.

mod error;
mod scheduler;
mod slot_user_types;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use greylag_infra::protocol::MAX_SET_UP_DATA_BYTES;
use greylag_infra::{LoadProfile, SetUpData, own_users};
use greylag_scenarios::{Load, LoopWatch, MAX_SET_UP_BYTES, Recorder, Run, RunSettings, drive};
use rustix::thread::{Pid, gettid};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::watch::{TimerLog, Watchdog};
use crate::scenario::Choice;
pub(super) use error::LoadError;
use scheduler::{ARRIVAL_QUEUE, ORDER_QUEUE, Scheduler};

// Whatever a scenario may make is accepted on the way.
const _: () = assert!(MAX_SET_UP_BYTES == MAX_SET_UP_DATA_BYTES);

/// What a load thread drives.
pub(super) struct Part {
    pub(super) choice: Choice,
    pub(super) settings: RunSettings,
    /// Until when the scenario's load shape is asked, if the run follows it.
    pub(super) shape_ceiling: Option<Duration>,
    pub(super) stop_timeout: Duration,
    pub(super) recorder: Arc<dyn Recorder>,
    /// Ends what is running: the preparation, or the users.
    pub(super) stop: CancellationToken,
    /// Shows which user's code is running.
    pub(super) watch: Arc<LoopWatch>,
    /// Notes how late timers of the thread fire while there are users.
    pub(super) timers: Arc<TimerLog>,
}

/// The order to start users.
pub(super) struct StartUsers {
    pub(super) run_zero: Instant,
    /// What the scenario's set-up made on worker 0.
    pub(super) set_up_data: Option<SetUpData>,
    pub(super) profile: watch::Receiver<LoadProfile>,
}

/// What happens on a load thread. Its channel is closed without [`LoadEvent::Over`] when the thread panics.
#[derive(Debug)]
pub(super) enum LoadEvent {
    /// Everything is prepared; on worker 0 with what the scenario's set-up made.
    Ready(Option<SetUpData>),
    /// It cannot be prepared.
    Refused(LoadError),
    /// All users have ended; or why they could not be driven.
    UsersEnded(Result<(), LoadError>),
    /// The scenario has nothing more to do.
    Over,
}

/// A running load thread.
pub(super) struct LoadThread {
    pub(super) events: mpsc::UnboundedReceiver<LoadEvent>,
    /// The kernel's number of the thread, once it runs.
    pub(super) thread: Arc<OnceLock<Pid>>,
    /// Starts the users; none are started when it is dropped unused.
    pub(super) go: Option<oneshot::Sender<StartUsers>>,
}

impl LoadThread {
    /// Starts the thread, which begins to prepare.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(part: Part) -> Result<Self, LoadError> {
        // At most the four events above are ever in it.
        let (sender, events) = mpsc::unbounded_channel();
        let (go, started) = oneshot::channel();
        let thread = Arc::new(OnceLock::new());
        let own_number = Arc::clone(&thread);
        thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                // Set here only.
                let _ = own_number.set(gettid());
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => {
                        let _watchdog = Watchdog::beside_this_thread(&part.watch, &part.recorder);
                        runtime.block_on(run_scenario(part, &sender, started));
                        // Whatever a scenario left behind on the runtime is not waited for.
                        runtime.shutdown_background();
                    }
                    Err(error) => {
                        let _ = sender.send(LoadEvent::Refused(LoadError::Runtime(error)));
                    }
                }
                // A session that has left this thread behind does not listen any more.
                let _ = sender.send(LoadEvent::Over);
            })
            .map_err(LoadError::Thread)?;
        Ok(Self {
            events,
            thread,
            go: Some(go),
        })
    }
}

async fn run_scenario(
    mut part: Part,
    events: &mpsc::UnboundedSender<LoadEvent>,
    started: oneshot::Receiver<StartUsers>,
) {
    let scenario = &part.choice.scenario;
    // The agent asks the shape, too, and says what is wrong with it; here its users are needed, because test
    // data is checked against them before they come.
    if let Some(ceiling) = part.shape_ceiling
        && let Ok(plan) = scenario.evaluate_shape(ceiling, &part.settings)
    {
        part.settings.users = plan
            .changes
            .iter()
            .map(|change| change.users)
            .max()
            .unwrap_or(0);
    }
    let part = part;
    let scenario = &part.choice.scenario;
    let run = scenario.run(part.settings.clone(), Arc::clone(&part.recorder));
    let mut begun = false;
    let prepared = tokio::select! {
        prepared = prepare(&part, &run, &mut begun) => prepared,
        () = part.stop.cancelled() => Ok(None),
    };
    let _ = events.send(match prepared {
        Ok(set_up_data) => LoadEvent::Ready(set_up_data.map(SetUpData::from)),
        Err(error) => LoadEvent::Refused(error),
    });
    let go = tokio::select! {
        biased;
        () = part.stop.cancelled() => None,
        go = started => go.ok(),
    };
    let ended = match go {
        Some(go) => drive_users(&part, &run, go).await,
        None => Ok(()),
    };
    let _ = events.send(LoadEvent::UsersEnded(ended));
    if begun {
        let events = scenario.events();
        events.worker_stopped(&run).await;
        events.test_stopped(&run).await;
        events.quitting(&run).await;
    }
}

/// `begun` is set once the scenario's last events have to run, too.
async fn prepare(
    part: &Part,
    run: &Arc<Run>,
    begun: &mut bool,
) -> Result<Option<Vec<u8>>, LoadError> {
    let scenario = &part.choice.scenario;
    // Reads files, which may block: there are no users on this thread yet.
    scenario
        .prepare(&part.settings)
        .map_err(LoadError::of_scenario)?;
    let events = scenario.events();
    events.init(run).await.map_err(LoadError::of_scenario)?;
    *begun = true;
    let set_up_data = match run.worker() {
        0 => scenario
            .make_set_up_data(run)
            .await
            .map_err(LoadError::of_scenario)?,
        _ => None,
    };
    events.test_started(run).await;
    events.worker_started(run).await;
    Ok(set_up_data)
}

async fn drive_users(part: &Part, run: &Arc<Run>, go: StartUsers) -> Result<(), LoadError> {
    let set_up_data = go.set_up_data.as_ref().map(SetUpData::bytes);
    part.choice
        .scenario
        .take_set_up_data(run, set_up_data)
        .map_err(LoadError::of_scenario)?;
    let (worker, workers) = (run.worker(), run.workers());
    let profile = go.profile.borrow().clone();
    let most_users = profile.most_users();
    let own = own_users(most_users, worker, workers);
    let scheduler = Scheduler {
        run_zero: go.run_zero,
        worker,
        workers,
        profile: go.profile,
    };
    let (orders, ordered) = mpsc::channel(ORDER_QUEUE);
    let (spawned, spawning_completed) = mpsc::unbounded_channel();
    let (arrivals, arriving) = if profile.has_arrivals() {
        let (arrivals, arriving) = mpsc::channel(ARRIVAL_QUEUE);
        (Some(arrivals), Some(arriving))
    } else {
        (None, None)
    };
    let load = Load {
        settings: RunSettings {
            users: most_users,
            ..part.settings.clone()
        },
        users: usize::try_from(own).unwrap_or(usize::MAX),
        stop_timeout: part.stop_timeout,
        arrivals: arriving,
        watch: Some(Arc::clone(&part.watch)),
        prepared: Some(Arc::clone(run)),
    };
    // A task of its own, so that it waits for its turn like users.
    let _timers = AbortOnDropHandle::new(tokio::spawn(
        Arc::clone(&part.timers).keep(scheduler.run_zero, Arc::clone(&part.watch)),
    ));
    let recorder = Arc::clone(&part.recorder);
    let schedule_arrivals = {
        let (scheduler, recorder) = (scheduler.clone(), Arc::clone(&recorder));
        async move {
            if let Some(arrivals) = arrivals {
                scheduler.schedule_arrivals(arrivals, recorder).await;
            }
        }
    };
    // In one task with the engine, so that a panic of the scheduler ends the load instead of stopping it silently.
    let beside = async {
        tokio::join!(
            scheduler.schedule_users(&part.choice.weights, orders, spawned),
            schedule_arrivals,
            report_spawning(part, run, spawning_completed),
        );
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        ended = drive(&part.choice.scenario, load, ordered, recorder, part.stop.clone()) => {
            Ok(ended?)
        }
        () = beside => Ok(()),
    }
}

/// One after the other, and beside the scheduler, so that a slow handler does not delay users.
async fn report_spawning(part: &Part, run: &Arc<Run>, mut completed: mpsc::UnboundedReceiver<u64>) {
    let events = part.choice.scenario.events();
    while let Some(users) = completed.recv().await {
        let handlers = events.spawning_completed(run, users);
        part.watch.polled("on_spawning_complete", handlers).await;
    }
}
