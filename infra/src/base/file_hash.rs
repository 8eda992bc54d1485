//! The name of a file by its content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// Digits that are shown to people.
const SHOWN_DIGITS: usize = 12;

/// The SHA-256 of a file, in 64 lower-case hexadecimal digits: nothing else, so that it can be a file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
pub struct FileHash(String);

/// The text is not the SHA-256 of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid SHA-256; write its 64 hexadecimal digits")]
pub struct FileHashError(String);

impl FileHash {
    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..SHOWN_DIGITS]
    }
}

impl FromStr for FileHash {
    type Err = FileHashError;

    fn from_str(text: &str) -> Result<Self, FileHashError> {
        let is_hash = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let shown = text.chars().take(DIGITS).collect();
            Err(FileHashError(shown))
        }
    }
}

impl TryFrom<String> for FileHash {
    type Error = FileHashError;

    fn try_from(text: String) -> Result<Self, FileHashError> {
        text.parse()
    }
}

impl From<FileHash> for String {
    fn from(hash: FileHash) -> Self {
        hash.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_digits_are_a_hash() {
        let hash: FileHash = "0123456789ABCDEF".repeat(4).parse().unwrap();
        assert_eq!(hash.as_str(), "0123456789abcdef".repeat(4));
        assert_eq!(hash.short(), "0123456789ab");
        for wrong in [
            "",
            "../../etc/passwd",
            "0123",
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert!(wrong.parse::<FileHash>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<FileHash>("\"..\"").is_err());
    }
}
