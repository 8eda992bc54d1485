//! `--summary FILE`: a run's summary as JSON.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::output_file::OutputFile;

/// A file that the summary will be written to.
#[derive(Debug)]
pub(crate) struct SummaryFile(OutputFile);

impl SummaryFile {
    /// Checks, before anything is started, that the file can be written.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        OutputFile::new("the summary", path).map(Self)
    }

    /// Which it is.
    pub(crate) fn file(&self) -> &OutputFile {
        &self.0
    }

    /// Writes the summary. The file has all of it or is not touched.
    pub(crate) fn write(&self, summary: &impl serde::Serialize) -> Result<(), Failure> {
        let mut file = self.0.begin()?;
        let written = serde_json::to_writer_pretty(&mut file, summary)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| self.0.failed(&error))?;
        self.0.finish(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_ends_with_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("summary.json");
        let file = SummaryFile::new(path.clone()).unwrap();
        file.write(&serde_json::json!({ "a": 1 })).unwrap();
        let read = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read, "{\n  \"a\": 1\n}\n");
    }
}
