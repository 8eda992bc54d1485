//! `greylag agent`: load for a coordinator.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greylag_infra::check_infrastructure_name;
use greylag_reporting::Token;
use greylag_scenarios::Scenario;
use url::Url;

use crate::agent::{
    Agent, AgentConfig, AgentError, AgentHandle, Stay, UploadedBuilds, WorkerUser,
    default_cache_dir, machine_name, worker_command,
};
use crate::cli::failure::Failure;
use crate::cli::options::{CaOption, coordinator_url, seconds, size, trusting};
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
    /// A token of the coordinator: one with the role agent or admin, or its own.
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
    /// Run programs that were uploaded to the coordinator. Whoever has a token of it with the role admin can then run programs on this
    /// machine.
    #[arg(long, env = "GREYLAG_ACCEPT_UPLOADS")]
    accept_uploads: bool,
    /// Directory in which uploaded programs are kept; agents of one machine can share it [default: ~/.cache/greylag/builds].
    #[arg(
        long,
        env = "GREYLAG_CACHE",
        value_name = "DIR",
        requires = "accept_uploads"
    )]
    cache: Option<PathBuf>,
    /// Largest size of that directory, such as 500M or 4G; the programs that were not used for longest make room. Copies of data files
    /// that runs in progress use come on top.
    #[arg(long, env = "GREYLAG_CACHE_SIZE", value_name = "SIZE", default_value = "2G", value_parser = size)]
    cache_size: u64,
    /// Run uploaded programs as this user; needs root. They then cannot read what only the agent's user may, such as its token.
    #[arg(
        long,
        env = "GREYLAG_WORKER_USER",
        value_name = "NAME",
        requires = "accept_uploads"
    )]
    worker_user: Option<String>,
}

impl AgentOptions {
    /// How uploaded programs are run, if they are.
    ///
    /// # Errors
    /// The directory for them or the user does not exist.
    fn uploads(&self) -> Result<Option<UploadedBuilds>, Failure> {
        if !self.accept_uploads {
            return Ok(None);
        }
        let cache_dir = self.cache.clone().or_else(default_cache_dir);
        let cache_dir = cache_dir.ok_or_else(|| {
            Failure::bad_input(
                "this user has no home directory; name one for programs with --cache",
            )
        })?;
        // Workers are started wherever this process is then.
        let cache_dir = std::path::absolute(cache_dir).map_err(Failure::bad_input)?;
        let worker_user = self.worker_user.as_deref().map(user_named).transpose()?;
        Ok(Some(UploadedBuilds {
            cache_dir,
            cache_bytes: self.cache_size,
            worker_user,
        }))
    }
}

/// The user of this name.
///
/// # Errors
/// There is none, or this process may not start others as that user.
fn user_named(name: &str) -> Result<WorkerUser, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::bad_input(
            "--worker-user needs an agent that runs as root, because only root may start processes of other users",
        ));
    }
    let found = nix::unistd::User::from_name(name);
    let found = found.map_err(|error| {
        Failure::bad_input(format!(
            "user `{name}` of --worker-user cannot be looked up: {error}"
        ))
    })?;
    let user = found.ok_or_else(|| {
        Failure::bad_input(format!(
            "user `{name}`, which --worker-user names, does not exist"
        ))
    })?;
    if user.uid.is_root() {
        return Err(Failure::bad_input(format!(
            "user `{name}` of --worker-user is root, so uploaded programs could do everything here; name another user, such as nobody"
        )));
    }
    Ok(WorkerUser {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// Runs an agent until Ctrl-C, SIGTERM or SIGHUP, or until it ends by itself.
pub(crate) async fn agent(
    options: AgentOptions,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, Failure> {
    check_infrastructure_name(&options.infrastructure).map_err(Failure::bad_input)?;
    let mut signals = Signals::take()?;
    let uploads = options.uploads()?;
    let config = AgentConfig {
        uploads,
        coordinator_url: options.coordinator,
        infrastructure: options.infrastructure,
        name: options.name.unwrap_or_else(machine_name),
        token: options.token.map(|token| token.expose().to_owned()),
        tls: match &options.trust.ca {
            Some(file) => Some(Arc::new(trusting("--ca", file)?)),
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
