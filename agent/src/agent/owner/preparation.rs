//! How an agent prepares its part of a run: what the test means here, the workers, and the load shape.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use greylag_infra::protocol::Prepare;
use greylag_infra::{BuildInfo, FailureReason, RunId, ShippedBuild, target_of};
use tokio_util::task::AbortOnDropHandle;

use super::{Owner, Shipped};
use crate::agent::builds::{BuildUnavailable, Builds, ReadyBuild};
use crate::agent::config::WorkerUser;
use crate::agent::run::{AgentRun, Now, Plan, local_ports};
use crate::agent::worker_process::{SpawnedWorker, WorkerCommand, WorkerProcess};
use crate::own_build::known_own_build;
use crate::scenario::{
    Choice, ChoiceError, LoadShapeError, ShapedLoad, choose, evaluate_shape, settings_of,
};

/// What a scenario's load shape says about a run.
#[derive(Debug)]
pub(super) struct EvaluatedShape {
    run_id: RunId,
    shape: Result<ShapedLoad, LoadShapeError>,
}

/// A shipped build has been fetched for a run, or cannot be.
#[derive(Debug)]
pub(super) struct FetchedBuild {
    prepare: Box<Prepare>,
    outcome: Result<StartedBuild, BuildUnavailable>,
    took: Duration,
}

/// A shipped build whose workers were started.
#[derive(Debug)]
struct StartedBuild {
    build: ReadyBuild,
    /// By number, up to the first that could not be started.
    workers: BTreeMap<u32, io::Result<SpawnedWorker>>,
}

impl Owner {
    pub(super) fn on_prepare(&mut self, prepare: &Prepare) {
        let run_id = &prepare.run_id;
        if let Some(run) = self.runs.get(run_id) {
            if run.is_ready() {
                self.send_ready(run_id.clone());
            }
            return;
        }
        let now = self.now();
        if let Some(build) = shipped(prepare) {
            self.fetch_build(prepare, build, now);
            return;
        }
        let chosen = self.choose(prepare);
        let mut prepare = prepare.clone();
        let plan = match &chosen {
            Ok(choice) => self.plan_of(&prepare, choice),
            // What cannot be run starts nothing.
            Err(_) => {
                prepare.workers.clear();
                // What was not admitted may be beyond what can be added to a time.
                Arc::make_mut(&mut prepare.test).stop_timeout_s = 0;
                Plan::without_workers()
            }
        };
        let command = WorkerCommand {
            words: self.config.worker_command.clone(),
            user: None,
            directory: None,
        };
        let mut run = AgentRun::prepare(&prepare, &self.name, plan, now, |worker, message| {
            WorkerProcess::start(
                &command,
                run_id.clone(),
                worker,
                message,
                self.worker_events.clone(),
            )
        });
        if let Err(error) = chosen {
            let reason = FailureReason::AgentCannotRun {
                agent: self.name.clone(),
                problem: error.to_string(),
            };
            run.fail(reason, now);
        }
        if self.shutting_down.is_some() {
            run.fail(self.shutdown_reason(), now);
        }
        self.runs.insert(run_id.clone(), run);
    }

    /// Takes on a part of a run whose program is shipped. Its workers are started when the program is here: not by the owner, because
    /// that may have to wait.
    fn fetch_build(&mut self, prepare: &Prepare, build: &ShippedBuild, now: Now) {
        let plan = plan_of_shipped(prepare, build);
        let mut run = AgentRun::fetching(prepare, &self.name, plan, now);
        if self.shutting_down.is_some() {
            run.fail(self.shutdown_reason(), now);
        }
        let fetched = run.fetched();
        self.runs.insert(prepare.run_id.clone(), run);
        let (builds, build) = (self.builds.clone(), build.clone());
        let uploads = self.config.uploads.as_ref();
        let user = uploads.and_then(|uploads| uploads.worker_user);
        let run_id = prepare.run_id.clone();
        let (prepare, answer) = (Box::new(prepare.clone()), self.build_events.clone());
        let began = Instant::now();
        let task = tokio::spawn(async move {
            let outcome = match builds {
                Some(builds) => start_build(&builds, &build, &prepare.workers, user, fetched).await,
                None => Err(BuildUnavailable::NotAccepted),
            };
            let fetched = FetchedBuild {
                prepare,
                outcome,
                took: began.elapsed(),
            };
            // An agent that has ended has no use for it.
            let _ = answer.send(fetched).await;
        });
        let fetching = Shipped::Fetching {
            _task: AbortOnDropHandle::new(task),
        };
        self.shipped.insert(run_id, fetching);
    }

    pub(super) fn on_build(&mut self, fetched: FetchedBuild) {
        let now = self.now();
        let FetchedBuild {
            prepare,
            outcome,
            took,
        } = fetched;
        let run_id = &prepare.run_id;
        let (Some(run), Some(build)) = (self.runs.get_mut(run_id), &prepare.test.build) else {
            return;
        };
        if !run.is_fetching() {
            return;
        }
        let StartedBuild {
            build: ready,
            mut workers,
        } = match outcome {
            Ok(started) => started,
            Err(error) => {
                let reason = FailureReason::AgentCannotRun {
                    agent: self.name.clone(),
                    problem: error.to_string(),
                };
                return run.fail(reason, now);
            }
        };
        let (short, megabytes) = (build.sha256.short(), build.bytes() as f64 / 1e6);
        let seconds = took.as_secs_f64();
        run.note(
            now,
            format!("Build {short} ({megabytes:.1} MB) is here after {seconds:.1} s"),
        );
        run.start_workers(&prepare, now, |worker, message| {
            // The first that could not be started is the last that is asked for.
            let started = workers
                .remove(&worker)
                .unwrap_or_else(|| Err(io::Error::other("it was not asked for")));
            let started = started.map_err(|error| not_started(error, &build.platform))?;
            let events = self.worker_events.clone();
            Ok(started.supervise(run_id.clone(), worker, message, events))
        });
        let here = Shipped::Here { _build: ready };
        self.shipped.insert(run_id.clone(), here);
    }

    /// What the test means here.
    ///
    /// # Errors
    /// It makes no sense, or this agent's scenarios cannot run it.
    fn choose(&self, prepare: &Prepare) -> Result<Choice, ChoiceError> {
        let test = &prepare.test;
        let choice = choose(test, &self.config.scenarios)?;
        // What the shape says is checked when it has said it.
        test.check_for_scenario(choice.scenario.has_shape())?;
        Ok(choice)
    }

    /// What is known of our part before workers are started. The agent that has worker 0 asks the scenario's
    /// load shape, if the run follows it.
    fn plan_of(&self, prepare: &Prepare, choice: &Choice) -> Plan {
        let (test, workers) = (&prepare.test, &prepare.workers);
        let events = choice.scenario.events();
        let longest = |of_worker: &dyn Fn(u32) -> Duration| {
            workers
                .iter()
                .map(|worker| of_worker(*worker))
                .max()
                .unwrap_or_default()
        };
        let follows_shape = test.follows_shape(choice.scenario.has_shape());
        let awaits_shape = workers.contains(&0) && follows_shape;
        if awaits_shape {
            self.ask_shape(prepare, choice);
        }
        Plan {
            longest_start: longest(&|worker| choice.scenario.longest_start(worker)),
            longest_stop: longest(&|worker| events.longest_stop(worker)),
            awaits_shape,
            worker_evaluates_shape: false,
            local_ports: local_ports(),
        }
    }

    fn ask_shape(&self, prepare: &Prepare, choice: &Choice) {
        let (run_id, test) = (prepare.run_id.clone(), &prepare.test);
        let duration = test.duration();
        let scenario = choice.scenario.clone();
        let settings = settings_of(test, 0);
        let answer = self.shape_events.clone();
        tokio::spawn(async move {
            let shape = match settings {
                Ok(settings) => evaluate_shape(scenario, settings, duration).await,
                Err(error) => Err(error.into()),
            };
            // An agent that has ended has no use for it.
            let _ = answer.send(EvaluatedShape { run_id, shape }).await;
        });
    }

    pub(super) fn on_shape(&mut self, evaluated: EvaluatedShape) {
        let now = self.now();
        let EvaluatedShape { run_id, shape } = evaluated;
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let was_ready = run.is_ready();
        run.on_shape(shape.map_err(|error| error.to_string()), now);
        if run.is_ready() && !was_ready {
            self.send_ready(run_id);
        }
    }
}

/// Fetches a build and starts its workers.
async fn start_build(
    builds: &Builds,
    build: &ShippedBuild,
    workers: &[u32],
    user: Option<WorkerUser>,
    fetched: Arc<AtomicU64>,
) -> Result<StartedBuild, BuildUnavailable> {
    let ready = builds.get(build, fetched).await?;
    let command = WorkerCommand {
        words: vec![ready.program().into(), "worker".into()],
        user,
        directory: ready.data_dir().map(Into::into),
    };
    let mut started = BTreeMap::new();
    for worker in workers {
        let process = SpawnedWorker::start(&command).await;
        let is_started = process.is_ok();
        started.insert(*worker, process);
        if !is_started {
            break;
        }
    }
    Ok(StartedBuild {
        build: ready,
        workers: started,
    })
}

/// The build of a run that is to be fetched: one that this program is not itself, or that has data files.
fn shipped(prepare: &Prepare) -> Option<&ShippedBuild> {
    let is_ours = |build: &&ShippedBuild| {
        let is_this = |own: &BuildInfo| own.sha256 == build.sha256.as_str();
        build.data.is_empty() && known_own_build().is_some_and(is_this)
    };
    prepare
        .test
        .build
        .as_deref()
        .filter(|build| !is_ours(build))
}

/// What is known of our part of a run whose scenario only its program has.
fn plan_of_shipped(prepare: &Prepare, build: &ShippedBuild) -> Plan {
    let scenario = &build.scenario;
    let follows_shape = prepare.test.follows_shape(scenario.info.has_shape);
    let awaits_shape = prepare.workers.contains(&0) && follows_shape;
    Plan {
        longest_start: Duration::from_secs(scenario.longest_start_s.into()),
        longest_stop: Duration::from_secs(scenario.longest_stop_s.into()),
        awaits_shape,
        worker_evaluates_shape: awaits_shape,
        local_ports: local_ports(),
    }
}

/// Why a program that is there cannot be started.
fn not_started(error: io::Error, platform: &str) -> io::Error {
    match error.kind() {
        // What is missing is the loader that it names.
        io::ErrorKind::NotFound => {
            let target = target_of(platform).replace("-gnu", "-musl");
            io::Error::other(format!(
                "this machine does not have the C library that the program was linked with; build it with `cargo build --release --target {target}`"
            ))
        }
        io::ErrorKind::PermissionDenied => io::Error::other(format!(
            "{error}; the directory of --cache must be one that the user of --worker-user can reach and that allows programs"
        )),
        _ => error,
    }
}
