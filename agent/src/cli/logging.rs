//! What the program says about itself, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Command;
use super::failure::Failure;

/// Long-running processes tell what happens to them, other people's crates only what is wrong.
const TALKATIVE: &str =
    "warn,greylag=info,greylag_infra=info,greylag_reporting=info,greylag_scenarios=info";
/// Commands that show a result tell only what is wrong.
const CALM: &str = "warn";

/// Sets up logging for a command. A worker's lines get their time and their place from its agent.
pub(super) fn init(level: Option<&str>, command: &Command) -> Result<(), Failure> {
    let default = match command {
        Command::Coordinator(_) | Command::Agent(_) | Command::Worker => TALKATIVE,
        Command::Demo(_)
        | Command::Run(_)
        | Command::New(_)
        | Command::Scenarios(_)
        | Command::Users(_) => CALM,
    };
    let filter = match level {
        Some(level) => EnvFilter::try_new(level).map_err(|error| {
            Failure::bad_input(format!(
                "`{level}` is no log level ({error}); use error, warn, info, debug or trace"
            ))
        })?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A scenario crate's main may have set up its own before us, and keeps it.
    let _ = match command {
        Command::Worker => subscriber.without_time().try_init(),
        _ => subscriber.try_init(),
    };
    Ok(())
}
