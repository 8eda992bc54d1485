//! `greylag run`: one load test, from flags or a file, here or on a coordinator's agents.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use greylag_infra::LoadTest;
use greylag_reporting::web::Token;
use greylag_scenarios::{Scenario, UserType};
use url::Url;

use super::api_client::ApiClient;
use super::csv_files::CsvFiles;
use super::failure::Failure;
use super::follow::{Following, follow};
use super::local::{LOCAL_INFRASTRUCTURE, Local, LocalPage};
use super::signals::Signals;
use super::summary_file::SummaryFile;
use super::test_options::{AskedTest, TestOptions, contradiction};
use super::{DEFAULT_DATA, say};
use crate::scenario_choice::scenario_of;

/// Options of `greylag run`. Locust's command line works here, too; where a name or a default differs, the
/// option says so.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    #[command(flatten)]
    test: TestOptions,
    /// Let this coordinator run the test on its agents, and follow it; without, everything runs here.
    #[arg(long, env = "GREYLAG_COORDINATOR", value_name = "URL")]
    coordinator: Option<Url>,
    /// The coordinator's token.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Port of the page while the test runs here; Locust's --web-port [default: 8089, or any that is free].
    #[arg(short = 'P', long, visible_alias = "web-port", env = "GREYLAG_PORT")]
    port: Option<u16>,
    /// Nobody can look at the page while the test runs here. The test starts at once with and without.
    #[arg(long, env = "GREYLAG_HEADLESS")]
    headless: bool,
    /// Show no progress, only the tables at the end.
    #[arg(long, env = "GREYLAG_ONLY_SUMMARY")]
    only_summary: bool,
    /// Directory in which results are kept when the test runs here [default: ./greylag-data].
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the run's summary to this file as JSON, in place of Locust's --json-file.
    #[arg(long, env = "GREYLAG_SUMMARY", value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Keep Locust's CSV files up to date while the test runs: PREFIX_stats.csv, PREFIX_stats_history.csv,
    /// PREFIX_failures.csv and PREFIX_exceptions.csv.
    #[arg(long, env = "GREYLAG_CSV", value_name = "PREFIX")]
    csv: Option<PathBuf>,
    /// The history has a row for each endpoint, not only for all together.
    #[arg(long, env = "GREYLAG_CSV_FULL_HISTORY", requires = "csv")]
    csv_full_history: bool,
    /// Exit code for a run that finished but had failed requests or errors of tasks [default: 0; Locust: 1].
    #[arg(long, env = "GREYLAG_EXIT_CODE_ON_ERROR", value_name = "CODE")]
    exit_code_on_error: Option<u8>,
}

impl RunOptions {
    /// Settings from the environment give way to flags of the command line that contradict them.
    ///
    /// # Errors
    /// Both are flags, or both of the environment.
    pub(super) fn prefer_flags(&mut self, matches: &ArgMatches) -> Result<(), Failure> {
        self.test.prefer_flags(matches)?;
        match contradiction(matches, "headless", "coordinator") {
            Some(Ordering::Greater) => self.coordinator = None,
            Some(Ordering::Less) => self.headless = false,
            Some(Ordering::Equal) => return Err(cannot_stand_beside("headless", "coordinator")),
            None => {}
        }
        match contradiction(matches, "headless", "port") {
            Some(Ordering::Greater) => self.port = None,
            Some(Ordering::Less) => self.headless = false,
            Some(Ordering::Equal) => return Err(cannot_stand_beside("headless", "port")),
            None => {}
        }
        for here in ["port", "data"] {
            let is_flag = matches.value_source(here) == Some(ValueSource::CommandLine);
            if self.coordinator.is_some() && is_flag {
                return Err(cannot_stand_beside(here, "coordinator"));
            }
        }
        Ok(())
    }
}

fn cannot_stand_beside(here: &str, other: &str) -> Failure {
    Failure::bad_input(format!(
        "--{here} is for a test that runs here and cannot be used with --{other}; leave one of the two out"
    ))
}

/// Runs a load test and follows it to its end. `custom` are the scenarios' own options as given by flags.
pub(super) async fn run(
    options: RunOptions,
    custom: BTreeMap<String, String>,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    let mut asked = options.test.ask(custom)?;
    if asked.stages_left_out {
        eprintln!("The stages of the test file are left out: flags say how the load goes.");
    }
    let scenario = (!asked.test.scenario.is_empty()).then(|| asked.test.scenario.clone());
    if options.coordinator.is_none() {
        if asked.test.infrastructure != LOCAL_INFRASTRUCTURE {
            return Err(Failure::bad_input(format!(
                "infrastructure `{}` is of a coordinator; name that with --coordinator, or leave the infrastructure out to run here",
                asked.test.infrastructure
            )));
        }
        choose_local_scenario(&mut asked, &scenarios)?;
    }
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
        only_summary: options.only_summary,
        exit_code_on_error: options.exit_code_on_error,
    };
    let mut signals = Signals::take()?;

    if let Some(url) = options.coordinator {
        let api = ApiClient::new(url, options.token).map_err(Failure::bad_input)?;
        let run = api
            .start_run(&test, scenario.as_deref(), duration_given)
            .await
            .map_err(Failure::bad_input)?;
        say(format_args!(
            "Run #{} of {}: {}",
            run.number,
            label(&test),
            api.page(&run.url)
        ));
        return Ok(follow(&api, &run, &mut following, &mut signals)
            .await?
            .exit_code());
    }

    let data = options.data.unwrap_or_else(|| DEFAULT_DATA.into());
    let page = if options.headless {
        LocalPage::Closed
    } else {
        LocalPage::Open { port: options.port }
    };
    let local = Local::start(data, page, scenarios).await?;
    let ended = local.run(&test, &mut following, &mut signals).await;
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

/// What a coordinator would do with a test that is run here, before anything is started.
fn choose_local_scenario(asked: &mut AskedTest, scenarios: &[Scenario]) -> Result<(), Failure> {
    let test = &mut asked.test;
    if test.scenario.is_empty() && test.declared.is_none() {
        let first = scenarios.first().ok_or_else(|| {
            Failure::bad_input("no scenario is compiled in; declare requests in a test file")
        })?;
        test.scenario.clone_from(&first.name);
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
