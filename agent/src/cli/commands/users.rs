//! `greylag users`: more or fewer users for a running test.

use std::process::ExitCode;

use clap::Args;
use greylag_infra::RunId;
use greylag_reporting::Token;
use url::Url;

use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;
use crate::cli::options::{CaOption, coordinator_url, seconds};
use crate::cli::print::print_line;

/// Options of `greylag users`.
#[derive(Debug, Args)]
pub(crate) struct UsersOptions {
    /// The run's id: the last part of its URL.
    run: RunId,
    /// Target number of users.
    users: u64,
    /// How long the change takes, linearly; 0s changes it immediately.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = seconds)]
    within: u64,
    /// Address of the coordinator.
    #[arg(
        long,
        env = "GREYLAG_COORDINATOR",
        value_name = "URL",
        default_value = "http://127.0.0.1:8089",
        value_parser = coordinator_url
    )]
    coordinator: Url,
    /// The coordinator's token.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    #[command(flatten)]
    trust: CaOption,
}

/// Changes the users of a run.
pub(crate) async fn users(options: UsersOptions) -> Result<ExitCode, Failure> {
    let id = options.run.as_str();
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Failure::bad_input(
            "give the run's id, the last part of its URL",
        ));
    }
    let ca = options.trust.ca.as_deref();
    let api = ApiClient::new(options.coordinator, options.token, ca)?;
    api.change_users(&options.run, options.users, options.within)
        .await
        .map_err(Failure::bad_input)?;
    print_line(format_args!(
        "Run {}: changing to {} users over {} s.",
        options.run, options.users, options.within
    ));
    Ok(ExitCode::SUCCESS)
}
