//! `greylag demo`: a whole load test against a target of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use greylag_infra::{TestDefaults, TestDraft, WorkerCount};
use greylag_scenarios::Scenario;

use crate::cli::failure::Failure;
use crate::cli::follow::{Following, Outcome, RunLog, SummaryFile};
use crate::cli::local::{Local, LocalPage};
use crate::cli::options::{DataDir, seconds};
use crate::cli::print::print_line;
use crate::cli::signals::Signals;
use crate::demo_target::DemoTarget;
use crate::scenario::scenario_info;

/// The example scenario that shops in the demo's target.
const DEMO_SCENARIO: &str = "shop";
/// What the demo takes for what is not said.
const DEFAULTS: TestDefaults = TestDefaults {
    users: 50,
    ramp_up_s: 20,
    ramp_up_part: 3,
    workers: WorkerCount::Exactly(2),
    ..TestDefaults::USUAL
};

/// Options of `greylag demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Peak concurrent users.
    #[arg(
        short,
        long,
        env = "GREYLAG_USERS",
        value_name = "N",
        default_value_t = DEFAULTS.users
    )]
    users: u64,
    /// Time to ramp up linearly to all users [default: 20s, but at most a third of the duration].
    #[arg(long, env = "GREYLAG_RAMP_UP", value_name = "DURATION", value_parser = seconds)]
    ramp_up: Option<u64>,
    /// Total duration, including ramp-up.
    #[arg(short = 't', long, env = "GREYLAG_DURATION", value_name = "DURATION", default_value = "60s", value_parser = seconds)]
    duration: u64,
    /// Worker processes [default: 2].
    #[arg(short, long, env = "GREYLAG_WORKERS", value_name = "N")]
    workers: Option<u32>,
    /// Port of the web page [default: 8089, or any free port].
    #[arg(long, env = "GREYLAG_PORT")]
    port: Option<u16>,
    /// Directory for results [default: ./greylag-data].
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Exit when the run ends instead of serving its page until Ctrl-C.
    #[arg(long, env = "GREYLAG_EXIT")]
    exit: bool,
    /// Write the run's summary to this file as JSON.
    #[arg(long, env = "GREYLAG_SUMMARY", value_name = "FILE")]
    summary: Option<PathBuf>,
}

/// Runs the demo.
pub(crate) async fn demo(
    options: DemoOptions,
    mut scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    // A user's own binary has its own scenarios; the demo's target is made for this one.
    let shop = greylag_scenarios::examples::all()
        .into_iter()
        .find(|scenario| scenario.name == DEMO_SCENARIO)
        .ok_or_else(|| Failure::failed("the demo's scenario is not compiled in"))?;
    let mut draft = draft_of(&options, &shop)?;
    scenarios.retain(|scenario| scenario.name != DEMO_SCENARIO);
    scenarios.push(shop);

    let mut following = Following {
        summary: options.summary.map(SummaryFile::new).transpose()?,
        log: Some(RunLog::new(true)),
        ..Following::default()
    };
    let mut signals = Signals::take()?;
    let starting = Local::start(
        DataDir::asked(options.data),
        LocalPage::on_port(options.port, None),
        TestDraft::default(),
        None,
        scenarios,
    );
    let local = signals
        .or_leave(starting, || {
            "interrupted before the run was started".to_owned()
        })
        .await?;
    let target = DemoTarget::start().map_err(|error| {
        Failure::failed(format!("the demo's target cannot be started: {error}"))
    })?;
    draft.host = Some(target.url());

    let outcome = match local.run(&draft, &mut following, &mut signals).await {
        Ok(outcome) => outcome,
        Err(failure) => {
            local.abandon().await;
            return Err(failure);
        }
    };
    if !options.exit && outcome != Outcome::Stopped {
        print_line(format_args!(
            "Results are served at {} until you press Ctrl-C.",
            local.url()
        ));
        signals.next().await;
    }
    local.end_unless(&mut signals).await?;
    Ok(outcome.exit_code())
}

/// The whole test, but for the target's real address.
fn draft_of(options: &DemoOptions, shop: &Scenario) -> Result<TestDraft, Failure> {
    let asked = TestDraft {
        name: Some("demo".to_owned()),
        host: Some("http://127.0.0.1".to_owned()),
        users: Some(options.users),
        ramp_up: options.ramp_up,
        duration: Some(options.duration),
        workers: options.workers.map(WorkerCount::Exactly),
        scenario: Some(DEMO_SCENARIO.to_owned()),
        ..TestDraft::default()
    };
    let test = asked
        .resolve(&DEFAULTS, Some(&scenario_info(shop)))
        .map_err(Failure::bad_input)?;
    Ok(TestDraft::from(&test))
}
