//! `greylag log`: what is in a run's console log, as the coordinator finds it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use greylag_infra::RunId;
use greylag_reporting::{LogLines, LogRow, rfc3339};

use crate::cli::api_client::{ApiClient, LogAsked};
use crate::cli::failure::Failure;
use crate::cli::options::{CoordinatorAccess, run_id};
use crate::cli::print::print_line;

/// How often it is looked for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Statuses of runs to whose logs nothing is added by workers any more.
const OVER: [&str; 2] = ["Finished", "Failed"];

/// Options of `greylag log`.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// The run's id: the last part of its URL.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// Only lines with this text, in upper or lower case, in them or in the name of who said it.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// The text is a regular expression, upper and lower case as written.
    #[arg(long, requires = "grep")]
    regex: bool,
    /// Only lines that are at least as serious.
    #[arg(long, value_name = "LEVEL", value_parser = ["warning", "error"])]
    level: Option<String>,
    /// Only lines of this agent, of one of its workers (`east/worker-3`), or of the `coordinator`.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Go on with the lines that come, until the run is over.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Prints lines of a run's log, in order.
pub(crate) async fn log(options: LogOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    let asked = LogAsked {
        q: options.grep,
        regex: options.regex,
        level: options.level,
        source: options.agent,
    };
    let mut after = 0;
    loop {
        // Before its lines: those of a run that is over are all there.
        let goes_on = options.follow && is_in_progress(&api, &options.run).await?;
        after = print_lines(&api, &options.run, &asked, after).await?;
        if !goes_on {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn is_in_progress(api: &ApiClient, run: &RunId) -> Result<bool, Failure> {
    let progress = api.progress(run).await.map_err(Failure::bad_input)?;
    Ok(!OVER.contains(&progress.status.as_str()))
}

/// Prints what there is after a position; gives the one up to which was looked.
async fn print_lines(
    api: &ApiClient,
    run: &RunId,
    asked: &LogAsked,
    mut after: u64,
) -> Result<u64, Failure> {
    loop {
        let page = api.log_page(run, asked, after).await;
        let page = page.map_err(Failure::bad_input)?;
        for row in &page.lines {
            print_line(line_of(row));
        }
        match page.more {
            Some(more) => after = more,
            None => return Ok(end_of(&page).max(after)),
        }
    }
}

/// The last line that was looked at.
fn end_of(page: &LogLines) -> u64 {
    let last = page.lines.last().map_or(0, |row| row.seq);
    last.max(page.total)
}

/// As in the file that pages offer.
fn line_of(row: &LogRow) -> String {
    format!("[{}] {}: {}", rfc3339(row.at), row.source, row.text)
}
