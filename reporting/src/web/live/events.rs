//! Live updates for browsers as server-sent events.
//!
//! A browser has one stream for all its pages that are seen (`assets/js/hub.js`): it names the runs that they
//! show and whether one of them is the front page. What it is sent is the same for all (`followed_runs.rs`,
//! `front_changes.rs`). A stream is pulled by its connection: a browser that is slow to read gets fewer and larger
//! updates, and the others do not wait for it. When nothing changes there is a beat all the same, so that a browser can
//! tell a quiet coordinator from one that hangs; there is none while what is new of a run hangs, as on a disk that stalls.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{Stream, StreamExt};
use greylag_infra::RunId;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::followed_runs::CannotFollow;
use super::frame::frame;
use crate::api_types::ErrorBody;
use crate::store::Scope;
use crate::web::access::identity::Identity;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::{MAX_EVENT_STREAMS, WebState, find_run};

/// Most runs of one stream.
const MAX_RUNS_OF_STREAM: usize = 50;
/// nginx would keep events back until it has a buffer full of them.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Longest silence of a stream. The page (`assets/js/live.js`) says so when it lasts longer.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// What a stream is about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct EventsQuery {
    /// Ids of runs, separated by commas.
    #[param(required = false)]
    runs: String,
    /// Whether to say that anything on the front page changed; so it is when there are no runs.
    #[param(required = false)]
    front: bool,
}

/// The events of one run as they happen, until it is over; see `/api/v1/events`.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/events",
    tag = "live",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "Server-sent events", body = Object, content_type = "text/event-stream"),
        (status = 404, description = "The run was not found", body = ErrorBody),
    )
)]
pub(in crate::web) async fn run_events(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    // Said as an error while there still can be one.
    find_run(&state.coordinator, &id).await?;
    event_stream(&state, &identity, vec![id], false)
}

/// Events as they happen.
///
/// For each run a `run` with everything and then one whenever something changed, until it is over; `change` with a
/// number that grows, now and whenever something on the front page may have changed, which then asks for itself
/// again; `beat` when there is nothing else. The stream ends when all its runs are over, unless it is also about the
/// front page.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "live",
    params(EventsQuery),
    responses(
        (status = 200, description = "Server-sent events", body = Object, content_type = "text/event-stream"),
        (status = 422, description = "Too many runs", body = ErrorBody),
    )
)]
pub(in crate::web) async fn events(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, WebError> {
    let mut runs: Vec<RunId> = query
        .runs
        .split(',')
        .filter(|id| !id.is_empty())
        .map(RunId::from)
        .collect();
    runs.sort();
    runs.dedup();
    if runs.len() > MAX_RUNS_OF_STREAM {
        return Err(WebError::TooManyRunsFollowed {
            runs: runs.len(),
            maximum: MAX_RUNS_OF_STREAM,
        });
    }
    let front = query.front || runs.is_empty();
    event_stream(&state, &identity, runs, front)
}

fn event_stream(
    state: &WebState,
    identity: &Identity,
    runs: Vec<RunId>,
    front: bool,
) -> Result<Response, WebError> {
    let place = state
        .event_streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| WebError::TooManyFollowers {
            maximum: MAX_EVENT_STREAMS,
        })?;
    let mut sources: SelectAll<BoxStream<'static, Events>> = SelectAll::new();
    if front {
        let changes = Arc::clone(&state.front_changes).follow(state.coordinator.changes());
        sources.push(
            changes
                .map(|generation| number_event("change", generation))
                .boxed(),
        );
    }
    for run in &runs {
        let followed = state.followed_runs.follow(run.clone(), Scope::default());
        sources.push(followed.boxed());
    }
    let followed = state.followed_runs.clone();
    let browser = Browser {
        sources,
        changes: state.coordinator.changes(),
        last_event: Instant::now(),
        hangs: Box::new(move || runs.iter().any(|run| followed.hangs(run))),
        _place: Some(place),
    };
    let events = stream::unfold(browser, |mut browser| async move {
        let events = browser.next().await?;
        Some((events, browser))
    });
    let events = events
        .take_until(state.shutdown.clone().cancelled_owned())
        .take_until(identity.end(state.coordinator.now()));
    Ok(server_sent(events))
}

fn server_sent(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (NO_BUFFERING, "no"),
    ];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

/// Events of one source as they are sent; an error ends the stream.
type Events = Result<Bytes, CannotFollow>;

fn number_event(name: &str, generation: u64) -> Events {
    frame(name, &generation).map_err(|_| CannotFollow)
}

/// One browser's stream.
struct Browser {
    sources: SelectAll<BoxStream<'static, Events>>,
    changes: watch::Receiver<u64>,
    last_event: Instant,
    /// Whether there may be news that cannot be sent.
    hangs: Box<dyn Fn() -> bool + Send>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Browser {
    /// The next events, never none; nothing at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        let events = loop {
            tokio::select! {
                biased;
                events = self.sources.next() => break events?,
                () = tokio::time::sleep_until(self.last_event + BEAT_INTERVAL) => {
                    if !(self.hangs)() {
                        break number_event("beat", *self.changes.borrow());
                    }
                    self.last_event = Instant::now();
                }
            }
        };
        // What went wrong is in the log; the browser connects again.
        let events = events.ok()?;
        self.last_event = Instant::now();
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_are_no_beats_while_what_is_new_hangs() {
        let hangs = Arc::new(AtomicBool::new(true));
        let hanging = Arc::clone(&hangs);
        let mut sources: SelectAll<BoxStream<'static, Events>> = SelectAll::new();
        sources.push(stream::pending().boxed());
        let mut browser = Browser {
            sources,
            changes: watch::Sender::new(7).subscribe(),
            last_event: Instant::now(),
            hangs: Box::new(move || hanging.load(Ordering::Relaxed)),
            _place: None,
        };
        let silence = timeout(20 * BEAT_INTERVAL, browser.next()).await;
        assert!(silence.is_err(), "{silence:?}");
        hangs.store(false, Ordering::Relaxed);
        let beat = timeout(2 * BEAT_INTERVAL, browser.next()).await.unwrap();
        let beat = beat.unwrap();
        assert!(beat.starts_with(b"event: beat"), "{beat:?}");
    }
}
