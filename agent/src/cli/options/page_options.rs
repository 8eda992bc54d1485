//! Where the page of this machine is, and who may look at it: for `run` and `serve`.

use std::path::PathBuf;

use clap::Args;
use greylag_reporting::{Token, TraceUrl};

/// Options about the page.
#[derive(Debug, Args)]
pub(crate) struct PageOptions {
    /// Port of the web page [default: 8089, or any free port].
    #[arg(short = 'P', long, visible_alias = "web-port", env = "GREYLAG_PORT")]
    pub(crate) port: Option<u16>,
    /// Address to serve the web page on. Non-loopback addresses are reachable from other machines and need a token
    /// [default: 127.0.0.1].
    #[arg(long, env = "GREYLAG_WEB_HOST", value_name = "ADDRESS")]
    pub(crate) web_host: Option<String>,
    /// Token required by the page and the API; with --coordinator, a token of the coordinator with the role admin, or its own.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Token>,
    /// Directory for results [default: ./greylag-data].
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of a trace in your tracing system, such as 'https://tracing.example/trace/{trace_id}': the page links traced requests
    /// (--trace-share) to it.
    #[arg(long, env = "GREYLAG_TRACE_URL", value_name = "URL")]
    pub(crate) trace_url: Option<TraceUrl>,
}
