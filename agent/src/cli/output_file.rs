//! A file that a command writes: it has all of something or is not touched.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cli::failure::Failure;

/// A file that will be written, or replaced.
#[derive(Debug)]
pub(crate) struct OutputFile {
    /// What goes into it, for messages: `the summary`.
    what: &'static str,
    path: PathBuf,
}

impl OutputFile {
    /// Checks, before anything is started, that the file can be written.
    pub(crate) fn new(what: &'static str, path: PathBuf) -> Result<Self, Failure> {
        // What a link leads to is written, not the link.
        let path = path.canonicalize().unwrap_or(path);
        let file = Self { what, path };
        file.begin().map(|_| file)
    }

    /// Whether it is a device or a pipe: that is written, not replaced.
    fn is_special(&self) -> bool {
        let metadata = std::fs::metadata(&self.path);
        metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    }

    /// A file beside it that is filled first, readable by whoever may read files made here.
    pub(crate) fn begin(&self) -> Result<NamedTempFile, Failure> {
        if self.path.is_dir() {
            return Err(self.cannot_write(&io::ErrorKind::IsADirectory.into()));
        }
        let elsewhere = std::env::temp_dir();
        let directory = match self.path.parent() {
            _ if self.is_special() => &elsewhere,
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        tempfile::Builder::new()
            .prefix(".greylag-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(|error| self.cannot_write(&error))
    }

    /// Puts what was filled in its place.
    pub(crate) fn finish(&self, filled: NamedTempFile) -> Result<(), Failure> {
        if self.is_special() {
            let copied = File::open(filled.path()).and_then(|mut filled| {
                let mut device = File::options().write(true).open(&self.path)?;
                io::copy(&mut filled, &mut device)
            });
            return copied.map(drop).map_err(|error| self.cannot_write(&error));
        }
        let synced = filled.as_file().sync_all();
        synced.map_err(|error| self.cannot_write(&error))?;
        let kept = filled.persist(&self.path);
        kept.map(drop)
            .map_err(|error| self.cannot_write(&error.error))
    }

    /// What goes into it, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// That it cannot be written, and why.
    pub(crate) fn cannot_write(&self, error: &io::Error) -> Failure {
        Failure::bad_input(format!(
            "{} cannot be written to {}: {error}",
            self.what,
            self.path.display()
        ))
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
    fn a_device_stays_one_and_a_link_leads_to_what_is_written() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let write = |path: PathBuf| {
            let file = OutputFile::new("the summary", path).unwrap();
            let mut filled = file.begin().unwrap();
            filled.write_all(b"new").unwrap();
            file.finish(filled).unwrap();
        };
        write("/dev/null".into());
        let null = std::fs::metadata("/dev/null").unwrap();
        assert!(null.file_type().is_char_device());
        let (link, meant) = (
            directory.path().join("link"),
            directory.path().join("meant"),
        );
        std::fs::write(&meant, "old").unwrap();
        symlink(&meant, &link).unwrap();
        write(link.clone());
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&meant).unwrap(), "new");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("no/such/file"),
        ] {
            assert!(OutputFile::new("the summary", path).is_err());
        }
    }
}
