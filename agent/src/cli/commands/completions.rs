//! `greylag completions`: what a shell has to know to complete this command line.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::print::print_line;

/// Options of `greylag completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell to complete in.
    shell: Shell,
}

/// Prints the script for `command`, called by the name `program`.
pub(crate) fn completions(options: &CompletionsOptions, command: &Command, program: &str) {
    let mut script = Vec::new();
    clap_complete::generate(
        options.shell,
        &mut without_hidden(command),
        program,
        &mut script,
    );
    print_line(String::from_utf8_lossy(&script).trim_end());
}

/// The command as its help shows it: the generators do not look at what is hidden.
fn without_hidden(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let mut visible = Command::new(command.get_name().to_owned())
        .args(arguments)
        .subcommands(subcommands.map(without_hidden));
    if let Some(about) = command.get_about() {
        visible = visible.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        visible = visible.version(version.to_owned());
    }
    visible
}
