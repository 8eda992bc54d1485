//! `greylag coordinator`: the web page, the API and the agents' port.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use greylag_reporting::coordinator::{
    Coordinator, CoordinatorConfig, Keep, Provisioning, agent_routes,
};
use greylag_reporting::web::{
    BasePath, PublicAddress, PublicUrl, Tls, TlsFiles, TrustedProxies, TrustedProxy, WebConfig,
    check_listen_address, serve,
};
use greylag_reporting::{Token, TraceUrl};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::provisioning::{Places, provisioning_of};
use crate::cli::failure::Failure;
use crate::cli::listen::{cannot_listen, resolve};
use crate::cli::options::{DEFAULT_DATA, seconds};
use crate::cli::otlp::{OtlpOptions, collector_of};
use crate::cli::print::print_line;
use crate::cli::settings::Sources;
use crate::cli::signals::{Hangup, Signals, at_hangup, exit_at_second_signal};
use crate::cli::webhook::{WebhookOptions, webhook_of};
use crate::open_files::raise_file_limit;

/// Shortest lease, in seconds: agents are heard once a second, and a lost packet must not end a run.
const SHORTEST_LEASE_S: u64 = 3;
/// Longest lease, in seconds: load out of control must end at some time.
const LONGEST_LEASE_S: u64 = 3_600;

/// Time in which a coordinator ends after a signal. What is not saved by then was not acknowledged either, and agents
/// send it to the next coordinator.
const END_TIMEOUT: Duration = Duration::from_millis(4_500);

/// Options of `greylag coordinator`.
#[derive(Debug, Args)]
pub(crate) struct CoordinatorOptions {
    /// Address to listen on. Non-loopback addresses are reachable from other machines and need a token.
    #[arg(
        long,
        env = "GREYLAG_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8089"
    )]
    listen: String,
    /// Directory for results.
    #[arg(long, env = "GREYLAG_DATA", value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// Configuration file (TOML): these options by their long names, and the infrastructures that get machines for runs.
    #[arg(long, env = "GREYLAG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Token required by agents, the API and the web page.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Address that browsers use when the coordinator is behind a proxy, such as https://load.example/greylag; its
    /// origin is accepted, and links use it.
    #[arg(long, env = "GREYLAG_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Path under which browsers reach the coordinator, such as /greylag [default: that of --public-url].
    #[arg(long, env = "GREYLAG_BASE_PATH", value_name = "PATH")]
    base_path: Option<BasePath>,
    /// Proxies in front of the coordinator, as addresses or networks (such as 127.0.0.1 or 10.0.0.0/8): requests that come
    /// from them come from the address that their X-Forwarded-For names. Repeat it or separate them with commas.
    #[arg(
        long,
        env = "GREYLAG_TRUSTED_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<TrustedProxy>,
    /// Certificate chain (PEM) to serve HTTPS with, on the same port, for browsers and agents; read again at SIGHUP.
    #[arg(long, env = "GREYLAG_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of --tls-cert.
    #[arg(long, env = "GREYLAG_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Lease: how long an agent may be out of contact before its load stops.
    #[arg(long, env = "GREYLAG_LEASE", value_name = "DURATION", default_value = "30s", value_parser = seconds)]
    lease: u64,
    /// Keep only runs that ended within this time, such as 90d, or only the newest runs, such as 500 [default: keep all]. An
    /// imported run counts from its own end; pin it to keep it.
    #[arg(long, env = "GREYLAG_KEEP", value_name = "DAYS|RUNS")]
    keep: Option<Keep>,
    /// Keep only the newest runs of each test, so many; of those that --keep leaves [default: keep all].
    #[arg(long, env = "GREYLAG_KEEP_RUNS", value_name = "N")]
    keep_runs: Option<NonZeroU32>,
    #[command(flatten)]
    webhook: WebhookOptions,
    /// Address of a trace in your tracing system, such as 'https://tracing.example/trace/{trace_id}': pages link traced requests
    /// (`trace_share`) to it.
    #[arg(long, env = "GREYLAG_TRACE_URL", value_name = "URL")]
    trace_url: Option<TraceUrl>,
    #[command(flatten)]
    otlp: OtlpOptions,
    /// Store programs that `run --coordinator` uploads, and have agents run them that accept it.
    #[arg(long, env = "GREYLAG_ACCEPT_UPLOADS")]
    accept_uploads: bool,
}

/// The certificate that was named, if one was.
fn tls_of(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>, Failure> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let tls = Tls::load(TlsFiles { certificate, key });
            tls.map(Some).map_err(Failure::bad_input)
        }
        (None, None) => Ok(None),
        _ => Err(Failure::bad_input(
            "--tls-cert and --tls-key belong together; set both",
        )),
    }
}

fn reload(tls: &Tls) {
    match tls.reload() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => {
            tracing::error!(%error, "the new certificate cannot be used; the old one is still served");
        }
    }
}

/// Runs a coordinator until Ctrl-C, SIGTERM or SIGHUP; with a certificate SIGHUP reads that again.
pub(crate) async fn coordinator(
    options: CoordinatorOptions,
    sources: &Sources,
) -> Result<ExitCode, Failure> {
    if !(SHORTEST_LEASE_S..=LONGEST_LEASE_S).contains(&options.lease) {
        return Err(Failure::bad_input(format!(
            "the lease must be between {SHORTEST_LEASE_S}s and {LONGEST_LEASE_S}s, got {}s",
            options.lease
        )));
    }
    let public =
        PublicAddress::new(options.public_url, options.base_path).map_err(Failure::bad_input)?;
    let webhook = webhook_of(options.webhook, public.url())?;
    let collector = collector_of(options.otlp, sources)?;
    let tls = tls_of(options.tls_cert, options.tls_key)?;
    let (scheme, hangup) = match tls {
        Some(_) => ("https", Hangup::Reload),
        None => ("http", Hangup::End),
    };
    let mut signals = Signals::take_with(hangup)?;
    exit_at_second_signal(hangup)?;
    if let Some(tls) = tls.clone() {
        at_hangup(move || reload(&tls))?;
    }
    raise_file_limit();
    let address = resolve(&options.listen).await?;
    check_listen_address(address, options.token.as_ref()).map_err(Failure::bad_input)?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    let address = listener.local_addr().map_err(Failure::failed)?;

    let provisioning = match &options.config {
        Some(path) => {
            let places = Places {
                address,
                scheme,
                public: &public,
                data_dir: &options.data,
                accept_uploads: options.accept_uploads,
            };
            provisioning_of(path, &places)?
        }
        None => Provisioning::default(),
    };
    let config = CoordinatorConfig {
        data_dir: options.data,
        lease: Duration::from_secs(options.lease),
        provisioning,
    };
    let starting = async {
        let started = Coordinator::start(config).await;
        started.map_err(Failure::bad_input)
    };
    let interrupted = || "interrupted while the results were being opened".to_owned();
    let coordinator = signals.or_leave(starting, interrupted).await?;
    let of_each_test = options
        .keep_runs
        .map(|runs| Keep::RunsOfEachTest(runs.get()));
    for keep in options.keep.into_iter().chain(of_each_test) {
        coordinator.keep_only(keep);
    }
    if let Some(webhook) = webhook {
        coordinator.announce_to(webhook);
    }
    if let Some(collector) = collector {
        coordinator.push_to(collector);
    }
    let ending = CancellationToken::new();
    let server = serve(
        listener,
        coordinator.clone(),
        agent_routes(coordinator.clone()),
        WebConfig {
            token: options.token,
            tls,
            public: public.clone(),
            trusted_proxies: TrustedProxies::new(options.trusted_proxy),
            accept_uploads: options.accept_uploads,
            trace_url: options.trace_url,
            ..WebConfig::default()
        },
        ending.clone(),
    );
    let base = public.base_path().as_str();
    match public.url() {
        Some(url) => {
            print_line(format_args!("Listening on {scheme}://{address}{base}"));
            print_line(format_args!("Greylag is at {url}"));
        }
        None => print_line(format_args!("Greylag is at {scheme}://{address}{base}")),
    }
    let mut server = std::pin::pin!(server);
    let ended_early = tokio::select! {
        served = &mut server => Some(served),
        () = signals.next() => None,
    };
    ending.cancel();
    let end = async {
        let served = match ended_early {
            Some(served) => served,
            None => server.await,
        };
        coordinator.shutdown().await;
        served
    };
    let Ok(served) = tokio::time::timeout(END_TIMEOUT, end).await else {
        return Err(Failure::failed(format!(
            "the store or an answer was still busy after {} s; agents keep what was not saved and send it again",
            END_TIMEOUT.as_secs_f64()
        )));
    };
    served
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| Failure::failed(format!("the web server failed: {error}")))
}
