//! Fetching a program or a data file from the coordinator: what has come is kept, whatever ends the connection or the agent.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greylag_infra::{DataFile, FileHash, ShippedBuild};
use reqwest::{Client, StatusCode, header};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use url::Url;

use super::cache::{BuildCache, CachedFile, Part};
use super::{AgentConfig, BuildUnavailable};
use crate::http_client::client_of;
use crate::innermost::innermost;

/// How often it is looked whether another process has fetched the file.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long nothing may come before fetching is given up.
    pub(super) give_up_after: Duration,
    /// How long connecting, and waiting for more, may take.
    pub(super) silence: Duration,
    /// Pause before the connection is tried again.
    pub(super) retry_after: Duration,
}

impl Patience {
    const USUAL: Self = Self {
        give_up_after: Duration::from_secs(60),
        silence: Duration::from_secs(10),
        retry_after: Duration::from_millis(500),
    };
}

/// Where files come from.
#[derive(Debug)]
pub(super) struct Download {
    client: Result<Client, String>,
    base: Url,
    token: Option<String>,
    patience: Patience,
}

/// A file that is to be fetched.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// For messages.
    what: String,
    sha256: &'a FileHash,
    size: u64,
}

impl<'a> Wanted<'a> {
    /// A build's program.
    pub(super) fn program(build: &'a ShippedBuild) -> Self {
        Self {
            what: format!("build {}", build.sha256.short()),
            sha256: &build.sha256,
            size: build.size,
        }
    }

    /// A data file.
    pub(super) fn data(file: &'a DataFile) -> Self {
        Self {
            what: format!("data file `{}`", file.path),
            sha256: &file.sha256,
            size: file.size,
        }
    }

    fn failed(&self, source: FetchError) -> BuildUnavailable {
        BuildUnavailable::Fetch {
            what: self.what.clone(),
            source,
        }
    }
}

/// Shows how many bytes there are of several files that are fetched one after the other.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    /// Those of the files that are whole.
    before: u64,
    shown: &'a AtomicU64,
}

impl<'a> Progress<'a> {
    pub(super) fn of(shown: &'a AtomicU64) -> Self {
        Self { before: 0, shown }
    }

    /// A file of this size is whole.
    pub(super) fn add(&mut self, size: u64) {
        self.before += size;
    }

    /// There are so many bytes of the next file.
    fn show(&self, bytes: u64) {
        self.shown.store(self.before + bytes, Ordering::Relaxed);
    }
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("it is not on the coordinator (any more); start the run again from its program")]
    Gone,
    #[error("the coordinator answers with status {0}")]
    Refused(StatusCode),
    #[error("nothing more came for {} s: {cause}", after.as_secs())]
    Stalled { after: Duration, cause: String },
    #[error("what came is not the file that its SHA-256 names")]
    OtherContent,
}

/// Why a connection brought no more.
enum Broken {
    /// Trying again does not help.
    Final(BuildUnavailable),
    Connection(String),
}

impl Download {
    pub(super) fn of(config: &AgentConfig) -> Self {
        Self::with(config, Patience::USUAL)
    }

    pub(super) fn with(config: &AgentConfig, patience: Patience) -> Self {
        let base = config.http_url();
        let client = client_of(&base, config.tls.as_deref(), |builder| {
            builder
                .connect_timeout(patience.silence)
                .read_timeout(patience.silence)
                // As the connection for results, which knows no proxies.
                .no_proxy()
                // Parts are of the program as it is.
                .no_gzip()
                .no_brotli()
                .no_deflate()
        });
        Self {
            client: client.map_err(|error| innermost(&error)),
            base,
            token: config.token.clone(),
            patience,
        }
    }

    /// Fetches the rest of a file into its part.
    async fn fetch_rest(
        &self,
        cache: &BuildCache,
        wanted: &Wanted<'_>,
        part: &mut Part,
        progress: &Progress<'_>,
    ) -> Result<(), Broken> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = format!("{base}/api/v1/builds/{}", wanted.sha256);
        let client = self.client.as_ref();
        let client = client.map_err(|cause| Broken::Connection(cause.clone()))?;
        let mut request = client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if part.received > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", part.received));
        }
        let of_connection = |error: reqwest::Error| Broken::Connection(innermost(&error));
        let of_cache = |error| Broken::Final(cache.failed(error).into());
        let mut response = request.send().await.map_err(of_connection)?;
        let failed = |source| Broken::Final(wanted.failed(source));
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => part.empty().map_err(of_cache)?,
            StatusCode::NOT_FOUND => return Err(failed(FetchError::Gone)),
            status if status.is_client_error() => return Err(failed(FetchError::Refused(status))),
            status => return Err(Broken::Connection(format!("status {status}"))),
        }
        while let Some(bytes) = response.chunk().await.map_err(of_connection)? {
            let more = bytes.len() as u64;
            if part.received + more > wanted.size {
                part.empty().map_err(of_cache)?;
                return Err(failed(FetchError::OtherContent));
            }
            part.file.write_all(&bytes).map_err(of_cache)?;
            part.received += more;
            progress.show(part.received);
        }
        match part.received == wanted.size {
            true => Ok(()),
            false => Err(Broken::Connection("the answer ended early".to_owned())),
        }
    }
}

/// A file, from the cache or from the coordinator.
pub(super) async fn fetch(
    cache: &Arc<BuildCache>,
    download: &Download,
    wanted: &Wanted<'_>,
    progress: &Progress<'_>,
) -> Result<CachedFile, BuildUnavailable> {
    let (hash, size) = (wanted.sha256, wanted.size);
    let patience = download.patience;
    let stalled = |cause| {
        wanted.failed(FetchError::Stalled {
            after: patience.give_up_after,
            cause,
        })
    };
    let of_cache = |error| cache.failed(error);
    let (mut came_at, mut of_others) = (Instant::now(), 0);
    loop {
        if let Some(cached) = cache.get(hash, size).map_err(of_cache)? {
            progress.show(size);
            return Ok(cached);
        }
        let Some(mut part) = cache.begin(hash, size).map_err(of_cache)? else {
            // Another agent of this machine, or another run, fetches it: that is our progress, too.
            let received = cache.received(hash);
            if received != of_others {
                (of_others, came_at) = (received, Instant::now());
                progress.show(received);
            } else if came_at.elapsed() > patience.give_up_after {
                let cause = "another process has begun to fetch it".to_owned();
                return Err(stalled(cause));
            }
            sleep(LOOK_EVERY).await;
            continue;
        };
        let (room, named) = (Arc::clone(cache), hash.clone());
        let made = spawn_blocking(move || room.make_room(&named, size)).await;
        made.map_err(|panic| of_cache(std::io::Error::other(panic)))??;
        came_at = Instant::now();
        let was_resumed = part.received > 0;
        let mut most = part.received;
        while part.received < size {
            let rest = download.fetch_rest(cache, wanted, &mut part, progress);
            let cause = match rest.await {
                Ok(()) => break,
                Err(Broken::Final(unavailable)) => return Err(unavailable),
                Err(Broken::Connection(cause)) => cause,
            };
            if part.received > most {
                most = part.received;
                came_at = Instant::now();
            } else if came_at.elapsed() > patience.give_up_after {
                return Err(stalled(cause));
            }
            tracing::debug!("fetching {} again: {cause}", wanted.what);
            sleep(patience.retry_after).await;
        }
        let (path, named) = (part.path().to_owned(), hash.clone());
        let checked = spawn_blocking(move || BuildCache::is_right(&path, &named)).await;
        let is_right = checked.map_err(|panic| of_cache(std::io::Error::other(panic)))?;
        if !is_right.map_err(of_cache)? {
            part.empty().map_err(of_cache)?;
            if was_resumed {
                // What was there from before may have been lost with the power.
                continue;
            }
            return Err(wanted.failed(FetchError::OtherContent));
        }
        let (whole, named) = (Arc::clone(cache), hash.clone());
        let completed = spawn_blocking(move || whole.complete(part, &named)).await;
        let completed = completed.map_err(|panic| of_cache(std::io::Error::other(panic)))?;
        completed.map_err(of_cache)?;
    }
}
