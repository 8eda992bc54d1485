//! The command line: one file per subcommand, and what they share.

mod aligned_columns;
mod api_client;
mod api_error;
mod bundle_file;
mod commands;
mod compare_asked;
mod data_files;
mod download;
mod failure;
mod follow;
#[cfg(feature = "coordinator")]
mod listen;
mod local;
mod logging;
mod options;
#[cfg(feature = "coordinator")]
mod otlp;
mod output_file;
mod print;
#[cfg(all(test, feature = "coordinator"))]
mod private_server;
mod replaced_file;
mod run_list;
mod settings;
pub(crate) mod shipping;
mod signals;
#[cfg(feature = "coordinator")]
mod webhook;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use greylag_reporting::hide_tokens;
use greylag_scenarios::{Scenario, UserType};

use commands::{
    agent, builds, compare, completions, delete, export, import, infrastructures, log, man, new,
    note, run, runs, scenarios, token, users,
};
#[cfg(feature = "coordinator")]
use commands::{backup, coordinator, demo, serve};
use failure::Failure;
use logging::LogKind;
use settings::{LIKE_LOCUST, Resolved, Surroundings, Unresolved, custom_options};

/// Heading in the help of the flags that every subcommand has.
const LOGGING: &str = "Logging";

/// Distributed load testing: users written in Rust, results you can trust.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct CommandLine {
    /// Log level for standard error: error, warn, info, debug, trace, or a filter such as `greylag=debug` (or
    /// set RUST_LOG).
    #[arg(
        short = 'L',
        long,
        alias = "loglevel",
        global = true,
        help_heading = LOGGING,
        env = "GREYLAG_LOG_LEVEL",
        value_name = "LEVEL"
    )]
    log_level: Option<String>,
    /// Append the log to this file instead of writing it to standard error.
    #[arg(
        long,
        alias = "logfile",
        global = true,
        help_heading = LOGGING,
        env = "GREYLAG_LOG_FILE",
        value_name = "FILE"
    )]
    log_file: Option<PathBuf>,
    /// Do not set up logging; the program's own `main` does.
    #[arg(long, global = true, help_heading = LOGGING, env = "GREYLAG_SKIP_LOG_SETUP")]
    skip_log_setup: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "coordinator")]
    /// Run a demo load test against a built-in target, live in the browser.
    Demo(demo::DemoOptions),
    /// Run a load test, locally or on a coordinator's agents.
    Run(Box<run::RunOptions>),
    #[cfg(feature = "coordinator")]
    /// Serve the web page with a local agent and start tests from the page, until Ctrl-C, SIGTERM or SIGHUP.
    Serve(Box<serve::ServeOptions>),
    /// Change the number of users of a running test.
    Users(users::UsersOptions),
    /// List the runs of a coordinator.
    Runs(runs::RunsOptions),
    /// Print what is in a run's console log, searched and filtered by the coordinator.
    Log(log::LogOptions),
    /// Show or change a run's note and labels, pin it, or mark a moment of it.
    Note(note::NoteOptions),
    /// Say whether runs differ by more than their noise.
    Compare(compare::CompareOptions),
    /// Write a run to a file: all results as JSON or CSV, each second, single requests, or everything.
    Export(export::ExportOptions),
    /// Take in a run that was exported as a bundle.
    Import(import::ImportOptions),
    /// Delete runs of a coordinator, with their results.
    Delete(delete::DeleteOptions),
    /// List the programs that were uploaded to a coordinator, or delete some.
    Builds(builds::BuildsOptions),
    /// List the infrastructures of a coordinator, with what becomes of their machines.
    Infrastructures(infrastructures::InfrastructuresOptions),
    /// Create, list or revoke tokens of a coordinator: who may do what.
    Token(token::TokenOptions),
    #[cfg(feature = "coordinator")]
    /// Serve the web page and coordinate agents, until Ctrl-C, SIGTERM or SIGHUP.
    Coordinator(Box<coordinator::CoordinatorOptions>),
    #[cfg(feature = "coordinator")]
    /// Copy all results to a file; works while a coordinator is running.
    Backup(backup::BackupOptions),
    /// Generate load for a coordinator, until Ctrl-C, SIGTERM or SIGHUP.
    Agent(agent::AgentOptions),
    /// Create a crate for your own users.
    New(new::NewOptions),
    /// List the compiled-in scenarios.
    Scenarios(scenarios::ScenariosOptions),
    /// Print a script that completes this command line in a shell.
    Completions(completions::CompletionsOptions),
    /// Write manual pages of this command and its subcommands.
    Man(man::ManOptions),
    /// Drive users for the agent that started this process.
    #[command(hide = true)]
    Worker,
}

impl Command {
    fn log_kind(&self) -> LogKind {
        match self {
            #[cfg(feature = "coordinator")]
            Self::Coordinator(_) => LogKind::Service,
            Self::Agent(_) => LogKind::Service,
            Self::Worker => LogKind::Worker,
            _ => LogKind::Command,
        }
    }
}

/// Runs the command line with these scenarios: every subcommand of the stock `greylag`, with your users.
///
/// ```no_run
/// use greylag::prelude::*;
///
/// fn main() -> std::process::ExitCode {
///     greylag::main(vec![Scenario::new("mine")])
/// }
/// ```
///
/// Exit codes: 0 finished, 1 failed, 2 bad input.
pub fn main(scenarios: Vec<Scenario>) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let program = program_name(&words);
    let surroundings = Surroundings::of_process();
    let user_types: Vec<&str> = scenarios
        .iter()
        .flat_map(|scenario| &scenario.user_types)
        .map(UserType::name)
        .collect();
    let command = command(&scenarios);
    let Resolved {
        matches,
        sources,
        notes,
    } = match settings::resolve(&command, words, &user_types, &surroundings) {
        Ok(resolved) => resolved,
        Err(Unresolved::Shown(shown)) => exit_with(&shown),
        Err(Unresolved::Refused(failure)) => return failure.report(),
    };
    let command_line = CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let custom = match matches.subcommand() {
        Some((name, of_subcommand)) if LIKE_LOCUST.contains(&name) => {
            custom_options::given(of_subcommand, &sources, &scenarios)
        }
        _ => Ok(BTreeMap::new()),
    };
    let custom = match custom {
        Ok(custom) => custom,
        Err(failure) => return failure.report(),
    };
    for note in notes {
        eprintln!("{note}");
    }
    // What a worker says goes to its agent, whatever variables it inherited.
    let log_file = match command_line.command {
        Command::Worker => None,
        _ => command_line.log_file.as_deref(),
    };
    if !command_line.skip_log_setup
        && let Err(failure) = logging::init(
            command_line.log_level.as_deref(),
            log_file,
            command_line.command.log_kind(),
        )
    {
        return failure.report();
    }
    // Whoever set a provider before us has set one that works.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ended = match command_line.command {
        #[cfg(feature = "coordinator")]
        Command::Demo(options) => in_runtime(demo::demo(options, scenarios)),
        Command::Run(options) => in_runtime(run::run(*options, custom, &sources, scenarios)),
        #[cfg(feature = "coordinator")]
        Command::Serve(options) => in_runtime(serve::serve(*options, custom, &sources, scenarios)),
        Command::Users(options) => in_runtime(users::users(options)),
        Command::Note(options) => in_runtime(note::note(options)),
        Command::Runs(options) => in_runtime(runs::runs(options)),
        Command::Log(options) => in_runtime(log::log(options)),
        Command::Compare(options) => in_runtime(compare::compare(options)),
        Command::Export(options) => in_runtime(export::export(options)),
        Command::Import(options) => in_runtime(import::import(options)),
        Command::Delete(options) => in_runtime(delete::delete(options)),
        Command::Builds(options) => in_runtime(builds::builds(options)),
        Command::Infrastructures(options) => in_runtime(infrastructures::infrastructures(options)),
        Command::Token(options) => in_runtime(token::token(options)),
        #[cfg(feature = "coordinator")]
        Command::Coordinator(options) => in_runtime(coordinator::coordinator(*options, &sources)),
        Command::Agent(options) => in_runtime(agent::agent(options, scenarios)),
        #[cfg(feature = "coordinator")]
        Command::Backup(options) => backup::backup(&options),
        Command::New(options) => new::new(&options),
        Command::Scenarios(options) => {
            scenarios::list(&options, &scenarios);
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(options) => {
            completions::completions(&options, &command, &program);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(options) => man::man(&options, &command, &program),
        Command::Worker => return crate::worker::run(&scenarios),
    };
    ended.unwrap_or_else(|failure| failure.report())
}

/// Prints what clap says and ends. A token that stands in the wrong place is not repeated.
fn exit_with(shown: &clap::Error) -> ! {
    let text = shown.render().to_string();
    let hidden = hide_tokens(&text);
    if hidden == text {
        shown.exit();
    }
    eprint!("{hidden}");
    std::process::exit(shown.exit_code());
}

/// The command line with what the scenarios add to it.
fn command(scenarios: &[Scenario]) -> clap::Command {
    let extended = |subcommand| custom_options::add(settings::add_words(subcommand), scenarios);
    LIKE_LOCUST
        .iter()
        .fold(CommandLine::command(), |command, name| {
            command.mut_subcommand(name, extended)
        })
}

/// What this program is called by: a crate of users has its own name.
fn program_name(words: &[OsString]) -> String {
    words
        .first()
        .and_then(|path| Path::new(path).file_name())
        .map_or_else(
            || env!("CARGO_PKG_NAME").to_owned(),
            |name| name.to_string_lossy().into_owned(),
        )
}

fn in_runtime(
    command: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))?;
    let ended = runtime.block_on(command);
    runtime.shutdown_background();
    ended
}
