//! What runs and agents are identified by.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cut;

/// Bytes of an identifier that a message repeats.
const MAX_SHOWN_BYTES: usize = 60;

/// Makes a type of an identifier that is written as a text. It is a text only when asked for one, so that two kinds are not mixed up.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// It as a text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

identifier! {
    /// Identifies a run, for ever and over all coordinators: 12 letters and digits.
    RunId
}

impl RunId {
    /// One from outside, short enough for a message.
    #[must_use]
    pub fn shortened(&self) -> Self {
        Self(cut(&self.0, MAX_SHOWN_BYTES).into_owned())
    }
}

identifier! {
    /// Identifies an agent process: the hash of its secret in hexadecimal.
    AgentId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_bare_text_in_json() {
        let id: RunId = serde_json::from_str("\"k3v9\"").unwrap();
        assert_eq!(id, RunId::from("k3v9"));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"k3v9\"");
    }

    #[test]
    fn a_message_repeats_only_a_part_of_a_long_id() {
        let short = RunId::from("k3v9x0000000");
        assert_eq!(short.shortened(), short);
        let long = RunId::from("é".repeat(1_000));
        assert!(long.shortened().as_str().len() <= MAX_SHOWN_BYTES);
    }
}
