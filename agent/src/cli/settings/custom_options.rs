//! Flags for the options that compiled-in scenarios declare: `--api-key VALUE` beside our own.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, Resettable};
use clap::{Arg, ArgAction, ArgMatches, Command};
use greylag_scenarios::{CustomOption, CustomOptionKind, Scenario};

use super::{Sources, boolish, locust_options};
use crate::cli::failure::Failure;
use crate::scenario::option_info;

/// Long names of the program's own flags, which every subcommand has.
const OF_THE_PROGRAM: [&str; 5] = ["help", "version", "log-level", "log-file", "skip-log-setup"];
/// Heading of these flags in the help.
const HEADING: &str = "Scenario options";
/// Identifiers of these flags begin with this, so that they cannot be mistaken for ours.
pub(crate) const PREFIX: &str = "option:";

/// Adds a flag for each option that a scenario declares. One that has the name of a flag of ours is left out
/// and can be given as `--option NAME=VALUE`.
pub(crate) fn add(command: Command, scenarios: &[Scenario]) -> Command {
    let own = command.get_arguments().flat_map(|arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        arg.get_long().into_iter().chain(aliases)
    });
    let taken: Vec<String> = own
        .map(str::to_owned)
        .chain(locust_options::longs().map(str::to_owned))
        .chain(OF_THE_PROGRAM.map(str::to_owned))
        .collect();
    let taken_variables: Vec<OsString> = command
        .get_arguments()
        .filter_map(Arg::get_env)
        .map(OsString::from)
        .collect();
    let flags: Vec<Arg> = distinct(scenarios)
        .into_iter()
        .filter(|(name, _)| !taken.contains(name) && is_flag_name(name))
        .map(|(_, declared)| flag(&declared))
        .map(|flag| match flag.get_env() {
            Some(name) if taken_variables.iter().any(|taken| taken == name) => {
                flag.env(Resettable::Reset)
            }
            _ => flag,
        })
        .collect();
    command.args(flags)
}

/// What was given by these flags.
///
/// # Errors
/// A value that none of the scenarios with this option takes.
pub(crate) fn given(
    matches: &ArgMatches,
    sources: &Sources,
    scenarios: &[Scenario],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut given = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, declared) in distinct(scenarios) {
        let id = format!("{PREFIX}{name}");
        let Ok(Some(value)) = matches.try_get_one::<String>(&id) else {
            continue;
        };
        let is_flag = declared
            .iter()
            .all(|(_, option)| option.kind == CustomOptionKind::Flag);
        let value = match boolish(value) {
            Some(on) if is_flag => on.to_string(),
            _ => value.clone(),
        };
        let refusals: Vec<String> = declared
            .iter()
            .filter_map(|(_, option)| option_info(option).check(&value).err())
            .map(|error| error.to_string())
            .collect();
        if refusals.len() == declared.len() {
            let place = sources.name(&id).unwrap_or_default();
            problems.push(format!("{place}: {}", refusals.join("; ")));
        } else {
            given.insert(name, value);
        }
    }
    match Failure::of_problems(&problems) {
        Some(failure) => Err(failure),
        None => Ok(given),
    }
}

/// Whether a name can be a flag's. One that cannot is refused when its scenario is checked.
fn is_flag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Options by name, each with the scenarios that declare it.
fn distinct(scenarios: &[Scenario]) -> BTreeMap<String, Vec<(&str, &CustomOption)>> {
    let mut by_name: BTreeMap<String, Vec<(&str, &CustomOption)>> = BTreeMap::new();
    for scenario in scenarios {
        for option in &scenario.options {
            by_name
                .entry(option.name.clone())
                .or_default()
                .push((&scenario.name, option));
        }
    }
    by_name
}

fn flag(declared: &[(&str, &CustomOption)]) -> Arg {
    let (_, first) = declared[0];
    let is_secret = declared.iter().any(|(_, option)| option.secret);
    let scenarios: Vec<&str> = declared.iter().map(|(scenario, _)| *scenario).collect();
    let mut help = first.help.trim_end_matches('.').to_owned();
    if !help.is_empty() {
        help.push(' ');
    }
    let default = match (is_secret, first.default.as_str()) {
        (_, "") => String::new(),
        (true, _) => "; default: not shown".to_owned(),
        (false, default) => format!("; default: {default}"),
    };
    help.push_str(&format!("[scenario {}{default}]", scenarios.join(", ")));
    let arg = Arg::new(format!("{PREFIX}{}", first.name))
        .long(first.name.clone())
        .help_heading(HEADING)
        .help(help)
        .action(ArgAction::Set)
        .env(format!(
            "GREYLAG_{}",
            first.name.to_uppercase().replace('-', "_")
        ))
        .hide_env_values(is_secret);
    match first.kind {
        // As flags of Locust and other programs: `--verbose` alone means yes.
        CustomOptionKind::Flag => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        _ if !first.choices.is_empty() && declared.len() == 1 && !is_secret => arg
            .value_name("CHOICE")
            .value_parser(PossibleValuesParser::new(&first.choices)),
        CustomOptionKind::Integer | CustomOptionKind::Number => {
            arg.value_name("NUMBER").allow_negative_numbers(true)
        }
        CustomOptionKind::Text => arg.value_name("TEXT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenarios() -> Vec<Scenario> {
        vec![
            Scenario::new("a")
                .option(
                    CustomOption::text("api-key")
                        .help("The shop's key.")
                        .default("top")
                        .secret(),
                )
                .option(CustomOption::integer("rows").default(3))
                .option(CustomOption::flag("fast"))
                .option(CustomOption::text("host")),
            Scenario::new("b")
                .option(CustomOption::text("mode").choices(["read", "write"]))
                .option(CustomOption::text("rows")),
        ]
    }

    fn parse(line: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let command = Command::new("run").arg(Arg::new("host").long("host"));
        let matches = add(command, &scenarios())
            .try_get_matches_from(line)
            .map_err(|error| error.to_string())?;
        given(&matches, &Sources::default(), &scenarios()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn options_are_flags_of_their_own() {
        let all = [
            "run",
            "--api-key",
            "k",
            "--rows=-4",
            "--fast",
            "--mode",
            "read",
        ];
        let given = parse(&all).unwrap();
        let expected = [
            ("api-key", "k"),
            ("fast", "true"),
            ("mode", "read"),
            ("rows", "-4"),
        ];
        assert!(
            given
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .eq(expected)
        );
        assert_eq!(parse(&["run", "--fast=false"]).unwrap()["fast"], "false");
        assert_eq!(parse(&["run", "--fast=Yes"]).unwrap()["fast"], "true");
        assert!(parse(&["run"]).unwrap().is_empty());
        // Ours stays ours.
        assert!(parse(&["run", "--host", "x"]).unwrap().is_empty());
    }

    #[test]
    fn a_name_that_is_no_flag_leaves_the_command_line_usable_and_a_secret_of_one_is_one_of_all() {
        let scenarios = vec![
            Scenario::new("a")
                .option(CustomOption::text("--mode"))
                .option(CustomOption::text("key").default("top")),
            Scenario::new("b").option(CustomOption::text("key").default("top").secret()),
        ];
        let mut command = add(Command::new("run"), &scenarios);
        let help = command.render_long_help().to_string();
        assert!(
            help.contains("--key") && !help.contains("top") && !help.contains("mode"),
            "{help}"
        );
        assert!(
            add(Command::new("run"), &scenarios)
                .try_get_matches_from(["run"])
                .is_ok()
        );
    }

    #[test]
    fn wrong_values_are_refused_and_secrets_not_told() {
        assert!(
            parse(&["run", "--mode", "neither"])
                .unwrap_err()
                .contains("read, write")
        );
        assert!(
            parse(&["run", "--fast=perhaps"])
                .unwrap_err()
                .contains("true or false")
        );
        // A text for scenario b, whatever it is.
        assert_eq!(parse(&["run", "--rows", "many"]).unwrap()["rows"], "many");
        let mut command = add(Command::new("run"), &scenarios());
        let help = command.render_long_help().to_string();
        assert!(
            help.contains("The shop's key [scenario a; default: not shown]"),
            "{help}"
        );
        assert!(
            help.contains("[scenario a, b; default: 3]") && !help.contains("top"),
            "{help}"
        );
    }
}
