//! `--html FILE`, `--junit FILE`, `--markdown FILE` and `--bundle FILE`: what the coordinator makes of a run that is over, as files.

use std::path::PathBuf;

use clap::Args;
use greylag_infra::RunId;
use reqwest::StatusCode;

use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::download::SaveError;
use crate::cli::failure::Failure;
use crate::cli::output_file::OutputFile;

/// Where a run's bundle is below its address.
pub(super) const BUNDLE: &str = "bundle";

/// Which files are to be written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReportOptions {
    /// Write the run's page to this file, which needs no server: with charts, windows, log and samples of errors, in at most
    /// 5 MB.
    #[arg(long, env = "GREYLAG_HTML", value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a JUnit file for CI: a test case for each threshold and one for the run, with the headline numbers as properties.
    #[arg(long, env = "GREYLAG_JUNIT", value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary in Markdown, for the page of a CI job or a comment on a pull request.
    #[arg(long, env = "GREYLAG_MARKDOWN", value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write everything that is stored of the run to this file, such as main.bundle: the --baseline of later runs, or for `greylag
    /// import`. Where results of a lost agent may still come, it can only be exported later.
    #[arg(long, env = "GREYLAG_BUNDLE", value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// Files that will be written when a run is over.
#[derive(Debug, Default)]
pub(crate) struct ReportFiles(Vec<Report>);

#[derive(Debug)]
struct Report {
    /// Where the coordinator has it, below the address of the run.
    path: &'static str,
    file: OutputFile,
}

impl ReportFiles {
    /// Checks, before anything is started, that the files can be written.
    pub(crate) fn new(options: ReportOptions) -> Result<Self, Failure> {
        let ReportOptions {
            html,
            junit,
            markdown,
            bundle,
        } = options;
        let asked = [
            ("report.html", "the page", html),
            ("junit.xml", "the JUnit file", junit),
            ("summary.md", "the Markdown summary", markdown),
            (BUNDLE, "the bundle", bundle),
        ];
        let mut reports = Vec::new();
        for (path, what, file) in asked {
            if let Some(file) = file {
                let file = OutputFile::new(what, file)?;
                reports.push(Report { path, file });
            }
        }
        Ok(Self(reports))
    }

    /// Which they are.
    pub(crate) fn files(&self) -> impl Iterator<Item = &OutputFile> {
        self.0.iter().map(|report| &report.file)
    }

    /// Writes each of them, with this address of the run's page in them if there is one. Each has the whole or is not touched.
    /// `later` says how they can be had after that.
    ///
    /// # Errors
    /// Those that were not written.
    pub(crate) async fn write(
        &self,
        api: &ApiClient,
        run: &RunId,
        page: Option<&str>,
        later: &str,
    ) -> Result<(), Vec<Failure>> {
        let query: Vec<(&str, &str)> = page.map(|page| ("page", page)).into_iter().collect();
        let mut failures = Vec::new();
        for Report { path, file } in &self.0 {
            let saved = match api.download(run, path, &query).await {
                Ok(download) => download.save(file).await.map(drop),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = saved {
                let later = match &error {
                    // It would be answered the same, such as that the page is too large for a file.
                    SaveError::Api(ApiError::Refused {
                        status: StatusCode::INTERNAL_SERVER_ERROR,
                        ..
                    }) => ". The results are kept".to_owned(),
                    _ => format!(". {later}"),
                };
                failures.push(error.of_file(file, &later));
            }
        }
        match failures.is_empty() {
            true => Ok(()),
            false => Err(failures),
        }
    }
}
