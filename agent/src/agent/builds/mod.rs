//! Builds that are shipped to this agent: fetched by hash with their data files, kept in a cache, and started as workers.

mod cache;
mod data_dir;
mod executable;
mod fetch;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use greylag_infra::{DataFilesError, ShippedBuild, check_data_files};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub use cache::CacheOfOthers;
pub(super) use cache::check_owner;
use cache::{BuildCache, CacheError, CachedFile};
use data_dir::{DataDir, delete_left_behind};
use executable::is_for_this_machine;
use fetch::{Download, FetchError, Progress, Wanted};

use super::config::{AgentConfig, UploadedBuilds};

/// How long an agent that ends waits until the data files of its runs are deleted. The next agent deletes what is left.
const DELETING: Duration = Duration::from_secs(5);

/// Fetches builds. Clones share one cache.
#[derive(Debug, Clone)]
pub(super) struct Builds {
    cache: Arc<BuildCache>,
    download: Arc<Download>,
    /// The group of the workers' user, if that is not ours.
    group: Option<u32>,
    /// The directories with data files that there are.
    data_dirs: TaskTracker,
}

/// A build that can be started here as long as this is kept.
#[derive(Debug)]
pub(crate) struct ReadyBuild {
    program: CachedFile,
    data: Option<DataDir>,
}

/// Why a build cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildUnavailable {
    #[error("it does not run uploaded builds; start it with --accept-uploads")]
    NotAccepted,
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Data(#[from] DataFilesError),
    #[error(
        "the file that was uploaded as build {build} is not a program for this machine, although it was announced for {platform}; start the run again from the program itself"
    )]
    NotAProgram { build: String, platform: String },
    #[error("{what} cannot be fetched: {source}")]
    Fetch { what: String, source: FetchError },
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
            group,
            data_dirs: TaskTracker::new(),
        })
    }

    /// Deletes the data files that agents left behind which were killed.
    pub(super) fn tidy(&self) {
        let parent = self.cache.dir().to_owned();
        let deleting = move || delete_left_behind(&parent);
        drop(self.data_dirs.spawn_blocking(deleting));
    }

    /// Waits for some time until the data files of runs that are over are deleted.
    pub(super) async fn tidied(&self) {
        self.data_dirs.close();
        if timeout(DELETING, self.data_dirs.wait()).await.is_err() {
            tracing::warn!(
                "data files of runs are left in {}; the next agent with this cache deletes them",
                self.cache.dir().display()
            );
        }
    }

    /// A build with its data files, fetched as far as they are not in the cache. `fetched` follows how many bytes there are.
    ///
    /// # Errors
    /// Something cannot be fetched, is not what its hash says, or cannot be kept.
    pub(super) async fn get(
        &self,
        build: &ShippedBuild,
        fetched: Arc<AtomicU64>,
    ) -> Result<ReadyBuild, BuildUnavailable> {
        check_data_files(&build.data)?;
        let mut progress = Progress::of(&fetched);
        let (cache, download) = (&self.cache, &self.download);
        let prepared = Arc::clone(cache);
        self.blocking(move || Ok(prepared.prepare())).await??;
        let program = fetch::fetch(cache, download, &Wanted::program(build), &progress).await?;
        let path = program.path.clone();
        if !self.blocking(move || is_for_this_machine(&path)).await? {
            return Err(BuildUnavailable::NotAProgram {
                build: build.sha256.short().to_owned(),
                platform: build.platform.clone(),
            });
        }
        let mut ready = ReadyBuild {
            program,
            data: None,
        };
        if build.data.is_empty() {
            return Ok(ready);
        }
        progress.add(build.size);
        let (parent, group) = (self.cache.dir().to_owned(), self.group);
        let tracked = self.data_dirs.token();
        let mut data = self
            .blocking(move || DataDir::make(&parent, group, tracked))
            .await?;
        for file in &build.data {
            let cached = fetch::fetch(cache, download, &Wanted::data(file), &progress).await?;
            progress.add(file.size);
            let path = file.path.clone();
            data = self
                .blocking(move || data.put(&path, &cached.path).map(|()| data))
                .await?;
        }
        ready.data = Some(data);
        Ok(ready)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, CacheError> {
        let done = spawn_blocking(work).await;
        let done = done.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        done.map_err(|error| self.cache.failed(error))
    }
}

impl ReadyBuild {
    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program.path
    }

    /// Where its data files are, if it has any.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data.as_ref().map(DataDir::path)
    }
}

/// The directory in which builds are kept unless `--cache` says otherwise; none where the user has no home.
pub(crate) fn default_cache_dir() -> Option<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let base = dir("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    let base = base.or_else(|| Some(dir("HOME")?.join(".cache")))?;
    Some(base.join("greylag").join("builds"))
}
