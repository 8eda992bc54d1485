//! The name of a file by its content.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// Digits that are shown to people.
const SHOWN_DIGITS: usize = 12;
/// How much of a file is in memory at a time.
const READ_BYTES: usize = 256 * 1024;

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
    /// That of a file, which is read to its end. May block.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(mut content: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let digits = hasher.finalize();
        Ok(Self(
            digits.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

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
    fn hashes_are_those_of_sha256sum() {
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(FileHash::of(&b"abc"[..]).unwrap().as_str(), of_abc);
        let large = vec![b'a'; 2 * READ_BYTES + 1];
        let parts = (&large[..READ_BYTES]).chain(&large[READ_BYTES..]);
        assert_eq!(FileHash::of(parts).unwrap(), FileHash::of(&*large).unwrap());
    }

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
