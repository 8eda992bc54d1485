//! `greylag serve`: coordinator, an agent on this machine, and the page, which waits for Start; Locust's usual mode.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use greylag_scenarios::Scenario;

use super::start_form::start_form_of;
use crate::cli::failure::Failure;
use crate::cli::local::{Local, LocalPage};
use crate::cli::options::{DataDir, PageOptions, TestOptions};
use crate::cli::print::print_line;
use crate::cli::settings::Sources;
use crate::cli::signals::{Hangup, Signals, exit_at_second_signal};

/// Options of `greylag serve`. What is said about the test stands in the page's start form.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    test: TestOptions,
    #[command(flatten)]
    page: PageOptions,
}

/// Serves until Ctrl-C, SIGTERM or SIGHUP; a second one does not wait for requests in flight.
pub(crate) async fn serve(
    options: ServeOptions,
    custom: BTreeMap<String, String>,
    sources: &Sources,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    let start_form = start_form_of(&options.test, custom, sources, &scenarios)?;
    let mut signals = Signals::take()?;
    exit_at_second_signal(Hangup::End)?;
    let page = LocalPage::of(&options.page, true).await?;
    let data = DataDir::asked(options.page.data);
    let trace_url = options.page.trace_url;
    let mut local = Local::start(data, page, start_form, trace_url, scenarios).await?;
    print_line(format_args!("Greylag is at {}", local.url()));
    print_line("Start a test on the page; press Ctrl-C to exit.");
    let ended_early = tokio::select! {
        () = signals.next() => None,
        failure = local.ended() => Some(failure),
    };
    if let Some(failure) = ended_early {
        local.abandon().await;
        return Err(failure);
    }
    local.end().await;
    Ok(ExitCode::SUCCESS)
}
