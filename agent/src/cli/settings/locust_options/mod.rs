//! Every option of Locust 2.47 and every `LOCUST_…` variable, with what happens here. The porting guide's table is
//! this one (a test compares them); hidden arguments and messages are made from it.

mod table;

use clap::{Arg, ArgAction, Command};

use Support::{Action, Differs, Refused, Same};
use Takes::{Nothing, Value, Values};
use table::OPTIONS;

/// What happens to an option of Locust's here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// The option with this identifier does the same.
    Same(&'static str),
    /// The option with this identifier does it in another way.
    Differs(&'static str),
    /// clap does it: help and version.
    Action,
    /// Refused on the command line, and only mentioned where an environment or a file has it.
    Refused,
}

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Value,
    Values,
}

/// An option of Locust's.
#[derive(Debug)]
pub(crate) struct LocustOption {
    /// As they are typed. None of a setting that is only a variable or only a word.
    pub(crate) flags: &'static [&'static str],
    pub(crate) variable: Option<&'static str>,
    pub(crate) takes: Takes,
    pub(crate) support: Support,
    /// What differs, or what to use instead, in Markdown. Empty when there is nothing to say.
    pub(crate) note: &'static str,
}

/// Identifiers of arguments that are only there to be refused begin with this.
const PREFIX: &str = "locust:";

/// The option that a variable of Locust's sets.
pub(crate) fn of_variable(name: &str) -> Option<&'static LocustOption> {
    OPTIONS.iter().find(|option| option.variable == Some(name))
}

/// The option of this long name, without its dashes.
pub(crate) fn of_long(long: &str) -> Option<&'static LocustOption> {
    OPTIONS
        .iter()
        .find(|option| option.longs().any(|own| own == long))
}

/// The long names of all options, without dashes.
pub(crate) fn longs() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().flat_map(LocustOption::longs)
}

/// Hidden arguments for all that this subcommand refuses, so that every one is found and none is a typing error.
pub(crate) fn refused_arguments(subcommand: &Command) -> Vec<Arg> {
    let has = |id: &str| subcommand.get_arguments().any(|arg| arg.get_id() == id);
    let is_global = |id: &str| ["log_level", "log_file", "skip_log_setup"].contains(&id);
    OPTIONS
        .iter()
        .filter(|option| match option.support {
            Same(id) | Differs(id) => !has(id) && !is_global(id),
            Refused => true,
            Action => false,
        })
        .filter_map(LocustOption::hidden_argument)
        .collect()
}

/// The message about an argument of [`refused_arguments`].
pub(crate) fn refusal(id: &str, subcommand: &str) -> Option<String> {
    let long = id.strip_prefix(PREFIX)?;
    let option = of_long(long)?;
    Some(match option.support {
        Refused => format!("--{long}: {}", option.note),
        _ => format!(
            "--{long}: not for `{subcommand}`, whose page has the results of every run; use `run`"
        ),
    })
}

impl LocustOption {
    fn longs(&self) -> impl Iterator<Item = &'static str> {
        self.flags.iter().filter_map(|flag| flag.strip_prefix("--"))
    }

    fn hidden_argument(&self) -> Option<Arg> {
        let long = self.longs().next()?;
        let mut arg = Arg::new(format!("{PREFIX}{long}")).long(long).hide(true);
        for flag in self.flags {
            let short = flag.strip_prefix('-').filter(|rest| rest.len() == 1);
            if let Some(short) = short.and_then(|rest| rest.chars().next()) {
                arg = arg.short(short);
            }
        }
        Some(match self.takes {
            Nothing => arg.action(ArgAction::SetTrue),
            Value => arg.action(ArgAction::Set).allow_hyphen_values(true),
            Values => arg.action(ArgAction::Append).num_args(0..),
        })
    }
}

#[cfg(test)]
mod tests;
