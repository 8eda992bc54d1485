//! How an agent process proves on each connection that it is the one that a coordinator knows.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::AgentId;

/// Shortest secret, in bytes.
const MIN_BYTES: usize = 16;
/// Longest secret, in bytes.
const MAX_BYTES: usize = 100;

/// A random text that an agent process makes at its start and sends in each hello. Coordinators identify the
/// agent by the text's hash and keep nothing else of it, so whoever reads its identity on a page, in a log or in the
/// database cannot take its place.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentSecret(String);

impl AgentSecret {
    /// Takes a text as the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is long enough not to be guessed, and not too long.
    pub fn is_valid(&self) -> bool {
        (MIN_BYTES..=MAX_BYTES).contains(&self.0.len())
    }

    /// The agent's identity: the hash of the secret in hexadecimal. Looking it up takes no care about time, because
    /// who does not know the secret cannot choose the hash.
    pub fn agent_id(&self) -> AgentId {
        use fmt::Write;
        let hash = Sha256::digest(self.0.as_bytes());
        let text = hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        });
        text.into()
    }
}

/// Never shows the secret, so that it cannot get into a log.
impl fmt::Debug for AgentSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AgentSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_of_one_secret_and_does_not_show_it() {
        let secret = AgentSecret::new("0123456789abcdef");
        let id = secret.agent_id();
        assert_eq!(
            id,
            "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
        );
        assert_ne!(AgentSecret::new("0123456789abcdeg").agent_id(), id);
        assert_ne!(AgentSecret::new(id.as_str()).agent_id(), id);
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn a_secret_is_neither_short_nor_long() {
        for (bytes, valid) in [
            (0, false),
            (15, false),
            (16, true),
            (100, true),
            (101, false),
        ] {
            assert_eq!(
                AgentSecret::new("x".repeat(bytes)).is_valid(),
                valid,
                "{bytes}"
            );
        }
    }
}
