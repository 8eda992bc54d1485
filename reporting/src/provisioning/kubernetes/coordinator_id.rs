//! Which coordinator made an object: several may use one cluster, and each gives back only what is its own.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rand::Rng;

/// The file in the data directory.
const FILE: &str = "coordinator-id";
/// Letters and digits of an id: as long as two never meet by chance.
const LENGTH: usize = 16;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Identifies a coordinator by its data directory, over restarts: 16 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CoordinatorId(String);

impl CoordinatorId {
    /// That of this data directory, which gets one the first time. Only the process that has locked the directory may ask.
    ///
    /// # Errors
    /// The file cannot be read or written, or is not an id.
    pub(super) fn of(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(text.trim_end()).ok_or_else(|| {
                let message = format!("{} does not hold a coordinator's id", path.display());
                io::Error::new(ErrorKind::InvalidData, message)
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(data_dir, &path),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all: half an id would be another one.
    fn create(data_dir: &Path, path: &Path) -> io::Result<Self> {
        let id = Self::random();
        let unfinished = path.with_extension("new");
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{id}")?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(data_dir)?.sync_all()?;
        Ok(id)
    }

    fn random() -> Self {
        let mut random = rand::rng();
        let letters =
            (0..LENGTH).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
        Self(letters.collect())
    }

    fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_id.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for CoordinatorId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_keeps_its_id() {
        let directory = tempfile::tempdir().unwrap();
        let id = CoordinatorId::of(directory.path()).unwrap();
        assert_eq!(CoordinatorId::of(directory.path()).unwrap(), id);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(CoordinatorId::of(other.path()).unwrap(), id);
    }

    #[test]
    fn half_an_id_is_not_taken_for_another() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "k3v9", "K3V9K3V9K3V9K3V9", "k3v9k3v9k3v9k3v9k"] {
            fs::write(directory.path().join(FILE), text).unwrap();
            let refused = CoordinatorId::of(directory.path()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidData, "{text:?}");
        }
    }
}
