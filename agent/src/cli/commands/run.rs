//! `greylag run`: one load test, from flags or a file, here or on a coordinator's agents.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use greylag_infra::{LoadTest, StartTerms, TestDraft};
use greylag_scenarios::{Scenario, UserType};
use url::Url;

use super::scenarios::{list_tasks_of, list_users};
use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;
use crate::cli::follow::{CsvFiles, Following, RunLog, SummaryFile, follow, warn_about};
use crate::cli::local::{LOCAL_INFRASTRUCTURE, Local, LocalPage};
use crate::cli::options::{
    AskedTest, CaOption, DataDir, PageOptions, TestOptions, coordinator_url,
};
use crate::cli::print::say;
use crate::cli::settings::Sources;
use crate::cli::signals::Signals;
use crate::own_build::own_build;
use crate::scenario_choice::scenario_of;

/// Options of `greylag run`. Locust's command line works here, too; where a name or a default differs, the
/// option says so.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    test: TestOptions,
    /// Run on this coordinator's agents and follow the run [default: run locally].
    #[arg(long, env = "GREYLAG_COORDINATOR", value_name = "URL", value_parser = coordinator_url)]
    coordinator: Option<Url>,
    #[command(flatten)]
    trust: CaOption,
    /// With --coordinator: run even if the agents' builds differ from each other or from this program's.
    #[arg(long, env = "GREYLAG_ALLOW_MIXED_BUILDS")]
    allow_mixed_builds: bool,
    #[command(flatten)]
    page: PageOptions,
    /// Do not serve the web page (tests always start immediately).
    #[arg(long, env = "GREYLAG_HEADLESS")]
    headless: bool,
    /// Print no progress, only users' output and the final tables.
    #[arg(long, env = "GREYLAG_ONLY_SUMMARY")]
    only_summary: bool,
    /// Print Locust's table every 2 s instead of the progress.
    #[arg(long, env = "GREYLAG_PRINT_STATS")]
    print_stats: bool,
    /// List the user types and exit.
    #[arg(short = 'l', long)]
    list: bool,
    /// Show how often each task is picked and exit.
    #[arg(long)]
    show_task_ratio: bool,
    /// Do not show users' output, log messages and panics; the run's log still has them.
    #[arg(short = 'q', long, env = "GREYLAG_QUIET")]
    quiet: bool,
    /// Write the run's summary to this file as JSON; replaces Locust's --json-file.
    #[arg(long, env = "GREYLAG_SUMMARY", value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Write Locust's CSV files and keep them up to date during the run: PREFIX_stats.csv, PREFIX_stats_history.csv,
    /// PREFIX_failures.csv and PREFIX_exceptions.csv.
    #[arg(long, env = "GREYLAG_CSV", value_name = "PREFIX")]
    csv: Option<PathBuf>,
    /// Write a row per endpoint to the CSV history, not only the totals.
    #[arg(long, env = "GREYLAG_CSV_FULL_HISTORY")]
    csv_full_history: bool,
    /// Exit code for a run that finished but had failed requests or task errors [default: 0; Locust: 1].
    #[arg(long, env = "GREYLAG_EXIT_CODE_ON_ERROR", value_name = "CODE")]
    exit_code_on_error: Option<u8>,
}

/// Runs a load test and follows it to its end. `custom` are the scenarios' own options as given by flags.
pub(crate) async fn run(
    options: RunOptions,
    custom: BTreeMap<String, String>,
    sources: &Sources,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    if options.list || options.show_task_ratio {
        let shown = options.test.named_among(&scenarios)?;
        if options.list {
            list_users(&shown);
        } else {
            list_tasks_of(&shown);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut asked = options.test.ask(custom, sources)?;
    if asked.stages_left_out {
        eprintln!("The stages of the test file are ignored: flags set the load.");
    }
    if options.coordinator.is_some() && options.test.is_per_core() {
        return Err(Failure::bad_input(format!(
            "{} is -1, which means one worker per core of this machine, but the test runs on a coordinator's agents; give the total number of workers",
            sources.name("workers").unwrap_or("--workers")
        )));
    }
    if options.coordinator.is_none() {
        if asked.test.infrastructure != LOCAL_INFRASTRUCTURE {
            return Err(Failure::bad_input(format!(
                "{} needs --coordinator: infrastructure `{}` is not this machine; leave it out to run here",
                sources
                    .name("infrastructure")
                    .unwrap_or("`infrastructure` of the test file"),
                asked.test.infrastructure
            )));
        }
        choose_local_scenario(&mut asked, &scenarios)?;
    } else if asked.test.declared.is_none() {
        name_scenario(&mut asked.test, &scenarios)?;
    }
    let scenario = (!asked.test.scenario.is_empty()).then(|| asked.test.scenario.clone());
    let (test, duration_given) = (asked.test, asked.duration_given);
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
    let csv = options
        .csv
        .map(|prefix| CsvFiles::new(prefix, options.csv_full_history));
    let mut following = Following {
        summary: options.summary.map(SummaryFile::new).transpose()?,
        csv: csv.transpose()?,
        log: (!options.quiet).then(|| RunLog::new(options.coordinator.is_none())),
        only_summary: options.only_summary,
        print_stats: options.print_stats,
        exit_code_on_error: options.exit_code_on_error,
    };
    let mut signals = Signals::take()?;

    if let Some(url) = options.coordinator {
        let api = ApiClient::new(url, options.page.token, options.trust.ca.as_deref())?;
        let is_ours = |scenario: &Scenario| scenario.name == test.scenario;
        let terms = StartTerms {
            allow_mixed_builds: options.allow_mixed_builds,
            client_build: if test.declared.is_none() && scenarios.iter().any(is_ours) {
                Some(own_build().await)
            } else {
                None
            },
        };
        let run = api
            .start_run(&test, scenario.as_deref(), duration_given, &terms)
            .await
            .map_err(Failure::bad_input)?;
        say(format_args!(
            "Run #{} of {}: {}",
            run.number,
            label(&test),
            api.page_of(&run)
        ));
        warn_about(&run);
        return Ok(follow(&api, &run, &mut following, &mut signals)
            .await?
            .exit_code());
    }

    let data = DataDir::asked(options.page.data.clone());
    let page = if options.headless {
        LocalPage::Closed
    } else {
        LocalPage::of(&options.page, false).await?
    };
    let starting = Local::start(data, page, TestDraft::default(), scenarios);
    let local = signals
        .or_leave(starting, || {
            "interrupted before the run was started".to_owned()
        })
        .await?;
    let ended = local.run(&test, &mut following, &mut signals).await;
    match ended {
        Ok(outcome) => {
            local.end_unless(&mut signals).await?;
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
        ("", "") => "declared requests",
        ("", scenario) => scenario,
        (name, _) => name,
    }
}

/// Names the first scenario that is compiled in here, unless the test names one: what runs is never left to
/// the agents.
fn name_scenario(test: &mut LoadTest, scenarios: &[Scenario]) -> Result<(), Failure> {
    if test.scenario.is_empty() {
        let first = scenarios.first().ok_or_else(|| {
            Failure::bad_input(
                "no scenario is compiled in; name one of the agents' with --scenario, or declare requests in a test file",
            )
        })?;
        test.scenario.clone_from(&first.name);
    }
    Ok(())
}

/// What a coordinator would do with a test that is run here, before anything is started.
fn choose_local_scenario(asked: &mut AskedTest, scenarios: &[Scenario]) -> Result<(), Failure> {
    let test = &mut asked.test;
    if test.declared.is_none() {
        name_scenario(test, scenarios)?;
    }
    if test.name.is_empty() {
        test.name.clone_from(&test.scenario);
    }
    let scenario = scenario_of(test, scenarios).map_err(Failure::bad_input)?;
    let homeless = |user_type: &UserType| user_type.host().is_none();
    if test.host.is_empty() && scenario.user_types.iter().any(homeless) {
        return Err(Failure::bad_input(
            "no host is given; name the target with --host URL, as `host` in a test file, or as the host of each user type",
        ));
    }
    if let Some(ignored) = asked.leave_to_shape(&scenario) {
        eprintln!("{ignored}");
    }
    Ok(())
}
