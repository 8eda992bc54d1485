//! `greylag export`: a run as a file, in one of several formats.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use greylag_infra::RunId;

use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;
use crate::cli::follow::CsvFiles;
use crate::cli::options::{CoordinatorAccess, run_id};
use crate::cli::output_file::{OutputFile, STDOUT};

/// Options of `greylag export`.
#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    /// The run's id: the last part of its URL.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// What is written.
    #[arg(long, value_name = "FORMAT")]
    format: ExportFormat,
    /// File to write, replaced if it exists; - is standard output. Of csv the beginning of the files' names, such as results/checkout.
    #[arg(long, short, value_name = "FILE", default_value = STDOUT)]
    output: PathBuf,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// What a run can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// All results in one JSON document, as `run --summary` writes them.
    Json,
    /// Locust's four CSV files with a row per endpoint and second, and whether their numbers are complete (JSON).
    Csv,
    /// Each second: users, requests, failures, percentiles, of all requests together and of each endpoint.
    #[value(name = "series.csv")]
    SeriesCsv,
    /// Each request that was kept for the scatter plot, with all that is known of it.
    #[value(name = "samples.csv")]
    SamplesCsv,
    /// A histogram of response times for each second and endpoint, as a log of HdrHistogram (format 1.3, values in µs).
    Hlog,
    /// The run's page as one file, which needs no server, as `run --html` writes it.
    Html,
    /// A JUnit file for CI, as `run --junit` writes it.
    Junit,
    /// A summary in Markdown, as `run --markdown` writes it.
    Markdown,
    /// Everything that is stored of a run that is over, in one compressed file, for `greylag import`.
    Bundle,
}

impl ExportFormat {
    /// Where the coordinator has it, below the address of the run; none if it is several files.
    fn path(self) -> Option<&'static str> {
        match self {
            Self::Json => Some("summary"),
            Self::Csv => None,
            Self::SeriesCsv => Some("csv/series"),
            Self::SamplesCsv => Some("csv/samples"),
            Self::Hlog => Some("hlog"),
            Self::Html => Some("report.html"),
            Self::Junit => Some("junit.xml"),
            Self::Markdown => Some("summary.md"),
            Self::Bundle => Some("bundle"),
        }
    }
}

/// Writes a run to a file, which has all of it or is not touched, or to standard output.
pub(crate) async fn export(options: ExportOptions) -> Result<ExitCode, Failure> {
    let ExportOptions {
        run,
        format,
        output,
        access,
    } = options;
    let is_stdout = output == Path::new(STDOUT);
    let Some(path) = format.path() else {
        if is_stdout {
            return Err(Failure::bad_input(
                "csv is several files: give the beginning of their names, such as --output results/checkout",
            ));
        }
        return export_csv(&access.client()?, &run, output).await;
    };
    if format == ExportFormat::Bundle && is_stdout && std::io::stdout().is_terminal() {
        return Err(Failure::bad_input(
            "a bundle is not text: give a file, such as --output run.bundle",
        ));
    }
    // A coordinator makes it before it begins to answer.
    let api = match format {
        ExportFormat::Html => access.patient_client()?,
        _ => access.client()?,
    };
    // As `run` writes them, with a link to the page.
    let page = api.page(&format!("/runs/{run}"));
    let query = [("fallback_page", page.as_str())];
    let query = match format {
        ExportFormat::Junit | ExportFormat::Markdown => &query[..],
        _ => &[],
    };
    let download = api.download(&run, path, query).await;
    let download = download.map_err(Failure::bad_input)?;
    if is_stdout {
        download.print().await?;
    } else {
        let file = OutputFile::new("the run", output.clone())?;
        let saved = download.save(&file).await;
        let bytes = saved.map_err(|error| error.of_file(&file, ""))?;
        // Not on standard output, which is for results.
        eprintln!("Wrote {} ({} KiB).", output.display(), bytes.div_ceil(1024));
    }
    Ok(ExitCode::SUCCESS)
}

async fn export_csv(api: &ApiClient, run: &RunId, prefix: PathBuf) -> Result<ExitCode, Failure> {
    // Before files are made for a run that does not exist.
    api.progress(run).await.map_err(Failure::bad_input)?;
    let shown = format!("{}_*.csv", prefix.display());
    let files = CsvFiles::new("--output", prefix, true)?;
    let written = files.finish(api, run, "Export the run again").await;
    Failure::of_failures(&written.err().unwrap_or_default())?;
    eprintln!("Wrote {shown}.");
    Ok(ExitCode::SUCCESS)
}
