//! `--summary FILE`: a run's summary as JSON.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;

/// A file that the summary will be written to.
#[derive(Debug)]
pub(crate) struct SummaryFile {
    path: PathBuf,
}

impl SummaryFile {
    /// Checks, before anything is started, that the file can be written.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        let file = Self { path };
        file.temporary().map(|_| file)
    }

    /// Writes the summary. The file has all of it or is not touched.
    pub(crate) fn write(&self, summary: &impl serde::Serialize) -> Result<(), Failure> {
        let mut file = self.temporary()?;
        let written = serde_json::to_writer_pretty(&mut file, summary)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.as_file().sync_all());
        written.map_err(|error| self.cannot_write(&error))?;
        file.persist(&self.path)
            .map(drop)
            .map_err(|error| self.cannot_write(&error.error))
    }

    /// A file beside the one that is meant, readable by whoever may read files made here.
    fn temporary(&self) -> Result<tempfile::NamedTempFile, Failure> {
        use std::os::unix::fs::PermissionsExt;
        if self.path.is_dir() {
            return Err(self.cannot_write(&std::io::Error::other("it is a directory")));
        }
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        tempfile::Builder::new()
            .prefix(".greylag-summary-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &std::io::Error) -> Failure {
        Failure::bad_input(format!(
            "the summary cannot be written to {}: {error}",
            self.path.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_replaces_the_file_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("summary.json");
        std::fs::write(&path, "old").unwrap();
        let file = SummaryFile::new(path.clone()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        file.write(&serde_json::json!({ "a": 1 })).unwrap();
        let read: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read, serde_json::json!({ "a": 1 }));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(SummaryFile::new(directory.path().to_owned()).is_err());
        assert!(SummaryFile::new(directory.path().join("no/such/file")).is_err());
    }
}
