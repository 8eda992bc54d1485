//! The program's own log, on standard error or in a file.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::failure::Failure;
use crate::worker::log;

/// What a command logs unless a level is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogKind {
    /// What happens to a process that runs for long, and warnings of other crates.
    Service,
    /// Warnings: the command shows a result.
    Command,
    /// What a worker's users log; its agent reads it.
    Worker,
}

impl LogKind {
    fn default_filter(self) -> &'static str {
        match self {
            Self::Service => {
                "warn,greylag=info,greylag_infra=info,greylag_reporting=info,greylag_scenarios=info"
            }
            Self::Command | Self::Worker => "warn",
        }
    }
}

/// Locust's names of levels that have other names here.
const LOCUSTS_LEVELS: [(&str, &str); 2] = [("warning", "warn"), ("critical", "error")];

/// Sets up logging.
pub(super) fn init(level: Option<&str>, file: Option<&Path>, kind: LogKind) -> Result<(), Failure> {
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
    if kind == LogKind::Worker {
        log::init(chosen);
        return Ok(());
    }
    let filter = chosen.unwrap_or_else(|| EnvFilter::new(kind.default_filter()));
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
