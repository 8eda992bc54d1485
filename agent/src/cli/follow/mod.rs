//! Following a run to its end: progress, the tables, the summary, the exit code.

mod csv_files;
mod kept_results;
mod keys;
mod progress;
mod report_files;
mod run_log;
mod saved_baseline;
mod shown_warnings;
mod summary_file;
mod thresholds;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use greylag_infra::{FailureReason, GapCause, TestVerdict};
use greylag_reporting::{Progress, RunStarted, Summary};

use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::failure::{FAILED, Failure};
use crate::cli::print::print_line;
use crate::cli::signals::Signals;
pub(crate) use csv_files::CsvFiles;
pub(crate) use kept_results::KeptResults;
use keys::Keys;
use progress::ProgressDisplay;
pub(crate) use report_files::{ReportFiles, ReportOptions};
pub(crate) use run_log::RunLog;
pub(crate) use saved_baseline::SavedBaseline;
use shown_warnings::ShownWarnings;
pub(crate) use summary_file::SummaryFile;

/// Pause between two looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a coordinator that went away is waited for; agents end their load before.
const WAIT_FOR_COORDINATOR: Duration = Duration::from_secs(120);

/// How long the verdict of a run that is over is waited for: the coordinator may be reading a long run again.
const WAIT_FOR_VERDICT: Duration = Duration::from_secs(30);

/// How often `--print-stats` prints, as Locust does.
const PRINT_STATS_EVERY: Duration = Duration::from_secs(2);
/// How long after a key the number of users it asked for counts rather than the reported one, which is late.
const KEY_COUNTS: Duration = Duration::from_secs(3);

/// How following a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As planned.
    Finished,
    /// As planned, but requests failed or tasks ended in errors; the exit code for that.
    FinishedWithErrors(u8),
    /// As planned or stopped by a threshold, and the verdict is that the test failed; the exit code for that.
    Breached(u8),
    /// Otherwise, by itself.
    Failed,
    /// Otherwise, because of a signal to us.
    Stopped,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Outcome::Finished => ExitCode::SUCCESS,
            Outcome::FinishedWithErrors(code) | Outcome::Breached(code) => ExitCode::from(code),
            Outcome::Failed | Outcome::Stopped => ExitCode::FAILURE,
        }
    }
}

/// What is made of a run beside showing it.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// Where the summary goes.
    pub(crate) summary: Option<SummaryFile>,
    /// Where the coordinator's reports go.
    pub(crate) reports: ReportFiles,
    /// Where the run goes if later ones are to be compared with it.
    pub(crate) save_baseline: Option<SavedBaseline>,
    /// Where its results are when this command has ended.
    pub(crate) kept: KeptResults,
    /// Where Locust's CSV files go.
    pub(crate) csv: Option<CsvFiles>,
    /// Repeats what users print; nothing of it when there is none.
    pub(crate) log: Option<RunLog>,
    /// Shows no progress, only the results and what users print.
    pub(crate) only_summary: bool,
    /// Shows Locust's table now and then in place of the progress.
    pub(crate) print_stats: bool,
    /// Exit code for a run that finished, but with failed requests or errors of tasks.
    pub(crate) exit_code_on_error: Option<u8>,
    /// Exit code for a run whose verdict is that the test failed; 1 without it.
    pub(crate) exit_code_on_breach: Option<u8>,
}

/// Prints what is allowed and probably not meant.
pub(crate) fn warn_about(run: &RunStarted) {
    for warning in &run.warnings {
        eprintln!("Warning: {warning}");
    }
}

/// Shows a run until it has ended, then its results. A signal stops the run, a second one leaves it. `patient`: the same client, but one that waits
/// until reports are made.
pub(crate) async fn follow(
    api: &ApiClient,
    patient: &ApiClient,
    run: &RunStarted,
    following: &mut Following,
    signals: &mut Signals,
) -> Result<Outcome, Failure> {
    let mut display = ProgressDisplay::new(following.only_summary || following.print_stats);
    let mut printed_at = Instant::now();
    let mut keys = Keys::take();
    let mut users = 0;
    let mut asked_at: Option<Instant> = None;
    let mut stopped = false;
    let mut away_since: Option<Instant> = None;
    let mut shown_warnings = ShownWarnings::default();
    let mut shown_remark = None;
    let mut shown_coverage = None;
    let last = loop {
        match api.progress(&run.id).await {
            Ok(progress) => {
                if away_since.take().is_some() {
                    display.note("The coordinator is reachable again.");
                }
                repeat_log(api, run, &mut following.log, &display).await;
                display.show(&progress);
                for warning in shown_warnings.news(&progress.warnings) {
                    display.note(&format!("Warning: {warning}"));
                }
                let remark = &progress.completeness.remark;
                if shown_remark != *remark {
                    shown_remark.clone_from(remark);
                    display.note(
                        remark
                            .as_deref()
                            .unwrap_or("The results are complete again."),
                    );
                }
                let coverage = &progress.completeness.coverage.remark;
                if shown_coverage != *coverage {
                    shown_coverage.clone_from(coverage);
                    display.note(coverage.as_deref().unwrap_or("All of the load is there."));
                }
                if asked_at.is_none_or(|at| at.elapsed() > KEY_COUNTS) {
                    users = progress.users;
                }
                if progress.status != "Running" {
                    break progress;
                }
                if let Some(csv) = &mut following.csv
                    && let Some(news) = csv.keep(api, &run.id).await
                {
                    display.note(&news);
                }
                if following.print_stats && printed_at.elapsed() >= PRINT_STATS_EVERY {
                    printed_at = Instant::now();
                    if let Ok(tables) = api.tables(&run.id).await {
                        display.note(first_table(&tables));
                    }
                }
            }
            Err(ApiError::Refused { reason, .. }) => return Err(Failure::failed(reason)),
            Err(error) => {
                let since = *away_since.get_or_insert_with(|| {
                    display.note(&format!("{error}. Waiting for the coordinator."));
                    Instant::now()
                });
                if since.elapsed() > WAIT_FOR_COORDINATOR {
                    return Err(Failure::failed(error));
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            change = Keys::next(&mut keys) => {
                users = users.saturating_add_signed(change);
                asked_at = Some(Instant::now());
                display.note(&format!("Changing to {users} users."));
                if let Err(error) = api.change_users(&run.id, users, 0).await {
                    display.note(&error.to_string());
                }
            }
            () = signals.next() => {
                if stopped {
                    return Err(Failure::failed(match &following.kept {
                        KeptResults::OnCoordinator => format!(
                            "detached before the run ended; if the coordinator is still running, the run continues at {}",
                            api.page_of(run)
                        ),
                        kept => format!("ended before the run had; {}", kept.place(api, run)),
                    }));
                }
                stopped = true;
                display.note("Stopping the run; requests in flight may finish. Press Ctrl-C again to leave immediately.");
                if let Err(error) = api.stop_run(&run.id).await {
                    display.note(&error.to_string());
                }
            }
        }
    };
    display.end(Some(&last));
    drop(keys);
    let shown = async {
        let summary = judged_summary(api, run).await?;
        for warning in shown_warnings.grown(&summary.warnings) {
            eprintln!("Warning, at the end of the run: {warning}");
        }
        // What can be shown and written is, whatever else cannot.
        let mut failures = Vec::new();
        failures.extend(show_results(api, run, &last, &summary).await.err());
        if let Some(file) = &following.summary {
            failures.extend(file.write(&summary).err());
        }
        let page = following.kept.page(api, run);
        let later = following.kept.export(api, run);
        let reports = &following.reports;
        let reports = reports
            .write(patient, &run.id, page.as_deref(), &later)
            .await;
        failures.extend(reports.err().into_iter().flatten());
        if let Some(file) = &following.save_baseline {
            failures.extend(file.write(patient, &summary, &later).await.err());
        }
        // Last, because the history of a long run takes long.
        if let Some(csv) = &following.csv {
            let written = csv.finish(api, &run.id, &later).await;
            failures.extend(written.err().into_iter().flatten());
        }
        Failure::of_failures(&failures).map(|()| summary)
    };
    let interrupted = || {
        let place = following.kept.place(api, run);
        format!("interrupted before all results were shown and written; {place}")
    };
    let summary = signals.or_leave(shown, interrupted).await?;
    // Numbers that are wrong are no basis for anything that follows a run. That some are missing of one that Finished is what
    // the test allows.
    let mut gaps = summary.completeness.gaps.iter();
    let is_sound = gaps.all(|gap| gap.code != GapCause::COUNTS_DISAGREE);
    // A verdict that stays open proves nothing.
    let is_open = summary.verdict.is_none() && !summary.thresholds.is_empty();
    let is_breached = is_open || summary.verdict == Some(TestVerdict::Failed);
    let ended_by_breach =
        summary.run.failure_code.as_deref() == Some(FailureReason::THRESHOLD_BREACHED);
    let is_as_asked = last.status == "Finished" || ended_by_breach;
    if is_as_asked && is_sound && is_breached {
        let code = following.exit_code_on_breach.unwrap_or(FAILED);
        return Ok(Outcome::Breached(code));
    }
    Ok(match (last.status.as_str(), following.exit_code_on_error) {
        ("Finished", Some(code)) if is_sound && !summary.errors.is_empty() => {
            Outcome::FinishedWithErrors(code)
        }
        ("Finished", _) if is_sound => Outcome::Finished,
        _ if stopped => Outcome::Stopped,
        _ => Outcome::Failed,
    })
}

/// The summary of a run that is over, once its thresholds are judged.
async fn judged_summary(api: &ApiClient, run: &RunStarted) -> Result<Summary, Failure> {
    let asked_at = Instant::now();
    loop {
        let summary = api.summary(&run.id).await.map_err(Failure::failed)?;
        let is_open = summary.verdict.is_none() && !summary.thresholds.is_empty();
        if !is_open || asked_at.elapsed() > WAIT_FOR_VERDICT {
            return Ok(summary);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Locust's table of requests; the others follow after an empty line.
fn first_table(tables: &str) -> &str {
    tables.split_once("\n\n").map_or(tables, |(first, _)| first)
}

/// Shows what has come into the run's log. A coordinator that went away is noticed elsewhere; that it refuses to show
/// the log is reported once.
async fn repeat_log(
    api: &ApiClient,
    run: &RunStarted,
    log: &mut Option<RunLog>,
    display: &ProgressDisplay,
) {
    let Some(reading) = log else { return };
    match reading.read_on(api, &run.id).await {
        Ok(lines) => display.lines(&lines),
        Err(ApiError::Unreachable { .. } | ApiError::BrokenOff { .. }) => {}
        Err(error) => {
            display.lines(&[format!("What users print cannot be shown: {error}")]);
            *log = None;
        }
    }
}

async fn show_results(
    api: &ApiClient,
    run: &RunStarted,
    last: &Progress,
    summary: &Summary,
) -> Result<(), Failure> {
    // A run that failed before its load began has nothing to show but why.
    let mut tables_failed = Ok(());
    if last.failure_reason.is_none()
        || summary.totals.stats.requests > 0
        || !summary.errors.is_empty()
    {
        match api.tables(&run.id).await {
            Ok(tables) => print_line(format_args!("{}\n", tables.trim_end())),
            Err(error) => tables_failed = Err(Failure::failed(error)),
        }
    }
    let status = last.status.to_lowercase();
    match (&last.failure_reason, &summary.run.finished_early) {
        (Some(reason), _) => print_line(format_args!("Run #{} {status}: {reason}", run.number)),
        (None, Some(reason)) => {
            print_line(format_args!("Run #{} {status} early: {reason}", run.number));
        }
        (None, None) => print_line(format_args!("Run #{} {status}", run.number)),
    }
    let completeness = &summary.completeness;
    let remarks = [&completeness.coverage.remark, &completeness.remark];
    for remark in remarks.into_iter().flatten() {
        print_line(format_args!("{remark}"));
    }
    let thresholds = thresholds::text(&summary.thresholds, summary.verdict);
    if !thresholds.is_empty() {
        print_line(format_args!("\n{thresholds}"));
    }
    tables_failed
}
