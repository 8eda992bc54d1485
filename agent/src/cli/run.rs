//! `greylag run`: one load test, from flags or a file, here or on a coordinator's agents.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use greylag_infra::{LoadTest, TestFile};
use greylag_reporting::web::Token;
use greylag_scenarios::Scenario;
use url::Url;

use super::api_client::ApiClient;
use super::failure::Failure;
use super::follow::follow;
use super::local::{LOCAL_INFRASTRUCTURE, Local};
use super::signals::Signals;
use super::summary_file::SummaryFile;
use super::{DEFAULT_DATA, say, seconds};
use crate::scenario_choice::scenario_of;

/// Users unless something else is said.
const DEFAULT_USERS: u64 = 10;
/// Duration in seconds unless something else is said.
const DEFAULT_DURATION_S: u64 = 60;
/// Ramp-up in seconds unless something else is said.
const DEFAULT_RAMP_UP_S: u64 = 10;
/// The default ramp-up takes at most this part of the duration.
const RAMP_UP_SHARE: u64 = 6;
/// Time for requests in flight in seconds unless something else is said.
const DEFAULT_STOP_TIMEOUT_S: u64 = 10;

/// Options of `greylag run`. A file says the same under the keys `name`, `host`, `users`, `ramp_up`, `duration`,
/// `workers`, `infrastructure`, `scenario`, `stop_timeout`, and may declare requests; flags win over it.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// A test file (TOML); its keys are name, host, users, ramp_up, duration, workers, infrastructure,
    /// scenario, stop_timeout, wait_time and [[request]] tables. Flags win over it.
    #[arg(env = "GREYLAG_FILE", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Name of the test; runs are numbered per name [default: the file's name, else the scenario's].
    #[arg(long, env = "GREYLAG_NAME")]
    name: Option<String>,
    /// Base URL of the target, such as http://127.0.0.1:8080.
    #[arg(long, env = "GREYLAG_HOST", value_name = "URL")]
    host: Option<String>,
    /// Peak concurrent users [default: 10].
    #[arg(short, long, env = "GREYLAG_USERS", value_name = "N")]
    users: Option<u64>,
    /// Time to ramp up linearly to all users, such as 90, 90s or 1h20m; 0s starts everyone at once
    /// [default: 10s, but at most a sixth of the duration].
    #[arg(long, env = "GREYLAG_RAMP_UP", value_name = "DURATION", value_parser = seconds)]
    ramp_up: Option<u64>,
    /// Total duration, ramp-up included [default: 60s].
    #[arg(short = 't', long, env = "GREYLAG_DURATION", value_name = "DURATION", value_parser = seconds)]
    duration: Option<u64>,
    /// Worker processes over the whole run [default: 1].
    #[arg(short, long, env = "GREYLAG_WORKERS", value_name = "N")]
    workers: Option<u32>,
    /// A compiled-in scenario [default: the first; `greylag scenarios` lists them].
    #[arg(long, env = "GREYLAG_SCENARIO", value_name = "NAME")]
    scenario: Option<String>,
    /// The infrastructure that generates the load, with --coordinator [default: local].
    #[arg(long, env = "GREYLAG_INFRASTRUCTURE", value_name = "NAME")]
    infrastructure: Option<String>,
    /// How long requests in flight may take after the end [default: 10s].
    #[arg(long, env = "GREYLAG_STOP_TIMEOUT", value_name = "DURATION", value_parser = seconds)]
    stop_timeout: Option<u64>,
    /// Let this coordinator run the test on its agents, and follow it; without, everything runs here.
    #[arg(long, env = "GREYLAG_COORDINATOR", value_name = "URL")]
    coordinator: Option<Url>,
    /// The coordinator's token.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Port of the page while the test runs here [default: 8089, or any that is free].
    #[arg(long, env = "GREYLAG_PORT", conflicts_with = "coordinator")]
    port: Option<u16>,
    /// Directory in which results are kept when the test runs here [default: ./greylag-data].
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the run's summary to this file as JSON.
    #[arg(long, env = "GREYLAG_SUMMARY", value_name = "FILE")]
    summary: Option<PathBuf>,
}

/// Runs a load test and follows it to its end.
pub(super) async fn run(
    options: RunOptions,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    let file = match &options.file {
        Some(path) => read_file(path)?,
        None => TestFile::default(),
    };
    let mut test = test_of(&options, file)?;
    let scenario = (!test.scenario.is_empty()).then(|| test.scenario.clone());
    if options.coordinator.is_none() {
        if test.infrastructure != LOCAL_INFRASTRUCTURE {
            return Err(Failure::bad_input(format!(
                "infrastructure `{}` is of a coordinator; name that with --coordinator, or leave the infrastructure out to run here",
                test.infrastructure
            )));
        }
        choose_local_scenario(&mut test, &scenarios)?;
    }
    let named = !test.name.is_empty();
    let checked = LoadTest {
        name: if named {
            test.name.clone()
        } else {
            "-".to_owned()
        },
        ..test.clone()
    };
    checked.check().map_err(Failure::bad_input)?;
    let summary = options.summary.map(SummaryFile::new).transpose()?;
    let mut signals = Signals::take()?;

    if let Some(url) = options.coordinator {
        let api = ApiClient::new(url, options.token).map_err(Failure::bad_input)?;
        let run = api
            .start_run(&test, scenario.as_deref())
            .await
            .map_err(Failure::bad_input)?;
        say(format_args!(
            "Run #{} of {}: {}",
            run.number,
            label(&test),
            api.page(&run.url)
        ));
        return Ok(follow(&api, &run, summary.as_ref(), &mut signals)
            .await?
            .exit_code());
    }

    let data = options.data.unwrap_or_else(|| DEFAULT_DATA.into());
    let local = Local::start(data, options.port, scenarios).await?;
    let ended = local.run(&test, summary.as_ref(), &mut signals).await;
    match ended {
        Ok(outcome) => {
            local.end().await;
            Ok(outcome.exit_code())
        }
        Err(failure) => {
            local.abandon().await;
            Err(failure)
        }
    }
}

/// Name of the test for people.
fn label(test: &LoadTest) -> &str {
    match (test.name.as_str(), test.scenario.as_str()) {
        ("", "") => "the first scenario",
        ("", scenario) => scenario,
        (name, _) => name,
    }
}

fn read_file(path: &Path) -> Result<TestFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::bad_input(format!(
            "the test file {} cannot be read: {error}",
            path.display()
        ))
    })?;
    let mut file = TestFile::parse(&text)
        .map_err(|error| Failure::bad_input(format!("{}, {error}", path.display())))?;
    if file.name.is_none() {
        file.name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
    }
    Ok(file)
}

/// The test that flags, file and defaults make, in this order. Name and scenario may stay empty.
fn test_of(options: &RunOptions, file: TestFile) -> Result<LoadTest, Failure> {
    let Some(host) = options.host.clone().or(file.host) else {
        return Err(Failure::bad_input(
            "no host is given; name the target with --host URL, or as `host` in a test file",
        ));
    };
    // A scenario that is named wins over requests that are declared.
    let declared = match options.scenario {
        Some(_) => None,
        None => file.declared,
    };
    let duration_s = options
        .duration
        .or(file.duration_s)
        .unwrap_or(DEFAULT_DURATION_S);
    let name = options.name.clone().or(file.name).unwrap_or_default();
    let scenario = match (&options.scenario, file.scenario, &declared) {
        (Some(scenario), _, _) => scenario.clone(),
        (None, Some(scenario), _) => scenario,
        (None, None, Some(_)) => name.clone(),
        (None, None, None) => String::new(),
    };
    Ok(LoadTest {
        name,
        host,
        users: options.users.or(file.users).unwrap_or(DEFAULT_USERS),
        ramp_up_s: options
            .ramp_up
            .or(file.ramp_up_s)
            .unwrap_or(DEFAULT_RAMP_UP_S.min(duration_s / RAMP_UP_SHARE)),
        duration_s,
        workers: options.workers.or(file.workers).unwrap_or(1),
        infrastructure: options
            .infrastructure
            .clone()
            .or(file.infrastructure)
            .unwrap_or_else(|| LOCAL_INFRASTRUCTURE.to_owned()),
        scenario,
        stop_timeout_s: options
            .stop_timeout
            .or(file.stop_timeout_s)
            .unwrap_or(DEFAULT_STOP_TIMEOUT_S),
        declared,
        ..LoadTest::default()
    })
}

/// What a coordinator would do with a test that is run here, before anything is started.
fn choose_local_scenario(test: &mut LoadTest, scenarios: &[Scenario]) -> Result<(), Failure> {
    if test.scenario.is_empty() && test.declared.is_none() {
        let first = scenarios.first().ok_or_else(|| {
            Failure::bad_input("no scenario is compiled in; declare requests in a test file")
        })?;
        test.scenario.clone_from(&first.name);
    }
    if test.name.is_empty() {
        test.name.clone_from(&test.scenario);
    }
    scenario_of(test, scenarios)
        .map(drop)
        .map_err(Failure::bad_input)
}
