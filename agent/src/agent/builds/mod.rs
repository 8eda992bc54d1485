//! Builds that are shipped to this agent: fetched by hash, kept in a cache, and started as workers.

mod cache;
mod fetch;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use greylag_infra::ShippedBuild;

pub(crate) use cache::CachedBuild;
use cache::{BuildCache, CacheError};
use fetch::{Download, FetchError};

use super::config::{AgentConfig, UploadedBuilds};

/// Fetches builds. Clones share one cache.
#[derive(Debug, Clone)]
pub(super) struct Builds {
    cache: Arc<BuildCache>,
    download: Arc<Download>,
}

/// Why a build cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildUnavailable {
    #[error("it does not run uploaded builds; start it with --accept-uploads")]
    NotAccepted,
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("build {build} cannot be fetched: {source}")]
    Fetch { build: String, source: FetchError },
}

impl Builds {
    /// As this agent is configured; none if it does not run uploaded builds.
    pub(super) fn of(config: &AgentConfig) -> Option<Self> {
        let UploadedBuilds {
            cache_dir,
            cache_bytes,
            worker_user,
        } = config.uploads.as_ref()?;
        let group = worker_user.map(|user| user.gid);
        Some(Self {
            cache: Arc::new(BuildCache::new(cache_dir.clone(), *cache_bytes, group)),
            download: Arc::new(Download::of(config)),
        })
    }

    /// The program of a build, fetched if it is not in the cache. `fetched` follows how many bytes there are.
    ///
    /// # Errors
    /// It cannot be fetched, is not what its hash says, or cannot be kept.
    pub(super) async fn get(
        &self,
        build: &ShippedBuild,
        fetched: Arc<AtomicU64>,
    ) -> Result<CachedBuild, BuildUnavailable> {
        fetch::fetch(&self.cache, &self.download, build, &fetched).await
    }
}

/// The directory in which builds are kept unless `--cache` says otherwise; none where the user has no home.
pub(crate) fn default_cache_dir() -> Option<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let base = dir("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    let base = base.or_else(|| Some(dir("HOME")?.join(".cache")))?;
    Some(base.join("greylag").join("builds"))
}
