//! `greylag man`: the help as manual pages.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};

use crate::cli::failure::Failure;
use crate::cli::print::print_line;

/// Options of `greylag man`.
#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// Directory to write to, created if it doesn't exist. `man` finds pages in ~/.local/share/man/man1.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes a page for `command`, called by the name `program`, and one for each of its subcommands.
pub(crate) fn man(
    options: &ManOptions,
    command: &Command,
    program: &str,
) -> Result<ExitCode, Failure> {
    let directory = &options.directory;
    let named = command.clone().name(program.to_owned());
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(named, directory))
        .map_err(|error| {
            Failure::bad_input(format!(
                "manual pages cannot be written to {}: {error}",
                directory.display()
            ))
        })?;
    let first = directory.join(format!("{program}.1"));
    print_line(format_args!(
        "Wrote {} and a page for each subcommand.",
        first.display()
    ));
    Ok(ExitCode::SUCCESS)
}
