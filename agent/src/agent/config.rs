//! How an agent is configured.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use greylag_infra::protocol::{AGENT_SOCKET_PATH, Hello, PROTOCOL_VERSION};
use greylag_infra::{AgentSecret, BuildInfo};
use greylag_scenarios::Scenario;
use rand::Rng;
use rand::distr::Alphanumeric;
use rustls::ClientConfig;
use url::Url;

use super::builds::{CacheOfOthers, check_owner};
use crate::scenario::scenario_info;
use crate::worker_protocol::WORKER_PROTOCOL;

/// Letters and digits of an agent's secret: 190 bits.
const SECRET_LENGTH: usize = 32;

/// When an agent that has no run ends by itself; by default never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stay {
    /// It ends with the first run that it takes part in, with that run's result.
    pub once: bool,
    /// It ends when it has had no run for so long.
    pub idle_timeout: Option<Duration>,
}

/// The configuration of an agent.
#[derive(Clone)]
pub struct AgentConfig {
    /// The coordinator's address: http, https, ws or wss; a path is kept as the prefix of a proxy.
    pub coordinator_url: Url,
    /// The infrastructure the agent joins.
    pub infrastructure: String,
    /// The agent's name, by default [`machine_name`].
    pub name: String,
    /// The coordinator's token, if it requires one.
    pub token: Option<String>,
    /// How servers are checked at https and wss addresses; by default by the system's authorities.
    pub tls: Option<Arc<ClientConfig>>,
    /// The scenarios that its workers know.
    pub scenarios: Vec<Scenario>,
    /// Program and arguments that start a worker, by default [`worker_command`].
    pub worker_command: Vec<OsString>,
    /// When it ends by itself.
    pub stay: Stay,
    /// How it runs builds that are shipped to it; none if it does not.
    pub uploads: Option<UploadedBuilds>,
}

/// How an agent runs builds that are shipped to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedBuilds {
    /// Where their programs are kept; agents of one machine may share it.
    pub cache_dir: PathBuf,
    /// Most bytes that are kept there.
    pub cache_bytes: u64,
    /// The user that their workers run as, if not the agent's.
    pub worker_user: Option<WorkerUser>,
}

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerUser {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group.
    pub gid: u32,
}

/// Why an agent cannot be started as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentConfigError {
    /// The address cannot be dialled.
    #[error(
        "`{0}` is not a valid coordinator address; write it as http://name:port or https://name"
    )]
    CoordinatorUrl(String),
    /// The address contains a user name or password, which would be logged and never used.
    #[error(
        "the coordinator's address contains a user name or password; leave them out and use --token"
    )]
    Credentials,
    /// There is no program to start workers with.
    #[error("the command that starts workers is empty")]
    NoWorkerCommand,
    /// Programs would be started from where others can put them.
    #[error(transparent)]
    Cache(#[from] CacheOfOthers),
}

/// Whether the address of a coordinator contains a user name or password, which coordinators do not ask for.
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

impl AgentConfig {
    pub(super) fn check(&self) -> Result<(), AgentConfigError> {
        if self.worker_command.is_empty() {
            return Err(AgentConfigError::NoWorkerCommand);
        }
        if let Some(uploads) = &self.uploads {
            check_owner(&uploads.cache_dir)?;
        }
        self.socket_url().map(drop)
    }

    /// Where the agents' WebSocket is.
    pub(super) fn socket_url(&self) -> Result<Url, AgentConfigError> {
        let wrong = || AgentConfigError::CoordinatorUrl(self.coordinator_url.to_string());
        let mut url = self.coordinator_url.clone();
        // First, so that no other message shows them.
        if has_credentials(&url) {
            return Err(AgentConfigError::Credentials);
        }
        let scheme = match url.scheme() {
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            _ => return Err(wrong()),
        };
        if !url.has_host() {
            return Err(wrong());
        }
        url.set_scheme(scheme).map_err(|()| wrong())?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{AGENT_SOCKET_PATH}"));
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }

    /// The coordinator's address for requests.
    pub(super) fn http_url(&self) -> Url {
        let mut url = self.coordinator_url.clone();
        let scheme = match url.scheme() {
            "ws" => "http",
            "wss" => "https",
            _ => return url,
        };
        // The one is as special as the other, so it can be set.
        let _ = url.set_scheme(scheme);
        url
    }

    /// The hello of a new agent without runs.
    pub(super) fn hello(&self) -> Hello {
        let secret: String = rand::rng()
            .sample_iter(Alphanumeric)
            .take(SECRET_LENGTH)
            .map(char::from)
            .collect();
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Hello {
            protocol: PROTOCOL_VERSION,
            secret: AgentSecret::new(secret),
            name: self.name.clone(),
            infrastructure: self.infrastructure.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // Known once the executable has been read.
            build: BuildInfo::default(),
            worker_protocol: self.uploads.as_ref().map(|_| WORKER_PROTOCOL),
            takes_data: true,
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            once: self.stay.once,
            scenarios: self.scenarios.iter().map(scenario_info).collect(),
            runs: Vec::new(),
        }
    }
}

impl fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentConfig")
            .field("coordinator_url", &self.coordinator_url.as_str())
            .field("infrastructure", &self.infrastructure)
            .field("name", &self.name)
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("scenarios", &self.scenarios)
            .field("worker_command", &self.worker_command)
            .field("stay", &self.stay)
            .field("uploads", &self.uploads)
            .finish()
    }
}

/// The name of this machine, or `agent` if it has none.
pub fn machine_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "agent".to_owned()
    } else {
        name
    }
}

/// What starts a worker: this same program with its hidden subcommand.
///
/// # Errors
/// When the system does not say which program this is.
pub fn worker_command() -> std::io::Result<Vec<OsString>> {
    let program = std::env::current_exe()?;
    Ok(vec![program.into_os_string(), OsString::from("worker")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> AgentConfig {
        AgentConfig {
            coordinator_url: Url::parse(url).unwrap(),
            infrastructure: "local".into(),
            name: "a".into(),
            token: Some("secret-token".into()),
            tls: None,
            scenarios: Vec::new(),
            worker_command: vec!["true".into()],
            stay: Stay::default(),
            uploads: None,
        }
    }

    #[test]
    fn credentials_in_the_address_are_refused() {
        let error = config("http://ada:secret@h:1")
            .check()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--token") && !error.contains("secret@"),
            "{error}"
        );
    }

    #[test]
    fn the_socket_is_below_the_coordinators_address() {
        for (url, socket) in [
            (
                "http://127.0.0.1:8089",
                "ws://127.0.0.1:8089/api/v1/agents/socket",
            ),
            (
                "https://load.example/",
                "wss://load.example/api/v1/agents/socket",
            ),
            (
                "https://example/greylag/?x#y",
                "wss://example/greylag/api/v1/agents/socket",
            ),
            ("ws://h:1", "ws://h:1/api/v1/agents/socket"),
        ] {
            assert_eq!(config(url).socket_url().unwrap().as_str(), socket);
        }
        assert!(config("ftp://h/").socket_url().is_err());
        assert!(config("mailto:a@b").check().is_err());
    }

    #[test]
    fn the_token_is_not_shown() {
        assert!(!format!("{:?}", config("http://h")).contains("secret-token"));
    }
}
