//! What becomes of a run that loses an agent or a worker.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What becomes of a run that loses an agent or a worker while its load is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum OnLostAgent {
    /// It fails, and the others stop.
    #[default]
    Fail,
    /// It goes on with the others. Users of what was lost are not moved.
    Continue,
}

/// Neither of the two; follows the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `fail` or `continue`")]
pub struct OnLostAgentError;

impl OnLostAgent {
    /// How each is written.
    pub const WORDS: &[&str] = &["fail", "continue"];

    /// Whether it says nothing new.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a run goes on.
    pub fn continues(self) -> bool {
        self == Self::Continue
    }
}

impl FromStr for OnLostAgent {
    type Err = OnLostAgentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "fail" => Ok(Self::Fail),
            "continue" => Ok(Self::Continue),
            _ => Err(OnLostAgentError),
        }
    }
}

impl fmt::Display for OnLostAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Continue => "continue",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for word in OnLostAgent::WORDS {
            let read: OnLostAgent = word.parse().unwrap();
            assert_eq!(read.to_string(), *word);
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{word}\""));
        }
        assert_eq!("Fail".parse::<OnLostAgent>(), Err(OnLostAgentError));
        assert!(!OnLostAgent::default().continues());
    }
}
