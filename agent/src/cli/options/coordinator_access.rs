//! How a coordinator is reached, for subcommands that only speak to one.

use clap::Args;
use greylag_reporting::Token;
use url::Url;

use super::{CaOption, coordinator_url};
use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;

/// Its address, and what it needs to be asked.
#[derive(Debug, Args)]
pub(crate) struct CoordinatorAccess {
    /// Address of the coordinator.
    #[arg(
        long,
        env = "GREYLAG_COORDINATOR",
        value_name = "URL",
        default_value = "http://127.0.0.1:8089",
        value_parser = coordinator_url
    )]
    coordinator: Url,
    /// A token of the coordinator: its own, or one with a role that allows this.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    #[command(flatten)]
    trust: CaOption,
}

impl CoordinatorAccess {
    /// A client of it.
    ///
    /// # Errors
    /// As [`ApiClient::new`].
    pub(crate) fn client(self) -> Result<ApiClient, Failure> {
        ApiClient::new(self.coordinator, self.token, self.trust.ca.as_deref())
    }

    /// A client that waits long for an answer.
    ///
    /// # Errors
    /// As [`ApiClient::new`].
    pub(crate) fn patient_client(self) -> Result<ApiClient, Failure> {
        ApiClient::patient(self.coordinator, self.token, self.trust.ca.as_deref())
    }
}
