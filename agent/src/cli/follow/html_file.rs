//! `--html FILE`: a run's page as one file.

use std::path::PathBuf;

use greylag_infra::RunId;

use crate::cli::api_client::ApiClient;
use crate::cli::download::file_beside;
use crate::cli::failure::Failure;

/// Where the coordinator has it, below the address of the run.
pub(crate) const REPORT: &str = "report.html";

/// A file that the page will be written to.
#[derive(Debug)]
pub(crate) struct HtmlFile {
    path: PathBuf,
}

impl HtmlFile {
    /// Checks, before anything is started, that the file can be written.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        file_beside(&path)?;
        Ok(Self { path })
    }

    /// Writes the page of a run that is over. The file has all of it or is not touched.
    ///
    /// # Errors
    /// The coordinator does not give it, or the file cannot be written.
    pub(crate) async fn write(&self, api: &ApiClient, run: &RunId) -> Result<(), Failure> {
        let download = api.download(run, REPORT).await.map_err(|error| {
            Failure::failed(format!(
                "{} is not written: {error}. The results are kept; the file can be saved from the run's page",
                self.path.display()
            ))
        })?;
        download.save(&self.path).await.map(drop)
    }
}
