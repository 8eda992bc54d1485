//! `greylag agent`: load for a coordinator.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greylag_infra::check_infrastructure_name;
use greylag_reporting::Token;
use greylag_scenarios::Scenario;
use url::Url;

use crate::agent::{
    Agent, AgentConfig, AgentError, AgentHandle, Stay, machine_name, worker_command,
};
use crate::cli::failure::Failure;
use crate::cli::options::{CaOption, coordinator_url, seconds, trusting};
use crate::cli::signals::Signals;

/// Options of `greylag agent`.
#[derive(Debug, Args)]
pub(crate) struct AgentOptions {
    /// Address of the coordinator, such as http://10.0.0.1:8089.
    #[arg(long, env = "GREYLAG_COORDINATOR", value_name = "URL", value_parser = coordinator_url)]
    coordinator: Url,
    /// The infrastructure this machine joins; created if it doesn't exist.
    #[arg(long, env = "GREYLAG_INFRASTRUCTURE", value_name = "NAME")]
    infrastructure: String,
    /// Name of this agent [default: the machine's name].
    #[arg(long, env = "GREYLAG_AGENT_NAME", value_name = "NAME")]
    name: Option<String>,
    /// The coordinator's token.
    #[arg(long, env = "GREYLAG_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    #[command(flatten)]
    trust: CaOption,
    /// Exit with the first run this agent takes part in, once its last results are saved: with 0 if its part ended as
    /// planned, with 1 if the run failed or was stopped.
    #[arg(long, env = "GREYLAG_ONCE")]
    once: bool,
    /// Exit with 0 when there has been no run for this long [default: wait forever].
    #[arg(long, env = "GREYLAG_IDLE_TIMEOUT", value_name = "DURATION", value_parser = seconds)]
    idle_timeout: Option<u64>,
}

/// Runs an agent until Ctrl-C, SIGTERM or SIGHUP, or until it ends by itself.
pub(crate) async fn agent(
    options: AgentOptions,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    check_infrastructure_name(&options.infrastructure).map_err(Failure::bad_input)?;
    let mut signals = Signals::take()?;
    let config = AgentConfig {
        coordinator_url: options.coordinator,
        infrastructure: options.infrastructure,
        name: options.name.unwrap_or_else(machine_name),
        token: options.token.map(|token| token.expose().to_owned()),
        tls: match &options.trust.ca {
            Some(file) => Some(Arc::new(trusting(file)?)),
            None => None,
        },
        scenarios,
        worker_command: worker_command()
            .map_err(|error| Failure::failed(format!("this program cannot be found: {error}")))?,
        stay: Stay {
            once: options.once,
            idle_timeout: options.idle_timeout.map(Duration::from_secs),
        },
    };
    let mut agent = Agent::start(config).map_err(Failure::bad_input)?;
    tokio::select! {
        ended = agent.ended() => return end_of(ended),
        () = signals.next() => {}
    }
    end(&mut agent, &mut signals).await
}

/// Ends an agent cleanly, or immediately on a second signal.
async fn end(agent: &mut AgentHandle, signals: &mut Signals) -> Result<ExitCode, Failure> {
    tracing::info!("stopping the load and sending the last results (repeat to exit immediately)");
    agent.begin_shutdown();
    tokio::select! {
        ended = agent.ended() => return end_of(ended),
        () = signals.next() => {}
    }
    agent.kill();
    end_of(agent.ended().await)
}

fn end_of(ended: Result<(), AgentError>) -> Result<ExitCode, Failure> {
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(refused @ AgentError::Refused(_)) => Err(Failure::bad_input(refused)),
        Err(error @ (AgentError::RunFailed(_) | AgentError::ShutDown | AgentError::Panicked)) => {
            Err(Failure::failed(error))
        }
    }
}
