//! `--csv PREFIX`: the files Locust writes under this option, and beside them whether their numbers are complete, kept up
//! to date while a run is active.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::download::Download;
use crate::cli::failure::Failure;
use crate::cli::output_file::STDOUT;
use crate::cli::replaced_file::ReplacedFile;
use greylag_infra::RunId;
use reqwest::StatusCode;

/// The small files: what the coordinator calls them and how their names end.
const FILES: [(&str, &str); 4] = [
    ("csv/stats", "_stats.csv"),
    ("csv/failures", "_failures.csv"),
    ("csv/exceptions", "_exceptions.csv"),
    ("completeness", "_completeness.json"),
];
/// The same of what the scenario counts beside its requests, which is only written where it does.
const CUSTOM_METRICS: (&str, &str) = ("csv/custom_metrics", "_custom_metrics.csv");
/// How the name of the history ends, which has a row for each second.
const HISTORY: &str = "_stats_history.csv";
/// How often the small files are written while the run is active, as Locust does.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often the history gets the seconds that came since.
const HISTORY_EVERY: Duration = Duration::from_secs(5);

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
enum CsvError {
    /// What is to be written did not come.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It cannot be written here.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// The files of one run.
#[derive(Debug)]
pub(crate) struct CsvFiles {
    prefix: PathBuf,
    full_history: bool,
    written: Option<Instant>,
    history_written: Option<Instant>,
    /// The second that the history has to get next; none before it has any.
    history_next: Option<u32>,
    /// Whether they could not be written at the last attempt, which has been said.
    fails: bool,
}

impl CsvFiles {
    /// Makes the directory if it does not exist and checks that files can be written, before anything is started. `option` is
    /// what the prefix was given with.
    ///
    /// # Errors
    /// They cannot.
    pub(crate) fn new(option: &str, prefix: PathBuf, full_history: bool) -> Result<Self, Failure> {
        let files = Self {
            prefix,
            full_history,
            written: None,
            history_written: None,
            history_next: None,
            fails: false,
        };
        if files.prefix.file_name().is_none() || files.prefix == Path::new(STDOUT) {
            return Err(Failure::bad_input(format!(
                "{option} needs a prefix for file names, such as {option} results/checkout"
            )));
        }
        let directory = files.directory();
        std::fs::create_dir_all(directory)
            .and_then(|()| tempfile::tempfile_in(directory))
            .map_err(|error| Failure::bad_input(files.cannot_write(&error)))?;
        Ok(files)
    }

    /// Writes what is due, while the run is active. Returns what is to be said: that they cannot be written, once, and
    /// that they can again. It does not end the run, whose results the coordinator keeps.
    pub(crate) async fn keep(&mut self, api: &ApiClient, run_id: &RunId) -> Option<String> {
        if self.written.is_some_and(|at| at.elapsed() < WRITE_EVERY) {
            return None;
        }
        let reason = match self.write_due(api, run_id).await {
            Ok(()) => {
                let failed = std::mem::take(&mut self.fails);
                return failed.then(|| "The CSV files can be written again.".to_owned());
            }
            // Whoever follows the run reports a coordinator that does not answer, and waits for it.
            Err(CsvError::Api(
                ApiError::Unreachable { .. }
                | ApiError::BrokenOff { .. }
                | ApiError::Strange { .. },
            )) => return None,
            Err(error) => self.cannot_write(&error),
        };
        let failed = std::mem::replace(&mut self.fails, true);
        (!failed)
            .then(|| format!("Warning: {reason}. The run continues; they are written at its end."))
    }

    async fn write_due(&mut self, api: &ApiClient, run_id: &RunId) -> Result<(), CsvError> {
        self.written = Some(Instant::now());
        for (kind, ending) in FILES {
            self.fetch(api, run_id, kind, ending).await?;
        }
        self.fetch_metrics(api, run_id).await?;
        let is_due = |at: Instant| at.elapsed() >= HISTORY_EVERY;
        if self.history_written.is_none_or(is_due) {
            self.history_written = Some(Instant::now());
            self.continue_history(api, run_id).await?;
        }
        Ok(())
    }

    /// Writes everything, once the run has ended: what can be had of it, whatever else cannot. `later` says how the files can be
    /// had after that.
    ///
    /// # Errors
    /// The files that could not be written or had, by their names.
    pub(crate) async fn finish(
        &self,
        api: &ApiClient,
        run_id: &RunId,
        later: &str,
    ) -> Result<(), Vec<Failure>> {
        let mut failures = Vec::new();
        let mut note = |ending: &str, written: Result<(), CsvError>| {
            if let Err(error) = written {
                let path = self.path(ending);
                let path = path.display();
                let failure = format!("{path} is not complete: {error}. {later}");
                failures.push(Failure::failed(failure));
            }
        };
        for (kind, ending) in FILES {
            note(ending, self.fetch(api, run_id, kind, ending).await);
        }
        note(CUSTOM_METRICS.1, self.fetch_metrics(api, run_id).await);
        // The whole, because late results have changed seconds that are written already.
        let history = self.whole_history(api, run_id, None).await;
        note(HISTORY, history.map(drop));
        match failures.is_empty() {
            true => Ok(()),
            false => Err(failures),
        }
    }

    /// Adds the seconds that came since to the history.
    async fn continue_history(&mut self, api: &ApiClient, run_id: &RunId) -> Result<(), CsvError> {
        let Some(next) = self.history_next else {
            self.history_next = self.whole_history(api, run_id, Some(0)).await?;
            return Ok(());
        };
        let mut history = api.history(run_id, self.full_history, Some(next)).await?;
        let next = history.next_second();
        let path = self.path(HISTORY);
        let file = File::options().append(true).open(&path)?;
        let length = file.metadata().map_or(0, |known| known.len());
        let added = self.copy(&mut history, &file).await;
        if added.is_err() {
            // Not half of it: it is asked for again.
            file.set_len(length)?;
        }
        added?;
        self.history_next = next;
        Ok(())
    }

    /// Replaces the history by the whole, or by what there is of it until now. The second to continue with, if there is
    /// more to come.
    async fn whole_history(
        &self,
        api: &ApiClient,
        run_id: &RunId,
        from: Option<u32>,
    ) -> Result<Option<u32>, CsvError> {
        let mut history = api.history(run_id, self.full_history, from).await?;
        let next = history.next_second();
        let file = ReplacedFile::at(self.path(HISTORY));
        let filled = file.begin()?;
        self.copy(&mut history, filled.as_file()).await?;
        file.finish(filled)?;
        Ok(next)
    }

    async fn copy(&self, history: &mut Download, mut file: &File) -> Result<(), CsvError> {
        while let Some(chunk) = history.chunk().await? {
            file.write_all(&chunk)?;
        }
        Ok(())
    }

    async fn fetch(
        &self,
        api: &ApiClient,
        run_id: &RunId,
        kind: &str,
        ending: &str,
    ) -> Result<(), CsvError> {
        let text = api.file(run_id, kind).await?;
        Ok(self.write(ending, &text)?)
    }

    /// Nothing of a run that has none, nor what an earlier run left under this prefix.
    async fn fetch_metrics(&self, api: &ApiClient, run_id: &RunId) -> Result<(), CsvError> {
        let (kind, ending) = CUSTOM_METRICS;
        let text = match api.file(run_id, kind).await {
            // A coordinator of an earlier version.
            Err(ApiError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
                String::new()
            }
            text => text?,
        };
        let written = match text.lines().count() {
            0 | 1 => self.remove(ending),
            _ => self.write(ending, &text),
        };
        Ok(written?)
    }

    fn remove(&self, ending: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write(&self, ending: &str, text: &str) -> io::Result<()> {
        let file = ReplacedFile::at(self.path(ending));
        let mut filled = file.begin()?;
        filled.write_all(text.as_bytes())?;
        file.finish(filled)
    }

    fn path(&self, ending: &str) -> PathBuf {
        let mut name = self.prefix.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn directory(&self) -> &Path {
        match self.prefix.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    fn cannot_write(&self, error: &impl std::fmt::Display) -> String {
        let files = self.prefix.display();
        format!("the CSV files {files}_*.csv cannot be written: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_in_a_directory_that_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().join("new/run");
        let files = CsvFiles::new("--csv", prefix.clone(), false).unwrap();
        files.write("_stats.csv", "a,b\r\n").unwrap();
        files.write("_stats.csv", "c\r\n").unwrap();
        let written = directory.path().join("new/run_stats.csv");
        assert_eq!(std::fs::read_to_string(written).unwrap(), "c\r\n");
        let entries = std::fs::read_dir(directory.path().join("new")).unwrap();
        assert_eq!(entries.count(), 1);
        // A link leads to the file that is meant.
        let link = directory.path().join("new/run_failures.csv");
        std::os::unix::fs::symlink("../meant.csv", &link).unwrap();
        files.write("_failures.csv", "d\r\n").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        let meant = std::fs::read_to_string(directory.path().join("meant.csv"));
        assert_eq!(meant.unwrap(), "d\r\n");
    }

    #[tokio::test]
    async fn a_coordinator_that_is_away_is_waited_for_but_never_means_that_all_is_written() {
        // A port that the system gives to none of the servers of other tests.
        let url = "http://127.0.0.1:1";
        let api = ApiClient::new(url.parse().unwrap(), None, None).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut files = CsvFiles::new("--csv", directory.path().join("run"), false).unwrap();
        assert_eq!(files.keep(&api, &"r".into()).await, None);
        // All of them are named, with what can be done.
        let failures = files.finish(&api, &"r".into(), "Export it.").await;
        let failures = failures.unwrap_err();
        assert_eq!(failures.len(), FILES.len() + 2);
        assert!(
            failures
                .iter()
                .all(|failure| failure.to_string().ends_with("Export it."))
        );
    }

    /// The address of a coordinator that answers with this.
    fn answers(status: &'static str, body: &'static str) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // The request has come when some of it can be read; it has no body.
                let _ = io::Read::read(&mut stream, &mut [0; 4_096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        url
    }

    #[tokio::test]
    async fn files_that_cannot_be_written_are_named_once_and_do_not_end_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().join("there/run");
        let mut files = CsvFiles::new("--csv", prefix.clone(), false).unwrap();
        let api = ApiClient::new(answers("200 OK", "").parse().unwrap(), None, None).unwrap();
        std::fs::remove_dir(directory.path().join("there")).unwrap();
        let news = files.keep(&api, &"r".into()).await.unwrap();
        assert!(
            news.contains("cannot be written") && news.contains("there/run"),
            "{news}"
        );
        files.written = None;
        assert_eq!(files.keep(&api, &"r".into()).await, None);
        std::fs::create_dir(directory.path().join("there")).unwrap();
        files.written = None;
        let news = files.keep(&api, &"r".into()).await.unwrap();
        assert!(news.contains("written again"), "{news}");
    }

    #[tokio::test]
    async fn custom_metrics_of_an_earlier_run_do_not_stay_beside_a_run_without_any() {
        let directory = tempfile::tempdir().unwrap();
        let files = CsvFiles::new("--csv", directory.path().join("run"), false).unwrap();
        // A coordinator of an earlier version, and a run that has none; twice, because it may be gone.
        for (status, body) in [
            ("404 Not Found", r#"{"error": "no such file"}"#),
            ("200 OK", "Name,Kind\r\n"),
        ] {
            let api = ApiClient::new(answers(status, body).parse().unwrap(), None, None).unwrap();
            for (_, ending) in [FILES[0], CUSTOM_METRICS] {
                files.write(ending, "a,b\r\n1,2\r\n").unwrap();
            }
            for _ in 0..2 {
                let fetched = files.fetch_metrics(&api, &"r".into()).await;
                assert!(fetched.is_ok(), "{status}");
                assert!(!files.path(CUSTOM_METRICS.1).exists(), "{status}");
            }
            assert!(files.path(FILES[0].1).exists());
        }
    }

    #[test]
    fn a_prefix_that_cannot_be_used_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(CsvFiles::new("--csv", file.join("run"), false).is_err());
        assert!(CsvFiles::new("--csv", PathBuf::from("/"), false).is_err());
        assert!(CsvFiles::new("--csv", PathBuf::from("-"), false).is_err());
    }
}
