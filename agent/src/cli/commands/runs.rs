//! `greylag runs`: lists a coordinator's runs.

use std::process::ExitCode;

use clap::Args;

use crate::cli::aligned_columns::aligned;
use crate::cli::api_client::RunsAsked;
use crate::cli::failure::Failure;
use crate::cli::options::CoordinatorAccess;
use crate::cli::print::print_line;
use crate::cli::run_list::{self, ListedRun};

/// Options of `greylag runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsOptions {
    /// List only runs of this test.
    #[arg(long, value_name = "NAME")]
    test: Option<String>,
    /// List only runs with these words in their test, number, host, status, notes or labels.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// List only runs with this label, such as commit=abc, or commit for any commit; repeat it for runs with several.
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// List at most so many runs, the newest.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Lists runs, newest first.
pub(crate) async fn runs(options: RunsOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    let labels = options.labels.iter().map(|label| format!("label:{label}"));
    let words: Vec<String> = options.search.into_iter().chain(labels).collect();
    let asked = RunsAsked {
        test: options.test,
        search: Some(words.join(" ")).filter(|words| !words.is_empty()),
    };
    let (runs, total) = run_list::read(&api, &asked, options.limit as usize).await?;
    if runs.is_empty() {
        print_line("No runs.");
        return Ok(ExitCode::SUCCESS);
    }
    print_table(&runs);
    if total > runs.len() as u64 {
        print_line(format_args!(
            "The newest {} of {total} runs; --limit shows more.",
            runs.len()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints runs as lines below the names of the columns.
pub(super) fn print_table(runs: &[ListedRun]) {
    let rows = runs.iter().map(ListedRun::cells);
    let rows: Vec<_> = std::iter::once(ListedRun::COLUMNS.map(str::to_owned))
        .chain(rows)
        .collect();
    for line in aligned(&rows) {
        print_line(line);
    }
}
