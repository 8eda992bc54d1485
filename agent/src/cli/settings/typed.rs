//! The first look at what was typed: which subcommand and which options, with every value still unchecked, so that
//! everything that is wrong can be reported together.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{LIKE_LOCUST, Unresolved, is_switch, locust_options};
use crate::cli::failure::Failure;

/// What was typed.
pub(super) struct Typed {
    pub(super) subcommand: String,
    /// Values by the argument's identifier.
    pub(super) given: BTreeMap<String, Vec<OsString>>,
    /// Options that do not exist.
    pub(super) problems: Vec<String>,
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// There is only something to show, or options that do not exist make the rest unreadable.
pub(super) fn parse(command: &Command, mut words: Vec<OsString>) -> Result<Typed, Unresolved> {
    let lenient = loosened(command);
    let refusal = |problems: &[String]| {
        let failure = Failure::of_problems(problems)
            .unwrap_or_else(|| Failure::bad_input("the command line cannot be read"));
        Unresolved::Refused(failure)
    };
    let mut problems = Vec::new();
    let mut removed_at = None;
    loop {
        let error = match lenient.clone().try_get_matches_from(&words) {
            Ok(matches) => return Ok(typed_of(&lenient, &matches, problems)),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::InvalidSubcommand => return Err(shown(command, &words, error)),
            ErrorKind::UnknownArgument => {
                let name = context(&error, ContextKind::InvalidArg).unwrap_or_default();
                let place = words.iter().skip(1).position(|word| {
                    word.to_str().is_some_and(|word| {
                        let rest = word.strip_prefix(&name);
                        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
                    })
                });
                let Some(place) = place.map(|place| place + 1) else {
                    problems.push(unexpected(&error, &name));
                    return Err(refusal(&problems));
                };
                // The value of an option that does not exist is not reported separately.
                let is_value = removed_at == Some(place) && !name.starts_with('-');
                if !is_value {
                    problems.push(unexpected(&error, &name));
                    removed_at = Some(place);
                }
                words.remove(place);
            }
            _ => {
                problems.push(first_paragraph(&error));
                return Err(refusal(&problems));
            }
        }
    }
}

/// Where a subcommand has to be put in a command line that has none, as Locust's: `my-load -H … -u …`. None when
/// there is one, or nothing to run.
pub(super) fn place_of_subcommand(
    command: &Command,
    words: &[OsString],
    user_types: &[&str],
) -> Option<usize> {
    let mut place = 1;
    loop {
        let word = words.get(place)?.to_str()?;
        let (name, has_value) = match word.split_once('=') {
            Some((name, _)) => (name, true),
            None => (word, false),
        };
        let global = command.get_arguments().find(|arg| {
            let names_long = |long: &str| name.strip_prefix("--") == Some(long);
            let names_short = |short: char| {
                name.strip_prefix('-')
                    .is_some_and(|rest| rest.starts_with(short))
            };
            arg.is_global_set()
                && (arg.get_long().is_some_and(names_long)
                    || arg
                        .get_all_aliases()
                        .unwrap_or_default()
                        .into_iter()
                        .any(names_long)
                    || arg.get_short().is_some_and(names_short))
        });
        match global {
            Some(arg) => {
                let is_short_with_value = !name.starts_with("--") && name.len() > 2;
                let takes_next = !is_switch(arg) && !has_value && !is_short_with_value;
                place += if takes_next { 2 } else { 1 };
            }
            None => {
                let asks = ["-h", "--help", "-V", "--version"].contains(&word);
                let is_file = word.ends_with(".toml") || word.ends_with(".py");
                let is_subcommand = command.find_subcommand(word).is_some();
                let is_user_type = user_types.contains(&word) && !is_subcommand;
                let is_bare = (word.starts_with('-') && !asks) || is_file || is_user_type;
                return is_bare.then_some(place);
            }
        }
    }
}

/// What clap shows for this, with everything that the real command says of itself.
fn shown(command: &Command, words: &[OsString], error: clap::Error) -> Unresolved {
    let program = words.first().cloned().unwrap_or_default();
    let is = |wanted: &str| words.iter().any(|word| word == wanted);
    let asked = match error.kind() {
        ErrorKind::DisplayHelp if words.get(1).is_none_or(|word| word != "help") => {
            let subcommand = words.iter().skip(1).find(|word| {
                word.to_str()
                    .is_some_and(|word| command.find_subcommand(word).is_some())
            });
            let flag = if is("--help") { "--help" } else { "-h" };
            [Some(&program), subcommand, Some(&flag.into())]
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            vec![program]
        }
        _ => words.to_vec(),
    };
    Unresolved::Shown(
        command
            .clone()
            .try_get_matches_from(asked)
            .err()
            .unwrap_or(error),
    )
}

/// The command without anything that could refuse a value, and with Locust's options that we refuse ourselves.
fn loosened(command: &Command) -> Command {
    command
        .clone()
        .mut_args(loosen)
        .mut_subcommands(|subcommand| {
            let name = subcommand.get_name().to_owned();
            let subcommand = subcommand.mut_args(loosen);
            if !LIKE_LOCUST.contains(&name.as_str()) {
                return subcommand;
            }
            let refused: Vec<Arg> = locust_options::refused_arguments(&subcommand)
                .into_iter()
                .map(loosen)
                .collect();
            subcommand.args(refused)
        })
}

fn loosen(arg: Arg) -> Arg {
    let id = arg.get_id().clone();
    let arg = arg
        .env(Resettable::Reset)
        .required(false)
        .conflicts_with(Resettable::Reset)
        .requires(Resettable::Reset)
        .default_value(Resettable::Reset);
    match arg.get_action() {
        // The last one counts, as in Locust. `--headless=false` says no to a variable.
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(value_parser!(OsString))
            .overrides_with(id),
        ArgAction::Set if arg.is_positional() => arg.value_parser(value_parser!(OsString)),
        ArgAction::Set => arg
            .value_parser(value_parser!(OsString))
            .allow_negative_numbers(true)
            .overrides_with(id),
        ArgAction::Append => arg.value_parser(value_parser!(OsString)),
        _ => arg,
    }
}

fn typed_of(lenient: &Command, matches: &ArgMatches, problems: Vec<String>) -> Typed {
    let (subcommand, of_subcommand) = match matches.subcommand() {
        Some((name, matches)) => (name.to_owned(), matches),
        // clap has refused it before.
        None => (String::new(), matches),
    };
    let own = lenient.find_subcommand(&subcommand);
    let arguments = lenient
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .chain(own.into_iter().flat_map(Command::get_arguments));
    let given = arguments
        .map(|arg| arg.get_id().as_str())
        .filter(|id| of_subcommand.value_source(id) == Some(ValueSource::CommandLine))
        .filter_map(|id| {
            let values = of_subcommand.get_raw(id)?.map(OsString::from).collect();
            Some((id.to_owned(), values))
        })
        .collect();
    Typed {
        subcommand,
        given,
        problems,
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn unexpected(error: &clap::Error, name: &str) -> String {
    let hint = match context(error, ContextKind::SuggestedArg) {
        Some(similar) => format!("; did you mean `{similar}`?"),
        None => String::new(),
    };
    format!("unexpected argument '{name}'{hint}")
}

/// What clap says, without its heading and its hints.
pub(super) fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
