//! Live updates for browsers as server-sent events.
//!
//! A stream is pulled by its connection: a browser that is slow to read gets fewer and larger updates, and
//! nobody waits for it. The coordinator only counts up a generation number; each stream looks at it when it
//! is its turn.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::WebError;
use super::run_feed::RunFeed;
use super::state::{WebState, find_run};

/// Most streams at once over all browsers.
pub(super) const MAX_EVENT_STREAMS: usize = 200;
/// Least time between two updates of one stream.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
/// Time after which a silent stream says that it is alive, which also finds browsers that are gone.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

type Events = Vec<Result<Event, Infallible>>;

/// `GET /api/v1/runs/{id}/events`: `view` (a [`crate::view::RunView`]) and `delta` (a
/// [`crate::view::RunDelta`]) with everything, then a pair whenever something changed, then `end` when the
/// run is over.
pub(super) async fn run_events(
    State(state): State<WebState>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    // Said as an error while there still can be one.
    find_run(&state.coordinator, &id).await?;
    let feed = RunFeed::new(state.coordinator.clone(), id);
    let next = |mut feed: RunFeed| async move {
        let update = feed.next().await?;
        let mut events = vec![event("view", &update.view)?, event("delta", &update.delta)?];
        if update.is_last {
            // An event without data would not be dispatched.
            events.push(Ok(Event::default().event("end").data("over")));
            return Ok((events, None));
        }
        Ok((events, Some(feed)))
    };
    event_stream(&state, feed, next)
}

/// `GET /api/v1/events`: `change` with a number that grows, now and whenever something changed. The front
/// page then asks for itself again, so that only one place writes it.
pub(super) async fn front_events(State(state): State<WebState>) -> Result<Response, WebError> {
    let next = |changes: watch::Receiver<u64>| async move {
        let generation = *changes.borrow();
        Ok((vec![event("change", &generation)?], Some(changes)))
    };
    event_stream(&state, state.coordinator.changes(), next)
}

/// Runs `next` now and then after each change, at most once each [`UPDATE_INTERVAL`], until it gives no
/// source back, fails, or the server ends.
fn event_stream<Source, Next, Updating>(
    state: &WebState,
    source: Source,
    next: Next,
) -> Result<Response, WebError>
where
    Source: Send + 'static,
    Next: Fn(Source) -> Updating + Copy + Send + 'static,
    Updating: Future<Output = Result<(Events, Option<Source>), WebError>> + Send + 'static,
{
    let place = state
        .event_streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| {
            WebError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "{MAX_EVENT_STREAMS} live pages are open, the maximum; close some and reload"
                ),
            )
        })?;
    let turns = Turns::new(state.coordinator.changes());
    let updates = stream::unfold(Some((turns, source, place)), move |following| async move {
        let (mut turns, source, place) = following?;
        turns.next().await?;
        match next(source).await {
            Ok((events, source)) => Some((events, source.map(|source| (turns, source, place)))),
            // Its details are in the log; the browser connects again.
            Err(_) => None,
        }
    });
    let events = updates
        .flat_map(stream::iter)
        .take_until(state.shutdown.clone().cancelled_owned());
    Ok(sse(events))
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL));
    // nginx would keep events back until it has a buffer full of them.
    ([("x-accel-buffering", "no")], stream).into_response()
}

fn event(name: &str, value: &impl Serialize) -> Result<Result<Event, Infallible>, WebError> {
    let json = serde_json::to_string(value)
        .map_err(|error| WebError::internal("writing a live update", &error))?;
    Ok(Ok(Event::default().event(name).data(json)))
}

/// When an update is due: at once, then after a change, but never sooner than [`UPDATE_INTERVAL`] after the
/// last.
struct Turns {
    changes: watch::Receiver<u64>,
    last: Option<Instant>,
}

impl Turns {
    fn new(changes: watch::Receiver<u64>) -> Self {
        Self {
            changes,
            last: None,
        }
    }

    /// Waits for the next turn; none when the coordinator is gone.
    async fn next(&mut self) -> Option<()> {
        if let Some(last) = self.last {
            self.changes.changed().await.ok()?;
            tokio::time::sleep_until(last + UPDATE_INTERVAL).await;
        }
        // Marked as seen before anything is read, so that a change in between leads to another turn.
        self.changes.mark_unchanged();
        self.last = Some(Instant::now());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_once_then_after_changes_at_most_once_a_second() {
        let changes = watch::Sender::new(0_u64);
        let mut turns = Turns::new(changes.subscribe());
        let begun = Instant::now();
        turns.next().await.expect("at once");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..5 {
            changes.send_modify(|generation| *generation += 1);
        }
        turns.next().await.expect("five changes are one turn");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL);
        let quiet = tokio::time::timeout(UPDATE_INTERVAL * 10, turns.next()).await;
        assert!(quiet.is_err(), "nothing changed");
        changes.send_modify(|generation| *generation += 1);
        turns
            .next()
            .await
            .expect("a change after a long time is told at once");
        assert_eq!(begun.elapsed(), UPDATE_INTERVAL * 11);
        drop(changes);
        assert_eq!(turns.next().await, None);
    }
}
