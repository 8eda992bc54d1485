//! Settings from the environment: `GREYLAG_…` of every option and its aliases, and Locust's `LOCUST_…`.

use std::ffi::{OsStr, OsString};

use clap::Arg;

use super::custom_options;
use super::locust_options::{self, Support};
use super::values::split_options;
use super::{LIKE_LOCUST, Origin, Rank, Setting, Settings, Surroundings, is_switch};

/// What Locust's variables begin with.
const LOCUST: &str = "LOCUST_";
/// What ours begin with.
const OURS: &str = "GREYLAG_";
/// What those of every program with OpenTelemetry begin with, and those of them that are about metrics alone.
const OTLP: &str = "OTEL_EXPORTER_OTLP_";
const OTLP_METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_";

/// Adds what variables say about options that were not given on the command line.
pub(super) fn add(
    arguments: &[Arg],
    surroundings: &Surroundings,
    subcommand: &str,
    settings: &mut Settings,
) {
    for arg in arguments {
        let given: Vec<(String, &OsString)> = names(arg)
            .into_iter()
            .filter_map(|name| {
                let value = surroundings.variables.get(&name)?;
                Some((name, value))
            })
            .collect();
        let Some((name, value)) = given.first() else {
            continue;
        };
        let id = arg.get_id().as_str();
        if settings.by_id.contains_key(id) {
            continue;
        }
        // Those of OpenTelemetry may be meant for other programs, so ours win over them, and what the coordinator's file says.
        let is_shared = |name: &str| name.starts_with(OTLP);
        let rank = match is_shared(name) {
            true => Rank::SharedVariable,
            false => Rank::Variable,
        };
        let mut ours = given.iter().filter(|(name, _)| !is_shared(name));
        if !is_shared(name)
            && let Some((other, _)) = ours.find(|(_, other)| other != value)
        {
            settings.problems.push(format!(
                "{name} and {other} mean the same and have different values; unset one of the two"
            ));
        }
        let setting = Setting {
            origin: Origin::new(rank, name),
            values: own_values(id, value),
        };
        settings.by_id.insert(id.to_owned(), setting);
    }
    if LIKE_LOCUST.contains(&subcommand) {
        add_locusts(arguments, surroundings, subcommand, settings);
    }
}

/// The names of an option's variables, the one that counts first.
fn names(arg: &Arg) -> Vec<String> {
    let Some(usual) = arg.get_env() else {
        return Vec::new();
    };
    let usual = usual.to_string_lossy().into_owned();
    // By OpenTelemetry's specification of exporters, the narrower variable wins.
    let (mut names, last) = match usual.strip_prefix(OTLP) {
        Some(what) => (Vec::new(), vec![format!("{OTLP_METRICS}{what}"), usual]),
        None => (vec![usual], Vec::new()),
    };
    let longs = arg.get_all_aliases().unwrap_or_default();
    for long in arg.get_long().into_iter().chain(longs) {
        let name = variable(OURS, long);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.extend(last);
    names
}

/// `GREYLAG_RUN_TIME` for `run-time`.
fn variable(prefix: &str, long: &str) -> String {
    format!("{prefix}{}", long.to_uppercase().replace('-', "_"))
}

fn own_values(id: &str, value: &OsStr) -> Vec<OsString> {
    match value.to_str() {
        Some(text) if id == "options" => split_options(text)
            .into_iter()
            .map(OsString::from)
            .collect(),
        // Commas and spaces belong to them.
        Some(text) if id == "thresholds" => {
            let lines = text.lines().map(str::trim);
            let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
            match lines.is_empty() {
                true => vec![value.to_owned()],
                false => lines.into_iter().map(OsString::from).collect(),
            }
        }
        _ => vec![value.to_owned()],
    }
}

fn add_locusts(
    arguments: &[Arg],
    surroundings: &Surroundings,
    subcommand: &str,
    settings: &mut Settings,
) {
    let mut ineffective = Vec::new();
    let variables = surroundings.variables.iter();
    for (name, value) in variables.filter(|(name, _)| name.starts_with(LOCUST)) {
        match locust_options::of_variable(name) {
            Some(option) => match option.support {
                Support::Same(id) | Support::Differs(id) if has(arguments, id) => {
                    set(arguments, id, Rank::LocustVariable, name, value, settings);
                }
                Support::Same(_) | Support::Differs(_) => {
                    ineffective.push(format!("{name} (has no meaning for `{subcommand}`)"));
                }
                // A switch that is off asks for nothing.
                Support::Refused | Support::Action
                    if value.to_str().and_then(super::boolish) == Some(false) => {}
                Support::Refused | Support::Action => {
                    ineffective.push(format!("{name} ({})", option.note));
                }
            },
            None => {
                let custom = arguments.iter().find(|arg| {
                    arg.get_id().as_str().starts_with(custom_options::PREFIX)
                        && arg
                            .get_long()
                            .is_some_and(|long| variable(LOCUST, long) == *name)
                });
                match custom {
                    Some(arg) => {
                        let id = arg.get_id().as_str();
                        set(arguments, id, Rank::LocustVariable, name, value, settings);
                    }
                    None => ineffective.push(format!("{name} (unknown)")),
                }
            }
        }
    }
    if !ineffective.is_empty() {
        settings.notes.push(format!(
            "warning: these variables of Locust have no effect: {}",
            ineffective.join("; ")
        ));
    }
}

/// Whether any of Locust's variables is set.
pub(super) fn has_locusts(surroundings: &Surroundings) -> bool {
    surroundings
        .variables
        .keys()
        .any(|name| name.starts_with(LOCUST))
}

pub(super) fn has(arguments: &[Arg], id: &str) -> bool {
    arguments.iter().any(|arg| arg.get_id() == id)
}

/// Sets an option from Locust's environment or files, unless something stronger did.
pub(super) fn set(
    arguments: &[Arg],
    id: &str,
    rank: Rank,
    name: &str,
    value: &OsStr,
    settings: &mut Settings,
) {
    let is_weaker = settings
        .by_id
        .get(id)
        .is_some_and(|given| given.origin.rank > rank);
    let Some(arg) = arguments.iter().find(|arg| arg.get_id() == id) else {
        return;
    };
    if is_weaker {
        return;
    }
    let takes_many = !is_switch(arg) && matches!(arg.get_action(), clap::ArgAction::Append);
    let values = match value.to_str() {
        // Locust's lists: `[a, b]`, `a b` or `a,b`.
        Some(text) if takes_many => text
            .trim()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .split([',', ' '])
            .map(|part| part.trim().trim_matches(['"', '\'']))
            .filter(|part| !part.is_empty())
            .map(OsString::from)
            .collect(),
        _ => vec![value.to_owned()],
    };
    let origin = Origin::new(rank, name);
    settings
        .by_id
        .insert(id.to_owned(), Setting { origin, values });
}
