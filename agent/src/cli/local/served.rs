//! Coordinator and agent in this one process, for `run` and `demo`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use greylag_infra::TestDraft;
use greylag_reporting::coordinator::{
    Coordinator, CoordinatorConfig, DEFAULT_LEASE, Provisioning, agent_routes,
};
use greylag_reporting::web::{WebConfig, check_listen_address, serve};
use greylag_reporting::{StoreError, Token, TraceUrl};
use greylag_scenarios::Scenario;
use rand::Rng as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::LOCAL_INFRASTRUCTURE;
use crate::agent::{Agent, AgentConfig, AgentHandle, Stay, machine_name, worker_command};
use crate::cli::api_client::ApiClient;
use crate::cli::bundle_file::import_baseline;
use crate::cli::failure::Failure;
use crate::cli::follow::{Following, KeptResults, Outcome, follow, warn_about};
use crate::cli::listen::{listen, resolve};
use crate::cli::options::{DataDir, PageOptions};
use crate::cli::print::print_line;
use crate::cli::signals::Signals;

/// Where the page is unless something else is said; as Locust's.
const DEFAULT_PORT: u16 = 8089;

/// How long a store may take to close that is abandoned.
const ABANDON_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether the page can be looked at while a test runs here.
pub(crate) enum LocalPage {
    /// It can.
    Open {
        /// Where it is.
        address: SocketAddr,
        /// Whether any other port will do when that one is taken.
        may_move: bool,
        /// What browsers and programs need, if it is reachable from other machines.
        token: Option<Token>,
    },
    /// It cannot: the port is any, and the token is a secret of this process.
    Closed,
}

impl LocalPage {
    /// The page as it is asked for. On loopback without `ask_token` no token is asked for: it is only a
    /// coordinator's elsewhere.
    ///
    /// # Errors
    /// The address is not one, or open to others without a token.
    pub(crate) async fn of(options: &PageOptions, ask_token: bool) -> Result<Self, Failure> {
        let token = options.token.clone();
        let Some(host) = &options.web_host else {
            let token = token.filter(|_| ask_token);
            return Ok(Self::on_port(options.port, token));
        };
        // Locust's `*` and empty host mean all addresses.
        let host = if host == "*" { "0.0.0.0" } else { host };
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let address = resolve(&format!("{host}:{}", options.port.unwrap_or(DEFAULT_PORT))).await?;
        check_listen_address(address, token.as_ref()).map_err(Failure::bad_input)?;
        Ok(Self::Open {
            address,
            may_move: options.port.is_none(),
            token,
        })
    }

    /// On a port of this machine, or the usual one, or any that is free.
    pub(crate) fn on_port(port: Option<u16>, token: Option<Token>) -> Self {
        Self::Open {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(DEFAULT_PORT))),
            may_move: port.is_none(),
            token,
        }
    }
}

/// A coordinator and its one agent.
pub(crate) struct Local {
    url: Url,
    token: Option<Token>,
    /// Whether the page can be looked at.
    is_open: bool,
    coordinator: Coordinator,
    data_dir: PathBuf,
    agent: AgentHandle,
    server: JoinHandle<std::io::Result<()>>,
    ending: CancellationToken,
}

impl Local {
    /// Starts both and waits until they know each other. The page's start form is filled in from `start_form` at
    /// first, and traces are shown at `trace_url`.
    pub(crate) async fn start(
        data_dir: DataDir,
        page: LocalPage,
        start_form: TestDraft,
        trace_url: Option<TraceUrl>,
        scenarios: Vec<Scenario>,
    ) -> Result<Self, Failure> {
        let is_open = matches!(page, LocalPage::Open { .. });
        let (listener, token) = match page {
            LocalPage::Open {
                address,
                may_move,
                token,
            } => (listen(address, may_move).await?, token),
            LocalPage::Closed => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                (listen(any, false).await?, Some(secret()?))
            }
        };
        let mut address = listener.local_addr().map_err(Failure::failed)?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let url = Url::parse(&format!("http://{address}")).map_err(Failure::failed)?;
        let (coordinator, data_dir) = start_coordinator(&data_dir).await?;
        let ending = CancellationToken::new();
        let server = tokio::spawn(serve(
            listener,
            coordinator.clone(),
            agent_routes(coordinator.clone()),
            WebConfig {
                token: token.clone(),
                start_form,
                trace_url,
                ..WebConfig::default()
            },
            ending.clone(),
        ));
        let mut agent = Agent::start(AgentConfig {
            coordinator_url: url.clone(),
            infrastructure: LOCAL_INFRASTRUCTURE.to_owned(),
            name: machine_name(),
            token: token.as_ref().map(|token| token.expose().to_owned()),
            tls: None,
            scenarios,
            worker_command: worker_command().map_err(|error| {
                Failure::failed(format!("this program cannot be found: {error}"))
            })?,
            stay: Stay::default(),
            uploads: None,
        })
        .map_err(Failure::failed)?;
        agent.connected().await.map_err(Failure::failed)?;
        Ok(Self {
            url,
            token,
            is_open,
            coordinator,
            data_dir,
            agent,
            server,
            ending,
        })
    }

    /// Runs a test, which has a name, on the local agent and follows it to its end.
    pub(crate) async fn run(
        &self,
        draft: &TestDraft,
        following: &mut Following,
        signals: &mut Signals,
    ) -> Result<Outcome, Failure> {
        let api = ApiClient::new(self.url.clone(), self.token.clone(), None)?;
        let mut draft = draft.clone();
        let patient = ApiClient::patient(self.url.clone(), self.token.clone(), None)?;
        import_baseline(&patient, &mut draft).await?;
        following.kept = KeptResults::In(self.data_dir.clone());
        let started = api.start_run(&draft).await;
        let run = started.map_err(|error| error.of_start(&following.kept.look(&api)))?;
        let name = draft.name.as_deref().unwrap_or_default();
        if self.is_open {
            print_line(format_args!(
                "Run #{} of {}: {}",
                run.number,
                name,
                api.page_of(&run)
            ));
        } else {
            print_line(format_args!("Run #{} of {}", run.number, name));
        }
        warn_about(&run);
        follow(&api, &patient, &run, following, signals).await
    }

    /// Waits until agent or server have ended by themselves, which they should not.
    pub(crate) async fn ended(&mut self) -> Failure {
        tokio::select! {
            ended = self.agent.ended() => match ended {
                Ok(()) => Failure::failed("the agent ended"),
                Err(error) => Failure::failed(format!("the agent ended: {error}")),
            },
            served = &mut self.server => Failure::failed(match served {
                Ok(Ok(())) => "the web server ended".to_owned(),
                Ok(Err(error)) => format!("the web server ended: {error}"),
                Err(error) => format!("the web server ended: {error}"),
            }),
        }
    }

    /// Where the page is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Ends both immediately: workers are killed. What was saved stays; a run that was under way is found
    /// unfinished by the next coordinator on the same data.
    pub(crate) async fn abandon(mut self) {
        self.agent.kill();
        // It ends in any case, and how makes no difference now.
        let _ = self.agent.ended().await;
        self.ending.cancel();
        self.server.abort();
        // A store that is busy is abandoned: what it has not saved was not acknowledged either.
        let _ = tokio::time::timeout(ABANDON_TIMEOUT, self.coordinator.shutdown()).await;
    }

    /// The same as [`Local::end`], until a signal ends that.
    ///
    /// # Errors
    /// There was a signal.
    pub(crate) async fn end_unless(self, signals: &mut Signals) -> Result<(), Failure> {
        let ended = async {
            self.end().await;
            Ok(())
        };
        signals
            .or_leave(ended, || "interrupted before shutdown finished".to_owned())
            .await
    }

    /// Ends both, after the last results are saved.
    pub(crate) async fn end(self) {
        if let Err(error) = self.agent.shutdown().await {
            tracing::warn!("the agent exited with an error: {error}");
        }
        self.ending.cancel();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the web server exited with an error: {error}"),
            Err(error) => tracing::warn!("the web server exited with an error: {error}"),
        }
        self.coordinator.shutdown().await;
    }
}

/// A coordinator on the first of these directories that no other one uses, and which that is.
async fn start_coordinator(data_dir: &DataDir) -> Result<(Coordinator, PathBuf), Failure> {
    let mut in_use: Option<StoreError> = None;
    for data_dir in data_dir.candidates() {
        let config = CoordinatorConfig {
            data_dir: data_dir.clone(),
            lease: DEFAULT_LEASE,
            provisioning: Provisioning::default(),
        };
        match Coordinator::start(config).await {
            Ok(coordinator) => {
                if let Some(StoreError::InUse { path }) = &in_use {
                    eprintln!(
                        "{} is in use by another Greylag; results go to {}.",
                        path.display(),
                        data_dir.display()
                    );
                }
                return Ok((coordinator, data_dir));
            }
            Err(error @ StoreError::InUse { .. }) => in_use = in_use.or(Some(error)),
            Err(error) => return Err(Failure::bad_input(error)),
        }
    }
    Err(in_use.map_or_else(
        || Failure::failed("the directory for results is missing"),
        Failure::bad_input,
    ))
}

/// A token that cannot be guessed.
fn secret() -> Result<Token, Failure> {
    const LETTERS: usize = 40;
    let letters: String = rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(LETTERS)
        .map(char::from)
        .collect();
    letters.parse().map_err(Failure::failed)
}
