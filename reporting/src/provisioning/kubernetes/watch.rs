//! Objects of a cluster as they are, and then as they change, for as long as one wants to know.

use std::fmt::Debug;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use kube::api::{ListParams, WatchParams};
use kube::core::WatchEvent;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::cluster::answered;
use super::errors::KubernetesError;

/// Objects in one answer.
const PAGE: u32 = 500;
/// How long one watch lasts, in seconds. The server ends it then, and the next goes on where it was.
const WATCH_S: u32 = 60;
/// A watch from which nothing came for longer, not even its end, is a dead connection.
const SILENCE: Duration = Duration::from_secs(75);
/// Pause before the next watch, and before asking again after an error, which doubles each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest of these pauses: what becomes of pods is wanted within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Pause after an answer that will hardly change.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// A watch that lasted so long was a good one.
const GOOD_WATCH: Duration = Duration::from_secs(1);

/// What is to be known of one kind of objects.
pub(super) struct Watched<K, T> {
    pub(super) api: Api<K>,
    /// For messages.
    pub(super) what: String,
    pub(super) labels: Option<String>,
    pub(super) fields: Option<String>,
    /// What is kept of an object.
    pub(super) read: fn(&K) -> Option<T>,
}

/// What is new.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change<T> {
    /// These are all.
    All(Vec<T>),
    /// It is there, or has changed.
    Is(T),
    /// It is gone; so it was last.
    Gone(T),
    /// Nothing can be known now, and why.
    Unknown(String),
}

impl<K, T> Watched<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// Reports what is and what becomes, until the server no longer accepts the credentials or the future is dropped.
    pub(super) async fn follow<S>(&self, changes: &mpsc::Sender<S>, wrap: fn(Change<T>) -> S) {
        let mut pause = PAUSE;
        loop {
            let began = Instant::now();
            let ended = self.list_and_watch(changes, wrap).await;
            if began.elapsed() >= GOOD_WATCH {
                pause = PAUSE;
            }
            let rest = match ended {
                Ok(()) => pause,
                Err(Stopped::NotWanted) => pending().await,
                Err(Stopped::By(error)) => {
                    let (is_final, is_unauthorized) = (error.is_final(), error.is_unauthorized());
                    // Whether it is still wanted, the next answer finds out.
                    let _ = changes.send(wrap(Change::Unknown(error.to_string()))).await;
                    if is_unauthorized {
                        return;
                    }
                    if is_final { REFUSED_PAUSE } else { pause }
                }
            };
            sleep(rest).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Ends well when the server remembers too little to go on: everything has to be listed again.
    async fn list_and_watch<S>(
        &self,
        changes: &mpsc::Sender<S>,
        wrap: fn(Change<T>) -> S,
    ) -> Result<(), Stopped> {
        let mut version = self.list(changes, wrap).await?;
        let params = WatchParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            timeout: Some(WATCH_S),
            bookmarks: true,
            send_initial_events: false,
        };
        let action = format!("watch {}", self.what);
        loop {
            let began = Instant::now();
            let events = match answered(&action, self.api.watch(&params, &version)).await {
                Err(error) if is_too_old(&error) => return Ok(()),
                events => events?,
            };
            let mut events = pin!(events);
            // Without an error, a watch that ends has only to be renewed; so has one that is dead.
            while let Ok(Some(event)) = timeout(SILENCE, events.next()).await {
                let event = event.map_err(|error| KubernetesError::new(&action, error))?;
                let change = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        renew(&mut version, &object);
                        (self.read)(&object).map(Change::Is)
                    }
                    WatchEvent::Deleted(object) => {
                        renew(&mut version, &object);
                        (self.read)(&object).map(Change::Gone)
                    }
                    WatchEvent::Bookmark(bookmark) => {
                        version = bookmark.metadata.resource_version;
                        None
                    }
                    WatchEvent::Error(status) => {
                        let error = KubernetesError::new(&action, kube::Error::Api(status));
                        return if is_too_old(&error) {
                            Ok(())
                        } else {
                            Err(error.into())
                        };
                    }
                };
                if let Some(change) = change {
                    send(changes, wrap(change)).await?;
                }
            }
            if began.elapsed() < GOOD_WATCH {
                sleep(PAUSE).await;
            }
        }
    }

    /// Lists all and gives the version from which to watch.
    async fn list<S>(
        &self,
        changes: &mpsc::Sender<S>,
        wrap: fn(Change<T>) -> S,
    ) -> Result<String, Stopped> {
        let action = format!("list {}", self.what);
        let mut params = ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            limit: Some(PAGE),
            ..ListParams::default()
        };
        let mut all = Vec::new();
        let mut version = None;
        loop {
            let page = answered(&action, self.api.list(&params)).await?;
            all.extend(page.items.iter().filter_map(self.read));
            // All pages are as of the same version; changes after that of the first are in the watch in any case.
            let first = version.get_or_insert(page.metadata.resource_version.unwrap_or_default());
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let version = first.clone();
                send(changes, wrap(Change::All(all))).await?;
                return Ok(version);
            }
        }
    }
}

/// Why watching has ended.
enum Stopped {
    By(KubernetesError),
    NotWanted,
}

impl From<KubernetesError> for Stopped {
    fn from(error: KubernetesError) -> Self {
        Self::By(error)
    }
}

async fn send<S>(changes: &mpsc::Sender<S>, change: S) -> Result<(), Stopped> {
    changes.send(change).await.map_err(|_| Stopped::NotWanted)
}

fn renew<K: Resource>(version: &mut String, object: &K) {
    if let Some(newer) = &object.meta().resource_version {
        version.clone_from(newer);
    }
}

/// 410 Gone.
fn is_too_old(error: &KubernetesError) -> bool {
    error.status().is_some_and(|status| status.code == 410)
}
