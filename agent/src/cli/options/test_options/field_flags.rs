//! Flags of the fields that every load test has, made from the list of them.

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use greylag_infra::{FIELDS, Field, FieldKind, FieldValue, TestDraft};

use crate::cli::options::seconds;

/// What was given by flags.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldFlags {
    pub(super) draft: TestDraft,
}

impl Args for FieldFlags {
    fn augment_args(command: Command) -> Command {
        command.args(FIELDS.iter().filter_map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FieldFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        for field in FIELDS.iter().filter(|field| field.flag.is_some()) {
            if let Some(value) = value(field, matches) {
                field.set(&mut given.draft, value).map_err(|error| {
                    let flag = long(field);
                    clap::Error::raw(ErrorKind::ValueValidation, format!("--{flag} {error}\n"))
                })?;
            }
        }
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of a field, without its dashes.
pub(super) fn long(field: &Field) -> String {
    field.key.replace('_', "-")
}

fn flag(field: &'static Field) -> Option<Arg> {
    let flag = field.flag?;
    let mut arg = Arg::new(field.key)
        .long(long(field))
        .env(format!("GREYLAG_{}", field.key.to_uppercase()))
        .help(field.help.trim_end_matches('.'));
    if let Some(short) = flag.short {
        arg = arg.short(short);
    }
    if !flag.alias.is_empty() {
        arg = arg.visible_alias(flag.alias);
    }
    let arg = match field.kind {
        FieldKind::Text => arg,
        FieldKind::Choice => arg.value_parser(PossibleValuesParser::new(field.choices)),
        // Locust's -1.
        FieldKind::Count => arg.allow_negative_numbers(true),
        FieldKind::Whole => arg.value_parser(value_parser!(u64)),
        FieldKind::Number => arg.value_parser(value_parser!(f64)),
        FieldKind::Seconds => arg.value_parser(seconds),
        FieldKind::Flag => return Some(arg.action(ArgAction::SetTrue)),
        FieldKind::List => arg
            .action(ArgAction::Append)
            .num_args(1..)
            .value_delimiter(','),
        FieldKind::Thresholds => arg.action(ArgAction::Append),
    };
    Some(arg.value_name(flag.value_name))
}

fn value(field: &Field, matches: &ArgMatches) -> Option<FieldValue> {
    let key = field.key;
    Some(match field.kind {
        FieldKind::Text | FieldKind::Count | FieldKind::Choice => {
            FieldValue::Text(matches.get_one::<String>(key)?.clone())
        }
        FieldKind::Whole | FieldKind::Seconds => FieldValue::Whole(*matches.get_one(key)?),
        FieldKind::Number => FieldValue::Number(*matches.get_one(key)?),
        FieldKind::Flag => FieldValue::Flag(matches.get_flag(key).then_some(true)?),
        FieldKind::List | FieldKind::Thresholds => {
            FieldValue::List(matches.get_many::<String>(key)?.cloned().collect())
        }
    })
}
