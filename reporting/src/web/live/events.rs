//! Live updates for browsers as server-sent events.
//!
//! A browser has one stream for all its pages that are seen (`assets/js/hub.js`): it names the runs that they
//! show and whether one of them is the front page. A stream is pulled by its connection: a browser that is
//! slow to read gets fewer and larger updates, and the others do not wait for it. The coordinator only counts up a
//! generation number; each stream looks at it when it is its turn. When nothing changes there is a beat all
//! the same, so that a browser can tell a quiet coordinator from one that hangs.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use greylag_infra::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::run_feed::{RunFeed, RunUpdate};
use crate::api_types::ErrorBody;
use crate::results::views::run_view::RunDelta;
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::{MAX_EVENT_STREAMS, WebState, find_run};

/// Most runs of one stream.
const MAX_RUNS_OF_STREAM: usize = 50;
/// Least time between two updates of one stream.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
/// Longest silence of a stream. The page (`assets/js/live.js`) says so when it lasts longer.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

type Events = Vec<Result<Event, Infallible>>;

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
        (status = 404, description = "There is no such run", body = ErrorBody),
    )
)]
pub(in crate::web) async fn run_events(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    // Said as an error while there still can be one.
    find_run(&state.coordinator, &id).await?;
    event_stream(&state, vec![id], false)
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
    event_stream(&state, runs, front)
}

fn event_stream(state: &WebState, runs: Vec<RunId>, front: bool) -> Result<Response, WebError> {
    let place = state
        .event_streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| WebError::TooManyFollowers {
            maximum: MAX_EVENT_STREAMS,
        })?;
    let follower = Follower {
        throttle: UpdateThrottle::new(state.coordinator.changes()),
        front,
        feeds: runs
            .into_iter()
            .map(|id| RunFeed::new(state.coordinator.clone(), id, Scope::default()))
            .collect(),
        last_event: Instant::now(),
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let events = follower.next().await?;
        Some((events, follower))
    })
    .flat_map(stream::iter)
    .take_until(state.shutdown.clone().cancelled_owned());
    Ok(sse(events))
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    // nginx would keep events back until it has a buffer full of them.
    ([("x-accel-buffering", "no")], Sse::new(events)).into_response()
}

/// One run's update.
#[derive(Debug, Serialize)]
struct RunEvent<'a> {
    id: &'a RunId,
    /// What changed of its view (see [`super::json_patch`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<Value>,
    /// What was added to the growing parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<RunDelta>,
    /// The run is over, and nothing more will come.
    over: bool,
}

/// One browser's stream.
#[derive(Debug)]
struct Follower {
    throttle: UpdateThrottle,
    front: bool,
    feeds: Vec<RunFeed>,
    last_event: Instant,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next events, never none; nothing at the end of the stream.
    async fn next(&mut self) -> Option<Events> {
        if self.feeds.is_empty() && !self.front {
            return None;
        }
        loop {
            let is_due = tokio::select! {
                biased;
                due = self.throttle.next() => { due?; true }
                () = tokio::time::sleep_until(self.last_event + BEAT_INTERVAL) => false,
            };
            let events = if is_due {
                // What went wrong is in the log; the browser connects again.
                self.updates().await.ok()?
            } else {
                vec![event("beat", &self.throttle.generation()).ok()?]
            };
            if !events.is_empty() {
                self.last_event = Instant::now();
                return Some(events);
            }
        }
    }

    async fn updates(&mut self) -> Result<Events, WebError> {
        let mut events = Vec::new();
        if self.front {
            events.push(event("change", &self.throttle.generation())?);
        }
        let mut going_on = Vec::new();
        for mut feed in std::mem::take(&mut self.feeds) {
            match feed.next().await {
                Ok(update) => {
                    let is_last = update.is_last;
                    events.extend(run_event(feed.run_id(), update)?);
                    if !is_last {
                        going_on.push(feed);
                    }
                }
                Err(WebError::NoSuchRun(_)) => {
                    events.push(event("gone", &json!({ "id": feed.run_id() }))?);
                }
                Err(error) => return Err(error),
            }
        }
        self.feeds = going_on;
        Ok(events)
    }
}

/// The event of an update; none if the browser would learn nothing from it.
fn run_event(id: &RunId, update: RunUpdate) -> Result<Option<Result<Event, Infallible>>, WebError> {
    let delta = Some(update.delta).filter(|delta| !delta.is_empty());
    if update.view_patch.is_none() && delta.is_none() && !update.is_last {
        return Ok(None);
    }
    let run = RunEvent {
        id,
        view: update.view_patch,
        delta,
        over: update.is_last,
    };
    event("run", &run).map(Some)
}

fn event(name: &str, value: &impl Serialize) -> Result<Result<Event, Infallible>, WebError> {
    let json = serde_json::to_string(value)
        .map_err(|error| WebError::internal("writing a live update", &error))?;
    Ok(Ok(Event::default().event(name).data(json)))
}

/// When an update is due: immediately, then after a change, but never sooner than [`UPDATE_INTERVAL`] after the
/// last.
#[derive(Debug)]
struct UpdateThrottle {
    changes: watch::Receiver<u64>,
    last: Option<Instant>,
}

impl UpdateThrottle {
    fn new(changes: watch::Receiver<u64>) -> Self {
        Self {
            changes,
            last: None,
        }
    }

    /// The coordinator's state by number.
    fn generation(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Waits until the next update is due; none when the coordinator is gone. Nothing is lost when the wait is given
    /// up.
    async fn next(&mut self) -> Option<()> {
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + UPDATE_INTERVAL).await;
            self.changes.changed().await.ok()?;
        }
        // Marked as seen before anything is read, so that a change in between leads to another update.
        self.changes.mark_unchanged();
        self.last = Some(Instant::now());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn updates_come_immediately_then_after_changes_at_most_once_a_second() {
        let changes = watch::Sender::new(0_u64);
        let mut throttle = UpdateThrottle::new(changes.subscribe());
        let begun = Instant::now();
        throttle.next().await.expect("immediately");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..5 {
            changes.send_modify(|generation| *generation += 1);
        }
        let given_up = tokio::time::timeout(UPDATE_INTERVAL / 2, throttle.next()).await;
        assert!(given_up.is_err(), "not before a second has passed");
        throttle.next().await.expect("five changes are one update");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL);
        let quiet = tokio::time::timeout(UPDATE_INTERVAL * 10, throttle.next()).await;
        assert!(quiet.is_err(), "nothing changed");
        changes.send_modify(|generation| *generation += 1);
        throttle
            .next()
            .await
            .expect("a change after a long time is sent immediately");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL * 11);
        drop(changes);
        assert_eq!(throttle.next().await, None);
    }
}
