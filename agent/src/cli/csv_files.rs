//! `--csv PREFIX`: the files Locust writes under this option, and beside them whether their numbers are complete, kept up
//! to date while a run goes on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::api_client::{ApiClient, ApiError};
use super::failure::Failure;

/// The files: what the coordinator calls them and how their names end.
const FILES: [(&str, &str); 4] = [
    ("csv/stats", "_stats.csv"),
    ("csv/failures", "_failures.csv"),
    ("csv/exceptions", "_exceptions.csv"),
    ("completeness", "_completeness.json"),
];
const HISTORY: (&str, &str) = ("csv/stats_history", "_stats_history.csv");
/// How often files are written while the run goes on, as Locust does.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// The history grows with the run: writing it takes at most this part of the time of a run.
const HISTORY_SHARE: u32 = 10;
/// The history is written at most this often.
const HISTORY_EVERY: Duration = Duration::from_secs(5);

/// Why a file could not be written.
enum CsvError {
    /// There is nothing to write.
    Api(ApiError),
    /// There is nowhere to write it.
    Write(Failure),
}

impl From<CsvError> for Failure {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Api(error) => Failure::failed(error),
            CsvError::Write(failure) => failure,
        }
    }
}

/// The files of one run.
#[derive(Debug)]
pub(super) struct CsvFiles {
    prefix: PathBuf,
    full_history: bool,
    started: Instant,
    written: Option<Instant>,
    history_written: Option<Instant>,
}

impl CsvFiles {
    /// Makes the directory if it is not there and checks that files can be written, before anything is started.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn new(prefix: PathBuf, full_history: bool) -> Result<Self, Failure> {
        let files = Self {
            prefix,
            full_history,
            started: Instant::now(),
            written: None,
            history_written: None,
        };
        if files.prefix.file_name().is_none() {
            return Err(Failure::bad_input(
                "--csv needs the beginning of a file name, such as --csv results/checkout",
            ));
        }
        let directory = files.directory();
        std::fs::create_dir_all(directory)
            .and_then(|()| tempfile::tempfile_in(directory))
            .map_err(|error| files.cannot_write(&error))?;
        Ok(files)
    }

    /// Writes what is due, while the run goes on.
    ///
    /// # Errors
    /// The files cannot be written, or the coordinator refuses to give them.
    pub(super) async fn keep(&mut self, api: &ApiClient, run_id: &str) -> Result<(), Failure> {
        match self.write_due(api, run_id).await {
            Ok(()) => Ok(()),
            // The follower of the run tells that nobody answers, and waits.
            Err(CsvError::Api(ApiError::Unreachable { .. } | ApiError::Strange { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn write_due(&mut self, api: &ApiClient, run_id: &str) -> Result<(), CsvError> {
        if self.written.is_some_and(|at| at.elapsed() < WRITE_EVERY) {
            return Ok(());
        }
        self.written = Some(Instant::now());
        for (kind, ending) in FILES {
            self.fetch(api, run_id, kind, ending).await?;
        }
        let pause = HISTORY_EVERY.max(self.started.elapsed() / HISTORY_SHARE);
        if self.history_written.is_none_or(|at| at.elapsed() >= pause) {
            self.history_written = Some(Instant::now());
            self.history(api, run_id).await?;
        }
        Ok(())
    }

    /// Writes everything, once the run has ended.
    ///
    /// # Errors
    /// The files cannot be written, or not all of them could be had.
    pub(super) async fn finish(&self, api: &ApiClient, run_id: &str) -> Result<(), Failure> {
        for (kind, ending) in FILES {
            self.fetch(api, run_id, kind, ending).await?;
        }
        Ok(self.history(api, run_id).await?)
    }

    async fn history(&self, api: &ApiClient, run_id: &str) -> Result<(), CsvError> {
        let (kind, ending) = HISTORY;
        if self.full_history {
            return self
                .fetch(api, run_id, &format!("{kind}?full=1"), ending)
                .await;
        }
        self.fetch(api, run_id, kind, ending).await
    }

    async fn fetch(
        &self,
        api: &ApiClient,
        run_id: &str,
        kind: &str,
        ending: &str,
    ) -> Result<(), CsvError> {
        let text = api.file(run_id, kind).await.map_err(CsvError::Api)?;
        self.write(ending, &text).map_err(CsvError::Write)
    }

    /// A reader sees the old file or the new one, never half of one.
    fn write(&self, ending: &str, text: &str) -> Result<(), Failure> {
        use std::os::unix::fs::PermissionsExt;
        let mut name = self.prefix.clone().into_os_string();
        name.push(ending);
        let written = tempfile::Builder::new()
            .prefix(".greylag-csv-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(self.directory())
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.persist(&name).map_err(|error| error.error)?;
                Ok(())
            });
        written.map_err(|error| self.cannot_write(&error))
    }

    fn directory(&self) -> &Path {
        match self.prefix.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    fn cannot_write(&self, error: &std::io::Error) -> Failure {
        Failure::bad_input(format!(
            "the CSV files {}_*.csv cannot be written: {error}",
            self.prefix.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_in_a_directory_that_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().join("new/run");
        let files = CsvFiles::new(prefix.clone(), false).unwrap();
        files.write("_stats.csv", "a,b\r\n").unwrap();
        files.write("_stats.csv", "c\r\n").unwrap();
        let written = directory.path().join("new/run_stats.csv");
        assert_eq!(std::fs::read_to_string(written).unwrap(), "c\r\n");
        let entries = std::fs::read_dir(directory.path().join("new")).unwrap();
        assert_eq!(entries.count(), 1);
    }

    #[tokio::test]
    async fn a_coordinator_that_is_away_is_waited_for_but_never_means_that_all_is_written() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let api = ApiClient::new(url.parse().unwrap(), None, None).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut files = CsvFiles::new(directory.path().join("run"), false).unwrap();
        assert!(files.keep(&api, "r").await.is_ok());
        assert!(files.finish(&api, "r").await.is_err());
    }

    #[test]
    fn a_prefix_that_cannot_be_used_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(CsvFiles::new(file.join("run"), false).is_err());
        assert!(CsvFiles::new(PathBuf::from("/"), false).is_err());
    }
}
