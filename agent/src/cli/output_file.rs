//! A file that a command writes: it has all of something or is not touched.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::replaced_file::ReplacedFile;
use crate::cli::failure::Failure;

/// Standard output, where a command can write to it.
pub(crate) const STDOUT: &str = "-";

/// A file that will be written, or replaced.
#[derive(Debug)]
pub(crate) struct OutputFile {
    /// What goes into it, for messages: `the summary`.
    what: &'static str,
    file: ReplacedFile,
}

impl OutputFile {
    /// Checks, before anything is started, that the file can be written.
    ///
    /// # Errors
    /// It cannot, or it is not a file.
    pub(crate) fn new(what: &'static str, path: PathBuf) -> Result<Self, Failure> {
        if path == Path::new(STDOUT) {
            return Err(Failure::bad_input(format!(
                "{what} cannot be written to {STDOUT}, because standard output has the results as text; give a file"
            )));
        }
        let file = Self {
            what,
            file: ReplacedFile::at(path),
        };
        match file.file.check() {
            Ok(()) => Ok(file),
            Err(error) => Err(Failure::bad_input(file.cannot_write(&error))),
        }
    }

    /// Whether both are one file, of which only what is written last would stay.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.file.is_same(&other.file)
    }

    /// A file that is filled first.
    ///
    /// # Errors
    /// It can no longer be written.
    pub(crate) fn begin(&self) -> Result<NamedTempFile, Failure> {
        self.file.begin().map_err(|error| self.failed(&error))
    }

    /// Puts what was filled in its place.
    ///
    /// # Errors
    /// It can no longer be written.
    pub(crate) fn finish(&self, filled: NamedTempFile) -> Result<(), Failure> {
        let synced = filled.as_file().sync_all();
        let finished = synced.and_then(|()| self.file.finish(filled));
        finished.map_err(|error| self.failed(&error))
    }

    /// What goes into it, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// That it cannot be written, though it could when it was named: what it is of was started, so this is not bad input.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::failed(self.cannot_write(error))
    }

    fn cannot_write(&self, error: &io::Error) -> String {
        let path = self.path().display();
        format!("{} cannot be written to {path}: {error}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("summary.json");
        std::fs::write(&path, "old").unwrap();
        let file = OutputFile::new("the summary", path.clone()).unwrap();
        let mut filled = file.begin().unwrap();
        filled.write_all(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        file.finish(filled).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let file = OutputFile::new("the summary", "/dev/null".into()).unwrap();
        let mut filled = file.begin().unwrap();
        filled.write_all(b"new").unwrap();
        file.finish(filled).unwrap();
        let null = std::fs::metadata("/dev/null").unwrap();
        assert!(null.file_type().is_char_device());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_before_and_a_failure_later() {
        let code = |failure: Failure| format!("{:?}", failure.report());
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("no/such/file"),
            STDOUT.into(),
        ] {
            let failure = OutputFile::new("the summary", path).unwrap_err();
            assert_eq!(code(failure), code(Failure::bad_input("")));
        }
        let full = OutputFile::new("the summary", "/dev/full".into()).unwrap();
        let mut filled = full.begin().unwrap();
        filled.write_all(b"new").unwrap();
        let removed = directory.path().join("removed");
        std::fs::create_dir(&removed).unwrap();
        let gone = OutputFile::new("the summary", removed.join("file")).unwrap();
        std::fs::remove_dir(removed).unwrap();
        for failure in [full.finish(filled).unwrap_err(), gone.begin().unwrap_err()] {
            assert_eq!(code(failure), code(Failure::failed("")));
        }
    }
}
