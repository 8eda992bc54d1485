//! What the program says about itself, on standard error.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::Command;
use super::failure::Failure;
use crate::worker::log;

/// Long-running processes tell what happens to them, other people's crates only what is wrong.
const TALKATIVE: &str =
    "warn,greylag=info,greylag_infra=info,greylag_reporting=info,greylag_scenarios=info";
/// Commands that show a result tell only what is wrong.
const CALM: &str = "warn";

/// Locust's names of levels that have other names here.
const LOCUSTS_LEVELS: [(&str, &str); 2] = [("warning", "warn"), ("critical", "error")];

/// Sets up logging for a command.
pub(super) fn init(
    level: Option<&str>,
    file: Option<&Path>,
    command: &Command,
) -> Result<(), Failure> {
    let default = match command {
        #[cfg(feature = "coordinator")]
        Command::Coordinator(_) => TALKATIVE,
        Command::Agent(_) => TALKATIVE,
        _ => CALM,
    };
    let chosen = match level {
        Some(level) => {
            let lower = level.to_lowercase();
            let ours = LOCUSTS_LEVELS.iter().find(|(theirs, _)| *theirs == lower);
            let wanted = ours.map_or(level, |(_, ours)| ours);
            Some(EnvFilter::try_new(wanted).map_err(|error| {
                Failure::bad_input(format!(
                    "`{level}` is not a valid log level ({error}); use error, warn, info, debug or trace"
                ))
            })?)
        }
        // An empty variable is not set.
        None => match std::env::var("RUST_LOG") {
            Ok(directives) if !directives.trim().is_empty() => EnvFilter::try_new(directives).ok(),
            _ => None,
        },
    };
    if matches!(command, Command::Worker) {
        log::init(chosen);
        return Ok(());
    }
    let filter = chosen.unwrap_or_else(|| EnvFilter::new(default));
    let file = file.map(open).transpose()?;
    let colours = file.is_none() && std::io::stderr().is_terminal();
    let writer = match file {
        Some(file) => BoxMakeWriter::new(Arc::new(file)),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false);
    // A scenario crate's main may have set up its own before us, and keeps it.
    let _ = subscriber.try_init();
    Ok(())
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| {
            Failure::bad_input(format!(
                "the log cannot be written to {}: {error}",
                path.display()
            ))
        })
}
