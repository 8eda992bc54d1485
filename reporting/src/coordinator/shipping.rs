//! Shipped builds: which agents can run one, and what becomes of the stored ones.

use greylag_infra::{
    AgentView, BuildManifest, ConnectionStatus, DataFile, FileHash, SecretOption, ShippedBuild,
    is_same_machine, target_of,
};

use super::{Coordinator, StartRefused};
use crate::builds::{Announced, BuildError, BuildStore, StoredBuild};
use crate::store::StoreError;
use crate::tokens::Grant;

/// Most agents that a message names.
const MAX_NAMED: usize = 5;

/// What decides whether an agent can run a build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirements<'a> {
    sha256: &'a FileHash,
    version: &'a str,
    platform: &'a str,
    worker_protocol: u32,
    has_data: bool,
}

impl<'a> From<&'a ShippedBuild> for Requirements<'a> {
    fn from(build: &'a ShippedBuild) -> Self {
        Self {
            sha256: &build.sha256,
            version: &build.version,
            platform: &build.platform,
            worker_protocol: build.worker_protocol,
            has_data: !build.data.is_empty(),
        }
    }
}

impl<'a> From<&'a BuildManifest> for Requirements<'a> {
    fn from(manifest: &'a BuildManifest) -> Self {
        Self {
            sha256: &manifest.sha256,
            version: &manifest.version,
            platform: &manifest.platform,
            worker_protocol: manifest.worker_protocol,
            has_data: !manifest.data.is_empty(),
        }
    }
}

/// Checks that all these agents can run a build. One that is of this build itself needs nothing but its data files.
pub(super) fn check_can_run(
    agents: &[&AgentView],
    build: Requirements<'_>,
) -> Result<(), StartRefused> {
    let others = || {
        let agents = agents.iter();
        agents.filter(|agent| build.has_data || agent.build.sha256 != build.sha256.as_str())
    };
    let short = build.sha256.short().to_owned();
    let unwilling = others().filter(|agent| agent.worker_protocol.is_none());
    let unwilling: Vec<&str> = unwilling.map(|agent| agent.name.as_str()).collect();
    if !unwilling.is_empty() {
        return Err(StartRefused::UploadsRefused {
            agents: named(&unwilling),
            build: short,
        });
    }
    let without_data = others().filter(|agent| build.has_data && !agent.takes_data);
    let without_data: Vec<&str> = without_data.map(|agent| agent.name.as_str()).collect();
    if !without_data.is_empty() {
        return Err(StartRefused::DataRefused {
            agents: named(&without_data),
            build: short,
        });
    }
    for agent in others() {
        let theirs = &agent.build.platform;
        if !is_same_machine(build.platform, theirs) {
            return Err(StartRefused::OtherPlatform {
                agent: agent.name.clone(),
                theirs: theirs.clone(),
                ours: build.platform.to_owned(),
                build: short,
                target: target_of(theirs),
            });
        }
        let theirs = agent.worker_protocol.unwrap_or_default();
        if theirs != build.worker_protocol {
            return Err(StartRefused::OtherWorkerProtocol {
                agent: agent.name.clone(),
                theirs: agent.version.clone(),
                ours: build.version.to_owned(),
                build: short,
            });
        }
    }
    Ok(())
}

fn named(agents: &[&str]) -> String {
    let (named, more) = agents.split_at(agents.len().min(MAX_NAMED));
    let named = named.join(", ");
    match more.len() {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Why a build is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// No agent could run it.
    #[error(transparent)]
    Refused(#[from] StartRefused),
    /// It cannot be stored.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It is not known which builds runs need.
    #[error("the results cannot be read; the coordinator's log says why")]
    Store(#[from] StoreError),
}

impl Coordinator {
    /// The builds that were uploaded.
    pub fn builds(&self) -> &BuildStore {
        &self.shared.builds
    }

    /// Announces a build that is to be uploaded for runs in this infrastructure, and says how much of it is there.
    ///
    /// # Errors
    /// None of the infrastructure's agents can run it, or it cannot be stored.
    pub async fn announce_build(
        &self,
        manifest: BuildManifest,
        infrastructure: &str,
    ) -> Result<Announced, AnnounceError> {
        let manifest = manifest.checked();
        let infrastructures = self.infrastructures();
        let agents = infrastructures
            .iter()
            .filter(|known| known.name == infrastructure)
            .flat_map(|known| &known.agents)
            .filter(|agent| agent.status == ConnectionStatus::Connected);
        let checks: Vec<_> = agents
            .map(|agent| check_can_run(&[agent], (&manifest).into()))
            .collect();
        // Which of them a run takes is said when it starts.
        if checks.iter().all(Result::is_err)
            && let Some(refused) = checks.into_iter().find_map(Result::err)
        {
            return Err(refused.into());
        }
        let secret = manifest.scenarios.iter().flat_map(|scenario| {
            let options = scenario.info.options.iter();
            let secret = options.filter(|option| option.secret);
            secret.map(|option| SecretOption {
                scenario: scenario.info.name.clone(),
                option: option.name.clone(),
                token: None,
            })
        });
        // Before any run has a value for one.
        self.store().save_secret_options(secret.collect()).await?;
        let of_runs = self.store().shipped_builds(true).await?;
        Ok(self.builds().announce(manifest, of_runs).await?)
    }

    /// The build that a run of one of its scenarios keeps, with these data files.
    ///
    /// # Errors
    /// It or one of them is not stored here (any more), or it has no such scenario.
    pub async fn shipped_build(
        &self,
        hash: &FileHash,
        scenario: &str,
        data: Vec<DataFile>,
    ) -> Result<ShippedBuild, StartRefused> {
        let checked = self.builds().check_data(data.clone()).await;
        checked.map_err(StartRefused::Build)?;
        let StoredBuild {
            manifest,
            uploaded_at,
        } = self.builds().get(hash).await.map_err(StartRefused::Build)?;
        let found = manifest
            .scenario(scenario)
            .ok_or_else(|| StartRefused::NotInBuild {
                scenario: scenario.chars().take(60).collect(),
                build: hash.short().to_owned(),
            })?;
        Ok(manifest.of_run(found, uploaded_at, data))
    }

    /// Whether an agent's token lets it fetch a build: a run in progress must be of it, where the token is for.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn may_fetch(
        &self,
        grant: &Grant,
        hash: &FileHash,
    ) -> Result<bool, StoreError> {
        let (infrastructure, run) = (grant.infrastructure.clone(), grant.run.clone());
        let store = self.store();
        store.is_build_in_use(hash, infrastructure, run).await
    }

    /// Deletes a build that no run in progress is of.
    ///
    /// # Errors
    /// It is not here or is in use, or the store or the disk failed.
    pub async fn delete_build(&self, hash: &FileHash) -> Result<(), AnnounceError> {
        if self.store().shipped_builds(false).await?.contains_key(hash) {
            return Err(BuildError::InUse(hash.short().to_owned()).into());
        }
        let of_runs = self.store().shipped_builds(true).await?;
        self.builds().delete(hash, of_runs).await?;
        tracing::info!(build = %hash.short(), "build deleted");
        Ok(())
    }
}
