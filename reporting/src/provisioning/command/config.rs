//! What the configuration file says of the commands.

use std::fmt;
use std::time::Duration;

use greylag_infra::format_duration;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::provisioning::ConfigDuration;

/// Most words of a command.
const MAX_WORDS: usize = 100;
/// Longest word, in bytes: a small script fits.
const MAX_WORD_BYTES: usize = 16 * 1024;
/// How long a command may take unless the file says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
/// How long it may take at most.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The settings of kind `command`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// Starts agents.
    pub(super) up: CommandWords,
    /// Ends them, also those that were started in part, and succeeds if there are none.
    pub(super) down: CommandWords,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub(super) up_timeout: Duration,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub(super) down_timeout: Duration,
}

fn default_timeout() -> Duration {
    DEFAULT_TIMEOUT
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let ConfigDuration(timeout) = ConfigDuration::deserialize(deserializer)?;
    let is_valid = !timeout.is_zero() && timeout <= LONGEST_TIMEOUT;
    is_valid.then_some(timeout).ok_or_else(|| {
        D::Error::custom(format!(
            "a timeout must be above 0 and at most {}",
            format_duration(LONGEST_TIMEOUT)
        ))
    })
}

/// A program and its arguments; no shell reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandWords {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

impl<'de> Deserialize<'de> for CommandWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = CommandWords;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of a program and its arguments, such as [\"./up.sh\", \"lab\"]")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<CommandWords, E> {
        let shown: String = text.chars().take(60).collect();
        Err(E::custom(format!(
            "a command is a list of a program and its arguments; for a shell write [\"sh\", \"-c\", {shown:?}]"
        )))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<CommandWords, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = elements.next_element::<String>()? {
            if word.len() > MAX_WORD_BYTES || word.contains('\0') || words.len() == MAX_WORDS {
                return Err(A::Error::custom(format!(
                    "a command has at most {MAX_WORDS} words of at most {MAX_WORD_BYTES} bytes each, without NUL"
                )));
            }
            words.push(word);
        }
        if words.first().is_none_or(String::is_empty) {
            return Err(A::Error::custom("a command begins with a program"));
        }
        let program = words.remove(0);
        Ok(CommandWords {
            program,
            arguments: words,
        })
    }
}
