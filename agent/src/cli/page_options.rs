//! Where the page of this machine is, and who may look at it: for `run` and `serve`.

use std::path::PathBuf;

use clap::Args;
use greylag_reporting::Token;
use greylag_reporting::web::check_listen_address;

use super::coordinator::resolve;
use super::failure::Failure;
use super::local::LocalPage;

/// Where the page is unless something else is said; as Locust's.
pub(super) const DEFAULT_PORT: u16 = 8089;

/// Options about the page.
#[derive(Debug, Args)]
pub(super) struct PageOptions {
    /// Port of the page [default: 8089, or any that is free].
    #[arg(short = 'P', long, visible_alias = "web-port", env = "GREYLAG_PORT")]
    port: Option<u16>,
    /// Address to serve the page on. Non-loopback addresses are reachable from other machines and need a token
    /// [default: 127.0.0.1].
    #[arg(long, env = "GREYLAG_WEB_HOST", value_name = "ADDRESS")]
    web_host: Option<String>,
    /// Token required by the page and the API; with --coordinator the coordinator's.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    pub(super) token: Option<Token>,
    /// Directory in which results are kept [default: ./greylag-data].
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
}

impl PageOptions {
    /// The page as it is to be served. On loopback without `ask_token` no token is asked for: it is only a
    /// coordinator's elsewhere.
    ///
    /// # Errors
    /// The address is not one, or open to others without a token.
    pub(super) async fn open(&self, ask_token: bool) -> Result<LocalPage, Failure> {
        let token = self.token.clone();
        let Some(host) = &self.web_host else {
            let token = token.filter(|_| ask_token);
            return Ok(LocalPage::on_port(self.port, token));
        };
        // Locust's `*` and empty host mean all addresses.
        let host = if host == "*" { "0.0.0.0" } else { host };
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let address = resolve(&format!("{host}:{}", self.port.unwrap_or(DEFAULT_PORT))).await?;
        check_listen_address(address, token.as_ref()).map_err(Failure::bad_input)?;
        Ok(LocalPage::Open {
            address,
            may_move: self.port.is_none(),
            token,
        })
    }
}
