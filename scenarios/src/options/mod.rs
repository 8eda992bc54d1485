//! Options that a scenario declares: `Scenario::option(CustomOption::text("api-key"))`, and what a run was
//! given for them: `run.options().text("api-key")?`.

use std::collections::BTreeMap;
use std::fmt;

/// An option that a scenario declares.
///
/// It appears in `run --help`, in a test file's `[options]`, in the start form and in
/// [`Run::options`](crate::Run::options). Its name consists of lower-case letters, digits and dashes and
/// begins with a letter; that, its default and its choices are checked before load starts.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomOption {
    /// Its name, as on the command line without the dashes.
    pub name: String,
    /// What its values are.
    pub kind: CustomOptionKind,
    /// Its value, as text, unless another is given: empty, `0` or `false` if not set.
    pub default: String,
    /// A short description for people; may be empty.
    pub help: String,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// The values there are, as texts; empty when every value of the kind is allowed.
    pub choices: Vec<String>,
}

/// What an option's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomOptionKind {
    /// Any text.
    Text,
    /// A whole number, 64 bits with sign.
    Integer,
    /// A finite number.
    Number,
    /// `true` or `false`.
    Flag,
}

impl fmt::Display for CustomOptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Flag => "true or false",
        })
    }
}

/// Shows everything but a secret default.
impl fmt::Debug for CustomOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomOption")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("default", &self.shown(&self.default))
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

impl CustomOption {
    fn new(name: impl Into<String>, kind: CustomOptionKind, default: &str) -> Self {
        Self {
            name: name.into(),
            kind,
            default: default.to_owned(),
            help: String::new(),
            secret: false,
            choices: Vec::new(),
        }
    }

    /// An option whose values are texts.
    pub fn text(name: impl Into<String>) -> Self {
        Self::new(name, CustomOptionKind::Text, "")
    }

    /// An option whose values are whole numbers.
    pub fn integer(name: impl Into<String>) -> Self {
        Self::new(name, CustomOptionKind::Integer, "0")
    }

    /// An option whose values are numbers.
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, CustomOptionKind::Number, "0")
    }

    /// An option that is `true` or `false`.
    pub fn flag(name: impl Into<String>) -> Self {
        Self::new(name, CustomOptionKind::Flag, "false")
    }

    /// The value unless another is given.
    pub fn default(mut self, value: impl ToString) -> Self {
        self.default = value.to_string();
        self
    }

    /// Says briefly what the option is for.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The value is never shown: not on the page, in the API, in a summary or a log.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Only these values are allowed. If no default was set, the first is the default.
    pub fn choices<T: ToString>(mut self, choices: impl IntoIterator<Item = T>) -> Self {
        self.choices = choices
            .into_iter()
            .map(|choice| choice.to_string())
            .collect();
        if !self.choices.contains(&self.default) && self.default == self.kind.nothing() {
            self.default = self.choices.first().cloned().unwrap_or_default();
        }
        self
    }
}

/// What a run was given for the options of its scenario: `run.options()`.
#[derive(Clone, Default)]
pub struct Options(BTreeMap<String, Given>);

#[derive(Clone)]
struct Given {
    option: CustomOption,
    text: String,
}

impl Options {
    /// The declared options, each with what was given for it or else its default.
    pub(crate) fn new(declared: &[CustomOption], given: &BTreeMap<String, String>) -> Self {
        let value = |option: &CustomOption| Given {
            text: given.get(&option.name).unwrap_or(&option.default).clone(),
            option: option.clone(),
        };
        Self(
            declared
                .iter()
                .map(|option| (option.name.clone(), value(option)))
                .collect(),
        )
    }

    /// The value of an option declared with [`CustomOption::text`].
    ///
    /// # Errors
    /// When the scenario declares no such option, or not as a text.
    pub fn text(&self, name: &str) -> Result<&str, OptionError> {
        Ok(&self.find(name, CustomOptionKind::Text)?.text)
    }

    /// The value of an option declared with [`CustomOption::integer`].
    ///
    /// # Errors
    /// When the scenario declares no such option, or not as a whole number.
    pub fn integer(&self, name: &str) -> Result<i64, OptionError> {
        let given = self.find(name, CustomOptionKind::Integer)?;
        given
            .text
            .parse()
            .map_err(|_| given.option.wrong(&given.text))
    }

    /// The value of an option declared with [`CustomOption::number`].
    ///
    /// # Errors
    /// When the scenario declares no such option, or not as a number.
    pub fn number(&self, name: &str) -> Result<f64, OptionError> {
        let given = self.find(name, CustomOptionKind::Number)?;
        given
            .text
            .parse()
            .map_err(|_| given.option.wrong(&given.text))
    }

    /// The value of an option declared with [`CustomOption::flag`].
    ///
    /// # Errors
    /// When the scenario declares no such option, or not as a flag.
    pub fn flag(&self, name: &str) -> Result<bool, OptionError> {
        let given = self.find(name, CustomOptionKind::Flag)?;
        given
            .text
            .parse()
            .map_err(|_| given.option.wrong(&given.text))
    }

    fn find(&self, name: &str, asked: CustomOptionKind) -> Result<&Given, OptionError> {
        let given = self.0.get(name).ok_or_else(|| OptionError::Unknown {
            name: name.to_owned(),
            known: self.0.keys().cloned().collect(),
        })?;
        if given.option.kind == asked {
            Ok(given)
        } else {
            Err(OptionError::OtherKind {
                name: name.to_owned(),
                declared: given.option.kind,
                asked,
            })
        }
    }
}

/// Shows the values, but not those of secret options.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, given)| {
            let value = if given.option.secret {
                HIDDEN
            } else {
                &given.text
            };
            (name, value)
        });
        f.debug_map().entries(shown).finish()
    }
}

/// What is shown in place of a secret value.
const HIDDEN: &str = "***";

/// Why an option cannot be read. Values of secret options are never in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// The scenario does not declare it.
    #[error("the scenario has no option `{name}`: it declares {}", list(known))]
    Unknown {
        /// What was asked for.
        name: String,
        /// All that there are.
        known: Vec<String>,
    },
    /// The text is not a valid value of the option's kind.
    #[error("option `{name}` must be {kind}, not `{given}`")]
    Kind {
        /// The option's name.
        name: String,
        /// What its values are.
        kind: CustomOptionKind,
        /// What was given; masked when the option is secret.
        given: String,
    },
    /// The scenario's code asks for another kind than it declared.
    #[error("option `{name}` is declared as {declared}, but read as {asked}")]
    OtherKind {
        /// The option's name.
        name: String,
        /// As declared.
        declared: CustomOptionKind,
        /// As read.
        asked: CustomOptionKind,
    },
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.join(", ")
}

impl CustomOptionKind {
    /// The default of an option that sets none.
    fn nothing(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Integer | Self::Number => "0",
            Self::Flag => "false",
        }
    }
}

impl CustomOption {
    fn shown(&self, text: &str) -> String {
        if self.secret { HIDDEN } else { text }.to_owned()
    }

    fn wrong(&self, text: &str) -> OptionError {
        OptionError::Kind {
            name: self.name.clone(),
            kind: self.kind,
            given: self.shown(text),
        }
    }
}

#[cfg(test)]
mod tests;
