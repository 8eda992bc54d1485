//! `greylag delete`: deletes runs of a coordinator, after a question.

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use greylag_infra::{RunId, RunStatus, WallTime};

use super::runs::print_table;
use crate::cli::api_client::{ApiClient, RunsAsked};
use crate::cli::failure::Failure;
use crate::cli::options::{CoordinatorAccess, age, run_id};
use crate::cli::print::print_line;
use crate::cli::run_list::{self, ListedRun};

/// Options of `greylag delete`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["runs", "test", "older_than"]))]
pub(crate) struct DeleteOptions {
    /// The runs' ids (the last part of their URLs).
    #[arg(value_name = "RUN", value_parser = run_id, conflicts_with_all = ["test", "older_than"])]
    runs: Vec<RunId>,
    /// Delete the runs of this test.
    #[arg(long, value_name = "NAME")]
    test: Option<String>,
    /// Delete runs that ended longer ago, such as 30d or 12h; with --test those of the test.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Delete without asking.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Deletes runs that are over, with their results.
pub(crate) async fn delete(options: DeleteOptions) -> Result<ExitCode, Failure> {
    if !options.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::bad_input(
            "nothing is deleted without a question, and standard input is not a terminal; add --yes to delete without asking",
        ));
    }
    let api = options.access.client()?;
    let mut ids = options.runs;
    let mut named = HashSet::new();
    ids.retain(|id| named.insert(id.clone()));
    if ids.is_empty() {
        let asked = RunsAsked {
            test: options.test,
            search: None,
        };
        let (runs, _) = run_list::read(&api, &asked, usize::MAX).await?;
        let runs = matching(runs, options.older_than);
        if runs.is_empty() {
            print_line("No runs to delete.");
            return Ok(ExitCode::SUCCESS);
        }
        if !options.yes {
            print_table(&runs);
        }
        ids.extend(runs.into_iter().map(|run| run.id));
    } else {
        check_named(&api, &ids).await?;
    }
    if !options.yes && !confirmed(ids.len(), &mut std::io::stdin().lock()) {
        print_line("Nothing was deleted.");
        return Ok(ExitCode::FAILURE);
    }
    let mut deleted = 0;
    let mut problems = Vec::new();
    for id in &ids {
        match api.delete_run(id).await {
            Ok(()) => deleted += 1,
            Err(error) => problems.push(format!("{id}: {error}")),
        }
    }
    print_line(format_args!("Deleted {}.", counted(deleted)));
    match Failure::of_problems(&problems) {
        Some(failure) => Err(failure),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Of these runs those that are over and that are old enough.
fn matching(mut runs: Vec<ListedRun>, older_than: Option<Duration>) -> Vec<ListedRun> {
    let now = WallTime::of_system();
    runs.retain(|run| run.can_delete && older_than.is_none_or(|age| now - run.ended_at() > age));
    runs
}

/// Checks that there are runs with these ids and that they are over, before any is deleted.
async fn check_named(api: &ApiClient, ids: &[RunId]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for id in ids {
        match api.progress(id).await {
            Ok(progress) if progress.status == RunStatus::Running.word() => {
                problems.push(format!("run {id} is still running"));
            }
            Ok(_) => {}
            Err(error) => problems.push(format!("{id}: {error}")),
        }
    }
    match Failure::of_problems(&problems) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Asks, and waits for the answer.
fn confirmed(runs: usize, answers: &mut impl BufRead) -> bool {
    let mut stdout = std::io::stdout().lock();
    let asked = write!(
        stdout,
        "Delete {} with all results? This cannot be undone. [y/N] ",
        counted(runs)
    );
    if asked.and_then(|()| stdout.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    answers.read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn counted(runs: usize) -> String {
    match runs {
        1 => "1 run".to_owned(),
        _ => format!("{runs} runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_deletes() {
        let deletes = |answer: &str| confirmed(2, &mut answer.as_bytes());
        assert!(deletes("y\n") && deletes("YES\r\n"));
        for answer in ["", "\n", "n\n", "yep\n", "no, y\n"] {
            assert!(!deletes(answer), "{answer:?}");
        }
    }
}
