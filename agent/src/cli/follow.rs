//! Following a run to its end: progress, the tables, the summary, the exit code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::api_client::{ApiClient, ApiError, Progress, StartedRun};
use super::failure::Failure;
use super::progress::ProgressDisplay;
use super::say;
use super::signals::Signals;
use super::summary_file::SummaryFile;

/// Pause between two looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a coordinator that went away is waited for; agents end their load before.
const WAIT_FOR_COORDINATOR: Duration = Duration::from_secs(120);

/// How following a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As planned.
    Finished,
    /// Otherwise, by itself.
    Failed,
    /// Otherwise, because of a signal to us.
    Stopped,
}

impl Outcome {
    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Outcome::Finished => ExitCode::SUCCESS,
            Outcome::Failed | Outcome::Stopped => ExitCode::FAILURE,
        }
    }
}

/// Shows a run until it has ended, then its results. A signal stops the run, a second one leaves it.
pub(super) async fn follow(
    api: &ApiClient,
    run: &StartedRun,
    summary: Option<&SummaryFile>,
    signals: &mut Signals,
) -> Result<Outcome, Failure> {
    let mut display = ProgressDisplay::new();
    let mut stopped = false;
    let mut away_since: Option<Instant> = None;
    let last = loop {
        match api.progress(&run.id).await {
            Ok(progress) => {
                if away_since.take().is_some() {
                    display.note("The coordinator is back.");
                }
                display.show(&progress);
                if progress.status != "Running" {
                    break progress;
                }
            }
            Err(ApiError::Refused(reason)) => return Err(Failure::failed(reason)),
            Err(error) => {
                let since = *away_since.get_or_insert_with(|| {
                    display.note(&format!("{error}. Waiting for it."));
                    Instant::now()
                });
                if since.elapsed() > WAIT_FOR_COORDINATOR {
                    return Err(Failure::failed(error));
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = signals.next() => {
                if stopped {
                    return Err(Failure::failed(format!(
                        "left before the run had ended; as long as its coordinator lives, it is at {}",
                        api.page(&run.url)
                    )));
                }
                stopped = true;
                display.note("Stopping the run; requests in flight may finish. Ctrl-C again leaves at once.");
                if let Err(error) = api.stop_run(&run.id).await {
                    display.note(&error.to_string());
                }
            }
        }
    };
    display.end(Some(&last));
    show_results(api, run, &last, summary).await?;
    Ok(match last.status.as_str() {
        "Finished" => Outcome::Finished,
        _ if stopped => Outcome::Stopped,
        _ => Outcome::Failed,
    })
}

async fn show_results(
    api: &ApiClient,
    run: &StartedRun,
    last: &Progress,
    summary: Option<&SummaryFile>,
) -> Result<(), Failure> {
    let tables = api.tables(&run.id).await.map_err(Failure::failed)?;
    say(format_args!("{}\n", tables.trim_end()));
    match &last.failure_reason {
        Some(reason) => say(format_args!(
            "Run #{} {}: {reason}",
            run.number,
            last.status.to_lowercase()
        )),
        None => say(format_args!(
            "Run #{} {}",
            run.number,
            last.status.to_lowercase()
        )),
    }
    if let Some(file) = summary {
        let summary = api.summary(&run.id).await.map_err(Failure::failed)?;
        file.write(&summary)?;
    }
    Ok(())
}
