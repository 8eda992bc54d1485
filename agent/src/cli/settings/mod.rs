//! Where settings come from: flags win over variables `GREYLAG_…`, these over Locust's variables `LOCUST_…`, these
//! over configuration files: Locust's, and the coordinator's own. clap only ever gets the settings that won, written as flags, so every rule
//! about variables (an empty one is not set, switches in any usual spelling) is in one place for all subcommands.

mod config_file;
mod contradictions;
#[cfg(feature = "coordinator")]
mod coordinator_file;
pub(super) mod custom_options;
mod files;
mod locust_options;
mod origin;
mod typed;
mod values;
mod variables;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::failure::Failure;
use typed::Typed;

pub(super) use origin::{Origin, Rank, Sources};
pub(super) use values::boolish;

/// Subcommands that take what Locust's command line takes.
pub(super) const LIKE_LOCUST: &[&str] = if cfg!(feature = "coordinator") {
    &["run", "serve"]
} else {
    &["run"]
};

/// The subcommand that has a configuration file of its own.
#[cfg(feature = "coordinator")]
const COORDINATOR: &str = "coordinator";

/// With any of these a command line without a subcommand is one of `run`.
const OF_RUN: [&str; 4] = ["headless", "coordinator", "list", "show_task_ratio"];

/// What a process finds around it.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Environment variables that are set and not empty.
    pub(super) variables: BTreeMap<String, OsString>,
    /// The directory whose `locust.conf` and `pyproject.toml` are read.
    pub(super) directory: PathBuf,
    /// The directory whose `.locust.conf` is read.
    pub(super) home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process. A variable that is set to nothing, as compose files and CI systems write it, is not set.
    pub(super) fn of_process() -> Self {
        let variables: BTreeMap<String, OsString> = std::env::vars_os()
            .filter(|(_, value)| !is_blank(value))
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        Self {
            home: variables.get("HOME").map(PathBuf::from),
            directory: PathBuf::from("."),
            variables,
        }
    }
}

/// A command line that is complete and whose values are right.
#[derive(Debug)]
pub(super) struct Resolved {
    /// What the subcommands are made of.
    pub(super) matches: ArgMatches,
    /// Where each setting came from.
    pub(super) sources: Sources,
    /// What the user should know, a line each.
    pub(super) notes: Vec<String>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// clap shows it: help, the version, an unknown subcommand.
    Shown(clap::Error),
    /// Everything that is wrong.
    Refused(Failure),
}

/// A setting: values and where they came from.
#[derive(Debug, Clone)]
struct Setting {
    origin: Origin,
    values: Vec<OsString>,
}

/// Settings by the identifier of their argument, and what there is to say about them.
#[derive(Debug, Default)]
struct Settings {
    by_id: BTreeMap<String, Setting>,
    problems: Vec<String>,
    notes: Vec<String>,
}

/// Resolves a command line, the program's name first. A first word that is one of `user_types` is not a subcommand.
///
/// # Errors
/// See [`Unresolved`].
pub(super) fn resolve(
    command: &Command,
    words: Vec<OsString>,
    user_types: &[&str],
    surroundings: &Surroundings,
) -> Result<Resolved, Unresolved> {
    let program = words.first().cloned().unwrap_or_default();
    let place = match typed::place_of_subcommand(command, &words, user_types) {
        // `locust` alone, with everything in its variables, as containers start it.
        None if words.len() == 1 && variables::has_locusts(surroundings) => Some(1),
        place => place,
    };
    let (subcommand, settings) = match place {
        None => collect(command, words, user_types, surroundings)?,
        // Locust's form: the page waits for Start, unless there is none or something is only to be shown.
        Some(place) => {
            let with = |subcommand: &str| {
                let mut words = words.clone();
                words.insert(place, subcommand.into());
                collect(command, words, user_types, surroundings)
            };
            let (subcommand, settings) = with("run")?;
            let may_serve = LIKE_LOCUST.contains(&"serve");
            if !may_serve || OF_RUN.iter().any(|id| settings.by_id.contains_key(*id)) {
                (subcommand, settings)
            } else if let Some(refused) = refuse_what_serve_lacks(command, &settings) {
                return Err(Unresolved::Refused(refused));
            } else {
                with("serve")?
            }
        }
    };
    let Settings {
        mut by_id,
        mut problems,
        mut notes,
    } = settings;
    let arguments = arguments_of(command, &subcommand);
    contradictions::resolve(&mut by_id, &mut problems, &mut notes);
    for arg in &arguments {
        if let Some(setting) = by_id.get(arg.get_id().as_str())
            && let Err(problem) = values::check(arg, setting)
        {
            problems.push(problem.to_string());
        }
    }
    if let Some(failure) = Failure::of_problems(&problems) {
        return Err(Unresolved::Refused(failure));
    }
    let written = write_as_flags(program, &subcommand, &arguments, &by_id);
    let matches = without_variables(command)
        .try_get_matches_from(written)
        .map_err(Unresolved::Shown)?;
    let origins = by_id.into_iter().map(|(id, setting)| (id, setting.origin));
    Ok(Resolved {
        matches,
        sources: Sources::new(origins),
        notes,
    })
}

/// Everything that was given for a subcommand, by whatever way.
fn collect(
    command: &Command,
    words: Vec<OsString>,
    user_types: &[&str],
    surroundings: &Surroundings,
) -> Result<(String, Settings), Unresolved> {
    let Typed {
        subcommand,
        given,
        mut problems,
    } = typed::parse(command, words)?;
    let arguments = arguments_of(command, &subcommand);
    let mut settings = Settings::default();
    for (id, values) in given {
        if let Some(problem) = locust_options::refusal(&id, &subcommand) {
            problems.push(problem);
            continue;
        }
        let Some(arg) = arguments.iter().find(|arg| arg.get_id() == id.as_str()) else {
            continue;
        };
        let origin = Origin::flag(arg);
        settings.by_id.insert(id, Setting { origin, values });
    }
    settings.problems = problems;
    variables::add(&arguments, surroundings, &subcommand, &mut settings);
    #[cfg(feature = "coordinator")]
    if subcommand == COORDINATOR {
        coordinator_file::add(&arguments, surroundings, &mut settings);
    }
    if LIKE_LOCUST.contains(&subcommand.as_str()) {
        files::add(
            &arguments,
            user_types,
            surroundings,
            &subcommand,
            &mut settings,
        );
    }
    for arg in arguments.iter().filter(|arg| is_switch(arg)) {
        values::settle_switch(arg, &mut settings);
    }
    Ok((subcommand, settings))
}

/// Everything that is wrong with a line without a subcommand, if it has flags that only `run` has: it would wait for
/// Start on the page, which has no use for them.
fn refuse_what_serve_lacks(command: &Command, settings: &Settings) -> Option<Failure> {
    let of_serve = arguments_of(command, "serve");
    let lacks = |id: &str| !of_serve.iter().any(|arg| arg.get_id() == id);
    let flags: Vec<_> = settings
        .by_id
        .iter()
        .filter(|(id, setting)| setting.origin.rank == Rank::Flag && lacks(id))
        .map(|(_, setting)| setting.origin.name.as_str())
        .collect();
    if flags.is_empty() {
        return None;
    }
    let mut problems = settings.problems.clone();
    problems.push(format!(
        "without `run` or --headless this command line serves the page and waits for Start there, where {} would have no effect; put `run` first to start the test immediately (with its page), or leave it out",
        flags.join(", ")
    ));
    Failure::of_problems(&problems)
}

/// The arguments of a subcommand, those of the whole program included.
fn arguments_of(command: &Command, subcommand: &str) -> Vec<Arg> {
    let own = command
        .find_subcommand(subcommand)
        .into_iter()
        .flat_map(Command::get_arguments);
    command
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .chain(own)
        .cloned()
        .collect()
}

/// Adds what is typed without an option, and Locust's `--config`; both are sorted into test file, user types and
/// settings before anything is made of them.
pub(super) fn add_words(command: Command) -> Command {
    command
        .arg(
            Arg::new("words")
                .value_name("FILE | USER_TYPE")
                .action(ArgAction::Append)
                .num_args(0..)
                .help(
                    "Test file (TOML); other words are user types to run, as in Locust",
                ),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .env("GREYLAG_CONFIG")
                .help("Test file, or a Locust configuration file (key = value, or [tool.locust] in TOML)"),
        )
}

fn without_variables(command: &Command) -> Command {
    let reset = |arg: Arg| arg.env(clap::builder::Resettable::Reset);
    command
        .clone()
        .mut_args(reset)
        .mut_subcommands(|subcommand| subcommand.mut_args(reset))
}

/// The settings as a command line that says the same by flags alone.
fn write_as_flags(
    program: OsString,
    subcommand: &str,
    arguments: &[Arg],
    by_id: &BTreeMap<String, Setting>,
) -> Vec<OsString> {
    let mut words = vec![program, subcommand.into()];
    let mut positionals = vec![OsString::from("--")];
    for arg in arguments {
        let Some(setting) = by_id.get(arg.get_id().as_str()) else {
            continue;
        };
        match arg.get_long() {
            Some(long) => words.extend(as_flags(long, is_switch(arg), &setting.values)),
            None => positionals.extend(setting.values.iter().cloned()),
        }
    }
    words.append(&mut positionals);
    words
}

fn as_flags(long: &str, is_switch: bool, values: &[OsString]) -> Vec<OsString> {
    if is_switch {
        return vec![format!("--{long}").into()];
    }
    let flag = |value: &OsString| {
        let mut word = OsString::from(format!("--{long}="));
        word.push(value);
        word
    };
    values.iter().map(flag).collect()
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests;
