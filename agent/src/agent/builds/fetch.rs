//! Fetching a program from the coordinator: what has come is kept, whatever ends the connection or the agent.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greylag_infra::{FileHash, ShippedBuild};
use reqwest::{Client, StatusCode, header};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use url::Url;

use super::cache::{BuildCache, CachedBuild, Part};
use super::{AgentConfig, BuildUnavailable};
use crate::innermost::innermost;

/// How long nothing may come before fetching is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// How long connecting, and waiting for more, may take.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the connection is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often it is looked whether another process has fetched the program.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where programs come from.
#[derive(Debug)]
pub(super) struct Download {
    client: Client,
    base: Url,
    token: Option<String>,
}

/// Why a program did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("it is not on the coordinator (any more); start the run again from its program")]
    Gone,
    #[error("the coordinator answers with status {0}")]
    Refused(StatusCode),
    #[error("nothing more came for {} s: {cause}", GIVE_UP_AFTER.as_secs())]
    Stalled { cause: String },
    #[error("what came is not the program that its SHA-256 names")]
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
        let mut builder = Client::builder()
            .connect_timeout(SILENCE_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            // As the connection for results, which knows no proxies.
            .no_proxy()
            // Parts are of the program as it is.
            .no_gzip()
            .no_brotli()
            .no_deflate();
        if let Some(tls) = &config.tls {
            builder = builder.tls_backend_preconfigured((**tls).clone());
        }
        Self {
            // Only a TLS configuration of an unknown kind could not be used.
            client: builder.build().unwrap_or_default(),
            base: config.http_url(),
            token: config.token.clone(),
        }
    }

    /// Fetches the rest of a program into its part.
    async fn fetch_rest(
        &self,
        cache: &BuildCache,
        build: &ShippedBuild,
        part: &mut Part,
        fetched: &AtomicU64,
    ) -> Result<(), Broken> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = format!("{base}/api/v1/builds/{}", build.sha256);
        let mut request = self.client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if part.received > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", part.received));
        }
        let of_connection = |error: reqwest::Error| Broken::Connection(innermost(&error));
        let of_cache = |error| Broken::Final(cache.failed(error).into());
        let mut response = request.send().await.map_err(of_connection)?;
        let failed = |source| Broken::Final(failed(&build.sha256, source));
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => part.empty().map_err(of_cache)?,
            StatusCode::NOT_FOUND => return Err(failed(FetchError::Gone)),
            status if status.is_client_error() => return Err(failed(FetchError::Refused(status))),
            status => return Err(Broken::Connection(format!("status {status}"))),
        }
        while let Some(bytes) = response.chunk().await.map_err(of_connection)? {
            let more = bytes.len() as u64;
            if part.received + more > build.size {
                part.empty().map_err(of_cache)?;
                return Err(failed(FetchError::OtherContent));
            }
            part.file.write_all(&bytes).map_err(of_cache)?;
            part.received += more;
            fetched.store(part.received, Ordering::Relaxed);
        }
        match part.received == build.size {
            true => Ok(()),
            false => Err(Broken::Connection("the answer ended early".to_owned())),
        }
    }
}

/// The program of a build, from the cache or from the coordinator.
pub(super) async fn fetch(
    cache: &Arc<BuildCache>,
    download: &Download,
    build: &ShippedBuild,
    fetched: &AtomicU64,
) -> Result<CachedBuild, BuildUnavailable> {
    let hash = &build.sha256;
    let of_cache = |error| cache.failed(error);
    let (mut came_at, mut of_others) = (Instant::now(), 0);
    loop {
        if let Some(cached) = cache.get(hash, build.size).map_err(of_cache)? {
            fetched.store(build.size, Ordering::Relaxed);
            return Ok(cached);
        }
        let Some(mut part) = cache.begin(hash, build.size).map_err(of_cache)? else {
            // Another agent of this machine, or another run, fetches it: that is our progress, too.
            let received = cache.received(hash);
            if received != of_others {
                (of_others, came_at) = (received, Instant::now());
                fetched.store(received, Ordering::Relaxed);
            } else if came_at.elapsed() > GIVE_UP_AFTER {
                let cause = "another process has begun to fetch it".to_owned();
                return Err(failed(hash, FetchError::Stalled { cause }));
            }
            sleep(LOOK_EVERY).await;
            continue;
        };
        let (room, named, size) = (Arc::clone(cache), hash.clone(), build.size);
        let made = spawn_blocking(move || room.make_room(&named, size)).await;
        made.map_err(|panic| of_cache(std::io::Error::other(panic)))??;
        came_at = Instant::now();
        let was_resumed = part.received > 0;
        let mut most = part.received;
        while part.received < build.size {
            let rest = download.fetch_rest(cache, build, &mut part, fetched);
            let cause = match rest.await {
                Ok(()) => break,
                Err(Broken::Final(unavailable)) => return Err(unavailable),
                Err(Broken::Connection(cause)) => cause,
            };
            if part.received > most {
                most = part.received;
                came_at = Instant::now();
            } else if came_at.elapsed() > GIVE_UP_AFTER {
                return Err(failed(hash, FetchError::Stalled { cause }));
            }
            tracing::debug!("fetching build {} again: {cause}", hash.short());
            sleep(RETRY_AFTER).await;
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
            return Err(failed(hash, FetchError::OtherContent));
        }
        let (whole, named) = (Arc::clone(cache), hash.clone());
        let completed = spawn_blocking(move || whole.complete(part, &named)).await;
        let completed = completed.map_err(|panic| of_cache(std::io::Error::other(panic)))?;
        completed.map_err(of_cache)?;
    }
}

fn failed(hash: &FileHash, source: FetchError) -> BuildUnavailable {
    BuildUnavailable::Fetch {
        build: hash.short().to_owned(),
        source,
    }
}
