//! `greylag users`: more or fewer users for a running test.

use std::process::ExitCode;

use clap::Args;
use greylag_infra::RunId;

use crate::cli::failure::Failure;
use crate::cli::options::{CoordinatorAccess, run_id, seconds};
use crate::cli::print::print_line;

/// Options of `greylag users`.
#[derive(Debug, Args)]
pub(crate) struct UsersOptions {
    /// The run's id: the last part of its URL.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// Target number of users.
    users: u64,
    /// How long the change takes, linearly; 0s changes it immediately.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = seconds)]
    within: u64,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Changes the users of a run.
pub(crate) async fn users(options: UsersOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    api.change_users(&options.run, options.users, options.within)
        .await
        .map_err(Failure::bad_input)?;
    print_line(format_args!(
        "Run {}: changing to {} users over {} s.",
        options.run, options.users, options.within
    ));
    Ok(ExitCode::SUCCESS)
}
