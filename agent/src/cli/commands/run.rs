//! `greylag run`: one load test, from flags or a file, here or on a coordinator's agents.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use greylag_infra::{
    AgentCount, DEFAULT_INFRASTRUCTURE, LoadTest, MAX_DURATION, TestDefaults, TestDraft,
    WorkerCount,
};
use greylag_scenarios::Scenario;
use url::Url;

use super::scenarios::{list_tasks_of, list_users};
use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::bundle_file::import_baseline;
use crate::cli::data_files::check_readable;
use crate::cli::failure::Failure;
use crate::cli::follow::{
    CsvFiles, Following, KeptResults, ReportFiles, ReportOptions, RunLog, SavedBaseline,
    SummaryFile, follow, warn_about,
};
use crate::cli::local::{LOCAL_INFRASTRUCTURE, Local, LocalPage};
use crate::cli::options::{
    AskedTest, CaOption, DataDir, PageOptions, TestOptions, coordinator_url,
};
use crate::cli::output_file::OutputFile;
use crate::cli::print::print_line;
use crate::cli::settings::Sources;
use crate::cli::shipping::{Shipping, ship};
use crate::cli::signals::Signals;
use crate::own_build::own_build;
use crate::scenario::{scenario_info, scenario_of, unknown_scenario};

/// What would help where agents run other builds.
const UPLOADS_OFF: &str = "Or start the coordinator and its agents with --accept-uploads: then this program is sent to them";

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
    #[command(flatten)]
    reports: ReportOptions,
    /// Write the run to this file, such as main.bundle, if it is fit to be the --baseline of later runs: it finished, nothing of it
    /// is missing, every threshold passed but those that had no baseline yet, and no request failed unless a threshold about
    /// error_rate or failures of all requests after the ramp-up passed. Otherwise the file stays as it is.
    #[arg(long, env = "GREYLAG_SAVE_BASELINE", value_name = "FILE")]
    save_baseline: Option<PathBuf>,
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
    /// Exit code for a run that ended as planned, or was stopped by a threshold, with the verdict failed [default: 1].
    #[arg(long, env = "GREYLAG_EXIT_CODE_ON_BREACH", value_name = "CODE")]
    exit_code_on_breach: Option<u8>,
}

impl RunOptions {
    /// What is made of the run beside showing it.
    ///
    /// # Errors
    /// A file cannot be written.
    fn following(&self) -> Result<Following, Failure> {
        let csv = self.csv.clone();
        let csv = csv.map(|prefix| CsvFiles::new("--csv", prefix, self.csv_full_history));
        let summary = self.summary.clone().map(SummaryFile::new).transpose()?;
        let reports = ReportFiles::new(self.reports.clone())?;
        let save_baseline = self.save_baseline.clone();
        let save_baseline = save_baseline.map(SavedBaseline::new).transpose()?;
        let files = summary.iter().map(SummaryFile::file);
        let files = files.chain(reports.files());
        let files = files.chain(save_baseline.iter().map(SavedBaseline::file));
        refuse_one_file_for_two(&files.collect::<Vec<_>>())?;
        Ok(Following {
            summary,
            reports,
            save_baseline,
            kept: KeptResults::OnCoordinator,
            csv: csv.transpose()?,
            log: (!self.quiet).then(|| RunLog::new(self.coordinator.is_none())),
            only_summary: self.only_summary,
            print_stats: self.print_stats,
            exit_code_on_error: self.exit_code_on_error,
            exit_code_on_breach: self.exit_code_on_breach,
        })
    }
}

/// Each would replace the one before.
fn refuse_one_file_for_two(files: &[&OutputFile]) -> Result<(), Failure> {
    for (at, file) in files.iter().enumerate() {
        if let Some(other) = files[..at].iter().find(|other| other.is_same(file)) {
            return Err(Failure::bad_input(format!(
                "{} and {} cannot both be written to {}; give each a file of its own",
                other.what(),
                file.what(),
                file.path().display()
            )));
        }
    }
    Ok(())
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
    let AskedTest {
        mut draft,
        stages_left_out,
    } = options.test.ask(custom, sources)?;
    if stages_left_out {
        eprintln!("The stages of the test file are ignored: flags set the load.");
    }
    if draft.declared.is_none() {
        name_scenario(&mut draft, &scenarios)?;
    }
    if options.coordinator.is_some() {
        draft.check_given().map_err(Failure::bad_input)?;
    } else {
        refuse_other_infrastructure(&draft, sources)?;
        if draft.agents.take().is_some() {
            eprintln!("The test file's `agents` is ignored: the test runs here.");
        }
        // Whoever runs a test here may go on working on the other cores.
        draft.workers.get_or_insert(WorkerCount::Exactly(1));
        let test = check_locally(&draft, &scenarios)?;
        draft.name = Some(test.name);
    }
    let mut signals = Signals::take()?;
    match options.coordinator.clone() {
        Some(url) => run_on_agents(url, options, draft, &scenarios, &mut signals).await,
        None => run_locally(options, &draft, scenarios, &mut signals).await,
    }
}

/// Runs a test on a coordinator's agents.
async fn run_on_agents(
    url: Url,
    options: RunOptions,
    mut draft: TestDraft,
    scenarios: &[Scenario],
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let mut following = options.following()?;
    let token = options.page.token;
    let api = ApiClient::new(url.clone(), token.clone(), options.trust.ca.as_deref())?;
    let is_ours = |scenario: &&Scenario| draft.scenario.as_ref() == Some(&scenario.name);
    let ours = scenarios.iter().find(is_ours);
    let mut shipping = Shipping::NotNeeded;
    draft.allow_mixed_builds = Some(options.allow_mixed_builds);
    if let Some(ours) = ours.filter(|_| draft.declared.is_none()) {
        let own = own_build().await;
        if !options.allow_mixed_builds {
            let infrastructure = draft.infrastructure.as_deref();
            let infrastructure = infrastructure.unwrap_or(DEFAULT_INFRASTRUCTURE);
            let silent = options.only_summary;
            let least = draft.agents.map_or(0, AgentCount::least);
            shipping = ship(&api, infrastructure, least, &own, scenarios, ours, silent).await?;
        }
        if let Shipping::Shipped { build, data } = &shipping {
            draft.build = Some(build.clone());
            draft.data.clone_from(data);
        }
        draft.client_build = Some(own);
        // A coordinator without agents does not know that the shape says when the run ends.
        let is_unknown = draft.agents.is_some() && !options.allow_mixed_builds;
        if is_unknown && draft.follows_shape(ours.has_shape()) {
            draft.duration.get_or_insert(MAX_DURATION.as_secs());
        }
    }
    let patient = ApiClient::patient(url, token, options.trust.ca.as_deref())?;
    import_baseline(&patient, &mut draft).await?;
    let run = api
        .start_run(&draft)
        .await
        .map_err(|error| match (&shipping, &error) {
            (Shipping::Refused, ApiError::Refused { status, .. }) if status.is_client_error() => {
                Failure::bad_input(format!("{error}. {UPLOADS_OFF}"))
            }
            _ => error.of_start(&following.kept.look(&api)),
        })?;
    print_line(format_args!(
        "Run #{} of {}: {}",
        run.number,
        label(&draft),
        api.page_of(&run)
    ));
    warn_about(&run);
    let outcome = follow(&api, &patient, &run, &mut following, signals).await?;
    Ok(outcome.exit_code())
}

/// Runs a test with a coordinator and an agent in this process.
async fn run_locally(
    options: RunOptions,
    draft: &TestDraft,
    scenarios: Vec<Scenario>,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let mut following = options.following()?;
    let data = DataDir::asked(options.page.data.clone());
    let page = if options.headless {
        LocalPage::Closed
    } else {
        LocalPage::of(&options.page, false).await?
    };
    let trace_url = options.page.trace_url.clone();
    let starting = Local::start(data, page, TestDraft::default(), trace_url, scenarios);
    let local = signals
        .or_leave(starting, || {
            "interrupted before the run was started".to_owned()
        })
        .await?;
    match local.run(draft, &mut following, signals).await {
        Ok(outcome) => {
            local.end_unless(signals).await?;
            Ok(outcome.exit_code())
        }
        Err(failure) => {
            local.abandon().await;
            Err(failure)
        }
    }
}

/// Name of the test for people.
fn label(draft: &TestDraft) -> &str {
    let name = draft.name.as_deref().or(draft.scenario.as_deref());
    name.unwrap_or("declared requests")
}

/// Names the first scenario that is compiled in here, unless the test names one: what runs is never left to
/// the agents.
fn name_scenario(draft: &mut TestDraft, scenarios: &[Scenario]) -> Result<(), Failure> {
    if draft.scenario.is_none() {
        let first = scenarios.first().ok_or_else(|| {
            Failure::bad_input(
                "no scenario is compiled in; name one of the agents' with --scenario, or declare requests in a test file",
            )
        })?;
        draft.scenario = Some(first.name.clone());
    }
    Ok(())
}

/// This machine is one infrastructure.
fn refuse_other_infrastructure(draft: &TestDraft, sources: &Sources) -> Result<(), Failure> {
    match &draft.infrastructure {
        Some(other) if other != LOCAL_INFRASTRUCTURE => Err(Failure::bad_input(format!(
            "{} needs --coordinator: infrastructure `{other}` is not this machine; leave it out to run here",
            sources
                .name("infrastructure")
                .unwrap_or("`infrastructure` of the test file"),
        ))),
        _ => Ok(()),
    }
}

/// Checks what a coordinator would check of a test that is run here, before anything is started.
fn check_locally(draft: &TestDraft, scenarios: &[Scenario]) -> Result<LoadTest, Failure> {
    let scenario = scenarios
        .iter()
        .find(|scenario| draft.scenario.as_ref() == Some(&scenario.name))
        .filter(|_| draft.declared.is_none());
    if let Some(scenario) = scenario {
        check_readable(&scenario.data_files()).map_err(Failure::bad_input)?;
    }
    let known = scenario.map(scenario_info);
    if let (None, None, Some(name)) = (scenario, &draft.declared, &draft.scenario) {
        return Err(Failure::bad_input(unknown_scenario(name, scenarios)));
    }
    let test = draft
        .resolve(&TestDefaults::USUAL, known.as_ref())
        .map_err(Failure::bad_input)?;
    scenario_of(&test, scenarios).map_err(Failure::bad_input)?;
    if let Some(known) = known
        && !draft.left_to_shape(known.has_shape).is_empty()
    {
        eprintln!(
            "The load shape of scenario {} sets the number of users; --users, --ramp-up and --spawn-rate are ignored.",
            known.name
        );
    }
    Ok(test)
}
