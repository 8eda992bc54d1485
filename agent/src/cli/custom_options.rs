//! Flags for the options that compiled-in scenarios declare: `--api-key VALUE` beside our own.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use greylag_scenarios::{CustomOption, CustomOptionKind, Scenario};

use super::failure::Failure;

/// Heading of these flags in the help.
const HEADING: &str = "Options of the scenarios";
/// Identifiers of these flags begin with this, so that they cannot be mistaken for ours.
const PREFIX: &str = "option:";

/// Adds a flag for each option that a scenario declares. One that has the name of a flag of ours is left out
/// and can be given as `--option NAME=VALUE`.
pub(super) fn add(command: Command, scenarios: &[Scenario]) -> Command {
    let taken: Vec<String> = command
        .get_arguments()
        .flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
        .map(str::to_owned)
        .chain([
            "help".to_owned(),
            "version".to_owned(),
            "log-level".to_owned(),
        ])
        .collect();
    let flags: Vec<Arg> = distinct(scenarios)
        .into_iter()
        .filter(|(name, _)| !taken.contains(name) && is_flag_name(name))
        .map(|(_, declared)| flag(&declared))
        .collect();
    command.args(flags)
}

/// What was given by these flags.
///
/// # Errors
/// A value that none of the scenarios with this option takes.
pub(super) fn given(
    matches: &ArgMatches,
    scenarios: &[Scenario],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut given = BTreeMap::new();
    for (name, declared) in distinct(scenarios) {
        let id = format!("{PREFIX}{name}");
        let Ok(Some(value)) = matches.try_get_one::<String>(&id) else {
            continue;
        };
        let refusals: Vec<String> = declared
            .iter()
            .filter_map(|(_, option)| option.check(value).err())
            .map(|error| error.to_string())
            .collect();
        if refusals.len() == declared.len() {
            return Err(Failure::bad_input(refusals.join("; ")));
        }
        given.insert(name, value.clone());
    }
    Ok(given)
}

/// Whether a name can be a flag's. One that cannot is refused with a sentence when its scenario is checked.
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
        // As Locust's and everybody's flags: `--verbose` alone means yes.
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
        given(&matches, &scenarios()).map_err(|failure| format!("{failure:?}"))
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
