//! Whether values are what their options want, and the messages when they are not.

use std::error::Error as _;
use std::ffi::OsString;
use std::num::{ParseFloatError, ParseIntError};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

use super::custom_options;
use super::origin::{Rank, flag_name};
use super::typed::first_paragraph;
use super::{Setting, Settings, as_flags, is_blank, is_switch};

/// Longest value that a message repeats, in characters.
const MAX_SHOWN_CHARS: usize = 60;

/// What a switch may be set to.
pub(super) const BOOLISH: &str = "1, yes, on, true, 0, no, off or false";

/// Reads a switch: `1`, `yes`, `on`, `true` and their opposites, in any case.
pub(in crate::cli) fn boolish(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "yes" | "y" | "on" | "true" | "t" => Some(true),
        "0" | "no" | "n" | "off" | "false" | "f" => Some(false),
        _ => None,
    }
}

/// Splits `a=1,b=2` at commas; `\,` is a comma of a value and `\\` a backslash.
pub(in crate::cli) fn split_options(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = match (c, chars.peek()) {
            ('\\', Some(&next @ (',' | '\\'))) => Some(next),
            _ => None,
        };
        match (c, escaped) {
            (_, Some(next)) => {
                chars.next();
                parts.last_mut().expect("there is always one").push(next);
            }
            (',', None) => parts.push(String::new()),
            (c, None) => parts.last_mut().expect("there is always one").push(c),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// A switch that says no is as if it had not been given, but for what it wins over.
pub(super) fn settle_switch(arg: &Arg, settings: &mut Settings) {
    let id = arg.get_id().as_str();
    let Some(setting) = settings.by_id.get(id) else {
        return;
    };
    let text = setting.values.last().cloned().unwrap_or_default();
    match text.to_str().and_then(boolish) {
        Some(true) => {}
        Some(false) => drop(settings.by_id.remove(id)),
        None => {
            let problem = invalid(arg, setting, &text, format!("use {BOOLISH}"));
            settings.problems.push(problem.to_string());
            settings.by_id.remove(id);
        }
    }
}

/// Why a setting's value does not fit its option; the place is the flag, variable or key that has it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error("{place} is empty; give it a value or leave it out")]
    Empty { place: String },
    /// The value is in front of the place, with a space before it, unless it is secret.
    #[error("invalid value{value} {place}: {reason}")]
    Invalid {
        value: String,
        place: String,
        reason: String,
    },
}

/// Checks the values of a setting as clap would.
///
/// # Errors
/// One of them does not fit.
pub(super) fn check(arg: &Arg, setting: &Setting) -> Result<(), ValueError> {
    if is_switch(arg) {
        return Ok(());
    }
    let may_be_empty = arg.get_id().as_str().starts_with(custom_options::PREFIX);
    if !may_be_empty && setting.values.iter().any(|value| is_blank(value)) {
        let place = setting.origin.name.clone();
        return Err(ValueError::Empty { place });
    }
    let alone = arg
        .clone()
        .env(Resettable::Reset)
        .required(false)
        .global(false)
        .conflicts_with(Resettable::Reset)
        .requires(Resettable::Reset);
    let words = match arg.get_long() {
        Some(long) => as_flags(long, false, &setting.values),
        None => [vec!["--".into()], setting.values.clone()].concat(),
    };
    let error = Command::new("value")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(alone)
        .try_get_matches_from(words)
        .err();
    let Some(error) = error else {
        return Ok(());
    };
    let given = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(given)) => OsString::from(given),
        _ => setting.values.first().cloned().unwrap_or_default(),
    };
    Err(invalid(arg, setting, &given, reason(&error)))
}

fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(allowed)) = error.get(ContextKind::ValidValue) {
        return format!("use one of {}", allowed.join(", "));
    }
    match error.source() {
        Some(source) if source.is::<ParseIntError>() => "it must be a whole number".to_owned(),
        Some(source) if source.is::<ParseFloatError>() => "it must be a number".to_owned(),
        Some(source) => source.to_string(),
        None => first_paragraph(error),
    }
}

fn invalid(arg: &Arg, setting: &Setting, given: &OsString, reason: String) -> ValueError {
    let shown: String = given
        .to_string_lossy()
        .chars()
        .take(MAX_SHOWN_CHARS)
        .collect();
    let value = if arg.is_hide_env_values_set() {
        String::new()
    } else {
        format!(" '{}'", shown.escape_debug())
    };
    let flag = flag_name(arg);
    let place = if setting.origin.rank == Rank::Flag {
        format!("for {flag}")
    } else {
        format!("for {} ({flag})", setting.origin.name)
    };
    ValueError::Invalid {
        value,
        place,
        reason,
    }
}
