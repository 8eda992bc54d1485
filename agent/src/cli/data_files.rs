//! The data files of a scenario, as they are on this machine: below the directory that the program was started in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greylag_infra::{
    DataFile, DataFilesError, DataPath, DataPathError, FileHash, MAX_DATA_FILE_BYTES,
    MAX_DATA_FILES, check_data_files,
};
use greylag_scenarios::MAX_DATA_BYTES;
use tokio::task::spawn_blocking;

// Whatever a scenario may read may be sent along.
const _: () = assert!(MAX_DATA_BYTES <= MAX_DATA_FILE_BYTES);

/// A data file that is sent along.
#[derive(Debug, Clone)]
pub(super) struct LocalData {
    pub(super) file: DataFile,
    pub(super) content: Arc<File>,
}

/// Why data files cannot be used, or not be sent along.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalDataError {
    #[error(transparent)]
    Name(#[from] DataPathError),
    #[error(transparent)]
    Together(#[from] DataFilesError),
    #[error("data file `{name}` cannot be read in {}: {source}", directory.display())]
    Read {
        name: String,
        directory: PathBuf,
        source: io::Error,
    },
    #[error(
        "data file `{name}` is a link to {}, outside of the directory in which the program is started, so it cannot be sent to agents; put the file itself there", target.display()
    )]
    LinkOutside { name: String, target: PathBuf },
}

/// Opens a data file by its name.
fn open(directory: &Path, name: &str) -> Result<File, LocalDataError> {
    let opened = File::open(directory.join(name));
    let opened = opened.and_then(|file| match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    });
    opened.map_err(|source| unreadable(directory, name, source))
}

fn unreadable(directory: &Path, name: &str, source: io::Error) -> LocalDataError {
    LocalDataError::Read {
        name: name.to_owned(),
        directory: directory.to_owned(),
        source,
    }
}

fn here() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Checks that the data files of a test that runs here can be opened.
///
/// # Errors
/// The first that cannot.
pub(super) fn check_readable(names: &[&str]) -> Result<(), LocalDataError> {
    let here = here();
    names
        .iter()
        .try_for_each(|name| open(&here, name).map(drop))
}

/// The data files of these names, to be sent along.
///
/// # Errors
/// One is not a file below this directory, or there is too much of them.
pub(super) async fn read_all(names: Vec<&'static str>) -> Result<Vec<LocalData>, LocalDataError> {
    let read = spawn_blocking(move || read_below(&here(), &names)).await;
    read.unwrap_or_else(|panic| {
        let source = io::Error::other(panic);
        Err(unreadable(&here(), "", source))
    })
}

fn read_below(directory: &Path, names: &[&str]) -> Result<Vec<LocalData>, LocalDataError> {
    let mut all: Vec<LocalData> = Vec::new();
    for name in names {
        let path: DataPath = name.parse()?;
        // Several may read the same file, under names that mean the same.
        if all.iter().any(|read| read.file.path == path) {
            continue;
        }
        if all.len() == MAX_DATA_FILES {
            return Err(DataFilesError::TooMany(names.len()).into());
        }
        let content = open(directory, name)?;
        let failed = |source| unreadable(directory, name, source);
        let target = fs::canonicalize(directory.join(name)).map_err(failed)?;
        if !target.starts_with(fs::canonicalize(directory).map_err(failed)?) {
            return Err(LocalDataError::LinkOutside {
                name: (*name).to_owned(),
                target,
            });
        }
        let size = content.metadata().map_err(failed)?.len();
        if size > MAX_DATA_FILE_BYTES {
            return Err(DataFilesError::TooLarge { path, size }.into());
        }
        let sha256 = FileHash::of(&content).map_err(failed)?;
        let file = DataFile { path, sha256, size };
        all.push(LocalData {
            file,
            content: Arc::new(content),
        });
    }
    let files: Vec<DataFile> = all.iter().map(|read| read.file.clone()).collect();
    check_data_files(&files)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_below_the_directory_are_sent_along() {
        let outside = tempfile::tempdir().unwrap();
        let directory = outside.path().join("crate");
        fs::create_dir_all(directory.join("data")).unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        fs::write(directory.join("data").join("a.csv"), "rows").unwrap();
        symlink("data/a.csv", directory.join("within.csv")).unwrap();
        symlink("../secret", directory.join("out.csv")).unwrap();
        symlink("..", directory.join("up")).unwrap();
        let read = |names: &[&str]| read_below(&directory, names);

        let names = ["data/a.csv", "./data//a.csv", "within.csv"];
        let read_names = read(&names).unwrap();
        let paths = read_names.iter().map(|read| read.file.path.as_str());
        assert!(paths.eq(["data/a.csv", "within.csv"]));
        let DataFile { sha256, size, .. } = &read_names[0].file;
        assert_eq!((sha256, *size), (&FileHash::of(&b"rows"[..]).unwrap(), 4));

        let secret = outside.path().join("secret");
        let absolute = secret.to_str().unwrap();
        for (name, words) in [
            (absolute, "named by an absolute path"),
            ("../secret", "outside of the directory"),
            ("data/../../secret", "outside of the directory"),
            ("out.csv", "is a link to"),
            ("up/secret", "is a link to"),
            ("gone.csv", "data file `gone.csv` cannot be read in"),
            ("data", "cannot be read in"),
        ] {
            let refused = read(&[name]).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
        let huge = File::create(directory.join("huge.csv")).unwrap();
        huge.set_len(MAX_DATA_FILE_BYTES + 1).unwrap();
        let refused = read(&["huge.csv"]).unwrap_err().to_string();
        assert!(refused.contains("the maximum is"), "{refused}");
    }
}
