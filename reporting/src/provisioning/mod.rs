//! Where agents come from: each kind of infrastructure gets agents for a run and gives their machines back, behind one
//! trait, [`Provider`].
//!
//! What the coordinator's configuration file says is in `config/`; each kind has a file or folder of its own. When which
//! of them is asked for what is the coordinator's work.

mod command;
mod config;
mod error;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod machines;
mod provider;

pub use command::{CommandConfig, Commands};
pub use config::{
    ConfigDuration, ConfigError, ConfigErrors, ConfigFileError, ConfiguredOption, CoordinatorFile,
    InfrastructureConfig, KindConfig, MAX_CONFIG_FILE_BYTES, ProviderPlaces,
};
pub use error::ProvisionError;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Kubernetes, KubernetesSettings, SettingsError};
pub use machines::Machines;
pub use provider::{MachineNews, MachineState, Order, Provider, ProviderKind, ProviderNews};
