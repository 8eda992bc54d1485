//! Coordinator and agent in this one process, for `run` and `demo`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use greylag_infra::LoadTest;
use greylag_reporting::coordinator::{Coordinator, CoordinatorConfig, DEFAULT_LEASE, agent_routes};
use greylag_reporting::web::{Token, WebConfig, serve};
use greylag_scenarios::Scenario;
use rand::Rng as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::api_client::ApiClient;
use super::coordinator::cannot_listen;
use super::failure::Failure;
use super::follow::{Following, Outcome, follow};
use super::say;
use super::signals::Signals;
use crate::agent::{Agent, AgentConfig, AgentHandle, machine_name, worker_command};

/// The infrastructure that this machine is.
pub(super) const LOCAL_INFRASTRUCTURE: &str = "local";
/// Where the page is unless the port is taken; as Locust's.
const DEFAULT_PORT: u16 = 8089;

/// Whether the page can be looked at while a test runs here.
pub(super) enum LocalPage {
    /// On this port, or the usual one, or any that is free.
    Open {
        /// The port.
        port: Option<u16>,
    },
    /// Nobody can: the port is any, and the token is told to nobody.
    Closed,
}

/// A coordinator and its one agent.
pub(super) struct Local {
    url: Url,
    /// A secret nobody is told, when nobody shall look at the page.
    token: Option<Token>,
    coordinator: Coordinator,
    agent: AgentHandle,
    server: JoinHandle<std::io::Result<()>>,
    ending: CancellationToken,
}

impl Local {
    /// Starts both and waits until they know each other.
    pub(super) async fn start(
        data_dir: PathBuf,
        page: LocalPage,
        scenarios: Vec<Scenario>,
    ) -> Result<Self, Failure> {
        let (listener, token) = match page {
            LocalPage::Open { port } => (listen(port).await?, None),
            LocalPage::Closed => (listen(Some(0)).await?, Some(secret()?)),
        };
        let address = listener.local_addr().map_err(Failure::failed)?;
        let url = Url::parse(&format!("http://{address}")).map_err(Failure::failed)?;
        let coordinator = Coordinator::start(CoordinatorConfig {
            data_dir,
            lease: DEFAULT_LEASE,
        })
        .await
        .map_err(Failure::bad_input)?;
        let ending = CancellationToken::new();
        let server = tokio::spawn(serve(
            listener,
            coordinator.clone(),
            agent_routes(coordinator.clone()),
            WebConfig {
                token: token.clone(),
            },
            ending.clone(),
        ));
        let mut agent = Agent::start(AgentConfig {
            coordinator_url: url.clone(),
            infrastructure: LOCAL_INFRASTRUCTURE.to_owned(),
            name: machine_name(),
            token: token.as_ref().map(|token| token.expose().to_owned()),
            scenarios,
            worker_command: worker_command().map_err(|error| {
                Failure::failed(format!("this program cannot be found: {error}"))
            })?,
        })
        .map_err(Failure::failed)?;
        agent.connected().await.map_err(Failure::failed)?;
        Ok(Self {
            url,
            token,
            coordinator,
            agent,
            server,
            ending,
        })
    }

    /// Runs a test on the local agent and follows it to its end.
    pub(super) async fn run(
        &self,
        test: &LoadTest,
        following: &mut Following,
        signals: &mut Signals,
    ) -> Result<Outcome, Failure> {
        let api = ApiClient::new(self.url.clone(), self.token.clone()).map_err(Failure::failed)?;
        let run = api
            .start_run(test, Some(&test.scenario), true)
            .await
            .map_err(Failure::bad_input)?;
        match &self.token {
            None => say(format_args!(
                "Run #{} of {}: {}",
                run.number,
                test.name,
                api.page(&run.url)
            )),
            Some(_) => say(format_args!("Run #{} of {}", run.number, test.name)),
        }
        follow(&api, &run, following, signals).await
    }

    /// Where the page is.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Ends both at once: workers are killed. What was saved stays; a run that was under way is found
    /// unfinished by the next coordinator on the same data.
    pub(super) async fn abandon(mut self) {
        self.agent.kill();
        // It was told to end whatever happens, and how it does makes no difference now.
        let _ = self.agent.ended().await;
        self.ending.cancel();
        self.server.abort();
        self.coordinator.shutdown().await;
    }

    /// Ends both, after the last results are saved.
    pub(super) async fn end(self) {
        if let Err(error) = self.agent.shutdown().await {
            tracing::warn!("the agent ended badly: {error}");
        }
        self.ending.cancel();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the web server ended badly: {error}"),
            Err(error) => tracing::warn!("the web server ended badly: {error}"),
        }
        self.coordinator.shutdown().await;
    }
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

/// The port that was asked for, or the usual one, or any that is free.
async fn listen(port: Option<u16>) -> Result<TcpListener, Failure> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        let address = at(port);
        return TcpListener::bind(address)
            .await
            .map_err(|error| cannot_listen(address, &error));
    }
    match TcpListener::bind(at(DEFAULT_PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(at(0))
            .await
            .map_err(|error| cannot_listen(at(0), &error)),
    }
}
