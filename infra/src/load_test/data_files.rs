//! Data files that travel with a shipped build: its scenario finds them under the names that it reads them by.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::FileHash;

/// Most data files of a run.
pub const MAX_DATA_FILES: usize = 100;
/// Largest data file, in bytes.
pub const MAX_DATA_FILE_BYTES: u64 = 256 << 20;
/// Most bytes of all data files of a run: agents have them twice while it runs.
pub const MAX_DATA_BYTES: u64 = 1 << 30;
/// Longest name of a data file, in bytes.
const MAX_PATH_BYTES: usize = 255;

/// A data file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DataFile {
    /// Where it is below the directory that the program is started in.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub path: DataPath,
    /// SHA-256 of its content.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub sha256: FileHash,
    /// Its size in bytes.
    pub size: u64,
}

/// A path below a directory, in its shortest form: names between slashes, none of them `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DataPath(String);

/// Why a data file cannot be sent along under this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DataPathError {
    #[error("a data file has an empty name")]
    Empty,
    #[error(
        "data file `{0}` is named by an absolute path, so it cannot be sent to agents; name it relative to the directory in which the program is started"
    )]
    Absolute(String),
    #[error(
        "data file `{0}` is outside of the directory in which the program is started, so it cannot be sent to agents; put it below that directory"
    )]
    Outside(String),
    #[error("the name of data file `{0}` is longer than {MAX_PATH_BYTES} bytes")]
    TooLong(String),
    #[error("the name of data file `{0}` contains control characters")]
    Control(String),
}

/// Why data files cannot be sent along together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DataFilesError {
    #[error("there are {0} data files; the maximum is {MAX_DATA_FILES}")]
    TooMany(usize),
    #[error("data file `{path}` has {size} bytes; the maximum is {MAX_DATA_FILE_BYTES}")]
    TooLarge { path: DataPath, size: u64 },
    #[error("the data files have {0} bytes together; the maximum is {MAX_DATA_BYTES}")]
    TooLargeTogether(u64),
    #[error("data file `{0}` is listed twice")]
    Twice(DataPath),
    #[error("`{0}` is a data file and the directory of another one")]
    FileAndDirectory(DataPath),
}

impl DataPath {
    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DataPath {
    type Err = DataPathError;

    fn from_str(text: &str) -> Result<Self, DataPathError> {
        let shown = || text.chars().take(MAX_PATH_BYTES).collect::<String>();
        if text.len() > MAX_PATH_BYTES {
            return Err(DataPathError::TooLong(shown()));
        }
        if text.chars().any(char::is_control) {
            let shown = shown().escape_debug().to_string();
            return Err(DataPathError::Control(shown));
        }
        let mut names = Vec::new();
        for component in Path::new(text).components() {
            match component {
                Component::Normal(name) => names.extend(name.to_str()),
                Component::CurDir => {}
                Component::ParentDir => return Err(DataPathError::Outside(shown())),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(DataPathError::Absolute(shown()));
                }
            }
        }
        match names.is_empty() {
            true => Err(DataPathError::Empty),
            false => Ok(Self(names.join("/"))),
        }
    }
}

impl TryFrom<String> for DataPath {
    type Error = DataPathError;

    fn try_from(text: String) -> Result<Self, DataPathError> {
        text.parse()
    }
}

impl From<DataPath> for String {
    fn from(path: DataPath) -> Self {
        path.0
    }
}

impl AsRef<Path> for DataPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Checks that files can be in one directory, and that they are not too many or too large.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_data_files(files: &[DataFile]) -> Result<(), DataFilesError> {
    if files.len() > MAX_DATA_FILES {
        return Err(DataFilesError::TooMany(files.len()));
    }
    let mut bytes: u64 = 0;
    let mut paths = BTreeSet::new();
    for file in files {
        if file.size > MAX_DATA_FILE_BYTES {
            return Err(DataFilesError::TooLarge {
                path: file.path.clone(),
                size: file.size,
            });
        }
        bytes += file.size;
        if !paths.insert(file.path.as_str()) {
            return Err(DataFilesError::Twice(file.path.clone()));
        }
    }
    if bytes > MAX_DATA_BYTES {
        return Err(DataFilesError::TooLargeTogether(bytes));
    }
    for file in files {
        let directories = Path::new(file.path.as_str()).ancestors().skip(1);
        for directory in directories.filter_map(Path::to_str) {
            if paths.contains(directory) {
                return Err(DataFilesError::FileAndDirectory(DataPath(directory.into())));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Result<String, DataPathError> {
        text.parse().map(DataPath::into)
    }

    #[test]
    fn paths_stay_below_their_directory() {
        for (text, shortest) in [
            ("a.csv", "a.csv"),
            ("./data//a.csv", "data/a.csv"),
            ("data/./b/", "data/b"),
            ("..a/b..", "..a/b.."),
            ("a b/ü.csv", "a b/ü.csv"),
        ] {
            assert_eq!(path(text).as_deref(), Ok(shortest));
        }
        let outside = |text: &str| DataPathError::Outside(text.into());
        for text in ["..", "../a", "a/../../b", "a/..", "./.."] {
            assert_eq!(path(text), Err(outside(text)));
        }
        for text in ["/", "/etc/passwd", "//a"] {
            assert_eq!(path(text), Err(DataPathError::Absolute(text.into())));
        }
        for text in ["", ".", "./", "././/"] {
            assert_eq!(path(text), Err(DataPathError::Empty));
        }
        assert!(path("a\0b").is_err() && path("a\nb").is_err() && path(&"a".repeat(256)).is_err());
        assert!(serde_json::from_str::<DataPath>("\"../a\"").is_err());
    }

    fn file(path: &str, size: u64) -> DataFile {
        DataFile {
            path: path.parse().expect("a path"),
            sha256: "a".repeat(64).parse().expect("digits"),
            size,
        }
    }

    #[test]
    fn what_does_not_fit_into_a_directory_is_refused() {
        let check = |files: &[DataFile]| {
            let checked = check_data_files(files);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(
            check(&[file("a", 1), file("b/a", 1), file("b/c", 0)]),
            Ok(())
        );
        for (files, words) in [
            (
                vec![file("a/b", 1), file("./a//b", 1)],
                "`a/b` is listed twice",
            ),
            (
                vec![file("a", 1), file("a/b/c", 1)],
                "`a` is a data file and",
            ),
            (
                vec![file("a/b/c", 1), file("a/b", 1)],
                "`a/b` is a data file and",
            ),
            (
                vec![file("a", MAX_DATA_FILE_BYTES + 1)],
                "the maximum is 268435456",
            ),
            (vec![file("a", u64::MAX), file("b", u64::MAX)], "`a` has"),
        ] {
            let refused = check(&files).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        let many = |count: usize, size| -> Vec<DataFile> {
            (0..count).map(|n| file(&n.to_string(), size)).collect()
        };
        assert_eq!(check(&many(MAX_DATA_FILES, 1)), Ok(()));
        assert!(check(&many(MAX_DATA_FILES + 1, 1)).is_err());
        assert!(check(&many(5, MAX_DATA_FILE_BYTES)).is_err());
    }

    proptest! {
        /// Whatever a name is made of, what is taken is below the directory and means the same when it is read again.
        #[test]
        fn what_is_taken_is_below(names in prop::collection::vec("[.]{0,3}[a-z/]{0,3}", 0..6)) {
            if let Ok(taken) = names.join("/").parse::<DataPath>() {
                let mut components = Path::new(taken.as_str()).components();
                prop_assert!(components.all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(taken.as_str().parse::<DataPath>(), Ok(taken.clone()));
            }
        }
    }
}
