//! An option that a scenario declares: whether it can be declared so, and which values can be given for it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::scenario_fit::{list, shown};
use super::{MAX_OPTION_NAME_BYTES, MAX_OPTION_VALUE_BYTES, MisfitError, ScenarioInfo};
use crate::base::{MAX_SCENARIO_PARTS, bounded_list};

/// An option that a scenario declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionInfo {
    /// Its name, as on the command line without the dashes.
    pub name: String,
    /// What its values are.
    pub kind: OptionKind,
    /// Its value unless another is given.
    pub default: String,
    /// One line of help.
    pub help: String,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// The values there are, if only some are allowed.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub choices: Vec<String>,
}

/// What an option's values are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionKind {
    /// Any text.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
}

/// Why an option cannot be declared as a scenario does it. Values of secret options are never in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum OptionDeclarationError {
    #[error(
        "`{0}` is not a valid option name: use at most {MAX_OPTION_NAME_BYTES} lower-case letters, digits and dashes, beginning with a letter and not ending with a dash"
    )]
    Name(String),
    #[error("option `{0}` is declared twice: the options of a scenario must have different names")]
    Twice(String),
    #[error(
        "a default or choice that option `{name}` declares is {bytes} bytes long: the maximum is {MAX_OPTION_VALUE_BYTES}"
    )]
    TooLong { name: String, bytes: usize },
    /// The default or a choice is not a value that could be given.
    #[error("the scenario declares a default or choice that cannot be: {0}")]
    Value(#[from] MisfitError),
}

impl OptionInfo {
    /// Whether a text can be the option's value.
    ///
    /// # Errors
    /// [`MisfitError::OptionValue`], which shows the value unless the option is secret.
    pub fn check(&self, value: &str) -> Result<(), MisfitError> {
        let refuse = |wanted: String| {
            Err(MisfitError::OptionValue {
                name: shown(&self.name),
                wanted,
                given: (!self.secret).then(|| shown(value)),
            })
        };
        let is_of_kind = match self.kind {
            OptionKind::Text => true,
            OptionKind::Integer => value.parse::<i64>().is_ok(),
            OptionKind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            OptionKind::Flag => value.parse::<bool>().is_ok(),
        };
        if !is_of_kind {
            return refuse(self.kind.words().to_owned());
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == value) {
            return refuse(if self.secret {
                "one of the choices that the scenario declares".to_owned()
            } else {
                let choices = self.choices.iter().map(String::as_str).collect::<Vec<_>>();
                format!("one of {}", list(&choices))
            });
        }
        Ok(())
    }

    /// Whether it can be declared so: its name, its default, and its choices.
    fn check_declaration(&self) -> Result<(), OptionDeclarationError> {
        if !is_name(&self.name) {
            return Err(OptionDeclarationError::Name(shown(&self.name)));
        }
        for value in self.choices.iter().chain([&self.default]) {
            if value.len() > MAX_OPTION_VALUE_BYTES {
                return Err(OptionDeclarationError::TooLong {
                    name: shown(&self.name),
                    bytes: value.len(),
                });
            }
            self.check(value)?;
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= MAX_OPTION_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(allowed)
        && !name.ends_with('-')
}

impl ScenarioInfo {
    /// Whether the scenario's options can be declared as they are. What an agent sends lacks the defaults and choices of
    /// secret options: only the program that has the scenario can check it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_declared_options(&self) -> Result<(), OptionDeclarationError> {
        let mut names = BTreeSet::new();
        for option in &self.options {
            option.check_declaration()?;
            if !names.insert(&option.name) {
                return Err(OptionDeclarationError::Twice(option.name.clone()));
            }
        }
        Ok(())
    }
}

impl OptionKind {
    /// For a message: `a whole number`.
    pub fn words(self) -> &'static str {
        match self {
            OptionKind::Text => "a text",
            OptionKind::Integer => "a whole number",
            OptionKind::Number => "a number",
            OptionKind::Flag => "true or false",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, kind: OptionKind, default: &str, choices: &[&str]) -> OptionInfo {
        OptionInfo {
            name: name.into(),
            kind,
            default: default.into(),
            choices: choices.iter().map(|&choice| choice.into()).collect(),
            ..OptionInfo::default()
        }
    }

    fn check(options: &[OptionInfo]) -> Result<(), String> {
        let scenario = ScenarioInfo {
            options: options.to_vec(),
            ..ScenarioInfo::default()
        };
        let checked = scenario.check_declared_options();
        checked.map_err(|error| error.to_string())
    }

    fn refusal(options: &[OptionInfo]) -> String {
        check(options).unwrap_err()
    }

    #[test]
    fn options_are_declared_correctly() {
        let longest = "a".repeat(MAX_OPTION_NAME_BYTES);
        let options = [
            option("api-key", OptionKind::Text, "", &[]),
            option("v2", OptionKind::Flag, "true", &[]),
            option("page-size", OptionKind::Integer, "-20", &[]),
            option("share", OptionKind::Number, "0.5", &["0.5", "1"]),
            option(&longest, OptionKind::Text, "", &[]),
        ];
        assert_eq!(check(&options), Ok(()));
    }

    #[test]
    fn a_wrong_declaration_is_refused() {
        let too_long = "a".repeat(MAX_OPTION_NAME_BYTES + 1);
        for name in ["", "Api", "api_key", "1st", "-a", "a-", "ä", &too_long] {
            let message = refusal(&[option(name, OptionKind::Text, "", &[])]);
            assert!(message.contains("is not a valid option name"), "{message}");
        }
        let text = option("a", OptionKind::Text, "", &[]);
        let flag = option("a", OptionKind::Flag, "false", &[]);
        assert_eq!(
            refusal(&[text, flag]),
            "option `a` is declared twice: the options of a scenario must have different names"
        );
        for (option, words) in [
            (
                option("size", OptionKind::Integer, "big", &[]),
                "option `size` must be a whole number, not `big`",
            ),
            (
                option("plan", OptionKind::Text, "gold", &["free"]),
                "option `plan` must be one of free, not `gold`",
            ),
            (
                option("ratio", OptionKind::Number, "1", &["1", "inf"]),
                "option `ratio` must be a number, not `inf`",
            ),
        ] {
            let message = refusal(&[option]);
            assert!(
                message.starts_with("the scenario declares a default or choice that cannot be: "),
                "{message}"
            );
            assert!(message.ends_with(words), "{message}: {words}");
        }
        let long = "x".repeat(MAX_OPTION_VALUE_BYTES + 1);
        let message = refusal(&[option("a", OptionKind::Text, &long, &[])]);
        assert!(message.ends_with("the maximum is 65536"), "{message}");
    }

    #[test]
    fn a_secret_default_is_not_in_the_message() {
        let message = refusal(&[OptionInfo {
            secret: true,
            ..option("pin", OptionKind::Integer, "s3cret", &[])
        }]);
        assert!(!message.contains("s3cret"), "{message}");
    }
}
