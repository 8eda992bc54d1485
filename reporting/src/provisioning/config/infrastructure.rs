//! One table `[infrastructures.NAME]`: its kind says which keys it has.

use std::path::PathBuf;
use std::sync::Arc;

use greylag_infra::check_infrastructure_name;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::errors::Problems;
use super::{COORDINATOR_URL, deserialize, values};
use crate::provisioning::{CommandConfig, Commands, Machines, Provider, ProviderKind};
#[cfg(feature = "kubernetes")]
use crate::provisioning::{Kubernetes, KubernetesSettings};

/// The key that every table has.
const KIND: &str = "kind";

/// What the file says of an infrastructure.
#[derive(Debug, Clone)]
pub struct InfrastructureConfig {
    /// Where its agents reach the coordinator; none: as the file says for all.
    pub coordinator_url: Option<Url>,
    /// Its kind, with what that takes.
    pub kind: KindConfig,
}

/// WHEN ADDING A KIND: its settings here, its word in `ProviderKind`, what it does in a file or folder beside `machines.rs`.
#[derive(Debug, Clone)]
pub enum KindConfig {
    /// Agents that people start.
    Machines,
    /// Commands that start and end agents.
    Command(CommandConfig),
    /// Pods of a cluster.
    #[cfg(feature = "kubernetes")]
    Kubernetes(Box<KubernetesSettings>),
}

/// Where providers find and keep what is theirs.
#[derive(Debug, Clone)]
pub struct ProviderPlaces {
    /// The directory of the configuration file, from which paths in it are.
    pub config_dir: PathBuf,
    /// The coordinator's data directory.
    pub data_dir: PathBuf,
}

/// What commands have begun, in the data directory.
const COMMANDS_DIR: &str = "commands";

impl InfrastructureConfig {
    /// Whom to ask for its machines. `name` is that of the infrastructure.
    pub fn provider(&self, name: &str, places: &ProviderPlaces) -> Arc<dyn Provider> {
        match &self.kind {
            KindConfig::Machines => Arc::new(Machines),
            KindConfig::Command(config) => Arc::new(Commands::new(
                name,
                config.clone(),
                &places.config_dir,
                &places.data_dir.join(COMMANDS_DIR),
            )),
            #[cfg(feature = "kubernetes")]
            KindConfig::Kubernetes(settings) => {
                let settings = KubernetesSettings::clone(settings);
                Arc::new(Kubernetes::new(settings, name, &places.data_dir))
            }
        }
    }
}

impl KindConfig {
    fn read(kind: ProviderKind, rest: Spanned<DeValue<'_>>) -> Result<Self, (usize, String)> {
        match kind {
            ProviderKind::Machines => deserialize(rest).map(|NoSettings {}| Self::Machines),
            ProviderKind::Command => deserialize(rest).map(Self::Command),
            #[cfg(feature = "kubernetes")]
            ProviderKind::Kubernetes => {
                let at = rest.span().start;
                let settings: Box<KubernetesSettings> = deserialize(rest)?;
                settings.check().map_err(|error| (at, error.to_string()))?;
                Ok(Self::Kubernetes(settings))
            }
            #[cfg(not(feature = "kubernetes"))]
            ProviderKind::Kubernetes => Err((
                rest.span().start,
                "this program was built without the feature `kubernetes`".to_owned(),
            )),
        }
    }
}

/// Of a kind that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Reads the table of an infrastructure whose name stands `at`.
pub(super) fn read(
    name: &str,
    at: usize,
    value: Spanned<DeValue<'_>>,
    problems: &mut Problems<'_>,
) -> Option<InfrastructureConfig> {
    if let Err(error) = check_infrastructure_name(name) {
        problems.add(at, error.to_string());
    }
    let span = value.span();
    let DeValue::Table(mut table) = value.into_inner() else {
        problems.add(
            at,
            format!(
                "`{}` must be a table: [infrastructures.NAME]",
                values::shown(name)
            ),
        );
        return None;
    };
    let coordinator_url = remove(&mut table, COORDINATOR_URL)
        .and_then(|url| problems.take(values::url(url, COORDINATOR_URL)));
    let Some(kind) = remove(&mut table, KIND) else {
        problems.add(
            at,
            format!(
                "infrastructure `{}` has no `kind`; {}",
                values::shown(name),
                kinds()
            ),
        );
        return None;
    };
    let kind = problems.take(kind_of(&kind))?;
    let rest = Spanned::new(span, DeValue::Table(table));
    let kind = problems.take(KindConfig::read(kind, rest))?;
    Some(InfrastructureConfig {
        coordinator_url,
        kind,
    })
}

fn remove<'i>(table: &mut DeTable<'i>, key: &str) -> Option<Spanned<DeValue<'i>>> {
    table.remove(key)
}

fn kind_of(value: &Spanned<DeValue<'_>>) -> Result<ProviderKind, (usize, String)> {
    let at = value.span().start;
    let Some(text) = value.get_ref().as_str() else {
        return Err((at, format!("`kind` must be a string; {}", kinds())));
    };
    let known = ProviderKind::ALL
        .into_iter()
        .find(|kind| kind.word() == text);
    known.ok_or_else(|| {
        let text = values::shown(text);
        (
            at,
            format!(
                "`{text}` is not a valid kind of infrastructure; {}",
                kinds()
            ),
        )
    })
}

fn kinds() -> String {
    let words = ProviderKind::ALL.map(ProviderKind::word);
    format!("available kinds: {}", words.join(", "))
}
