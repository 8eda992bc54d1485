//! Runs that pages follow, so that many pages cost little more than one.
//!
//! As long as anyone follows a run, one task computes after each change what its pages show, and encodes what is new once;
//! all followers are sent the same bytes. One that comes later, or is slow to read, is given the last updates that it
//! lacks, or everything anew. The task goes away with the last follower.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, stream};
use greylag_infra::RunId;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::frame::frame;
use super::run_feed::{RunFeed, RunUpdate};
use super::update_throttle::UpdateThrottle;
use crate::coordinator::Coordinator;
use crate::results::views::run_view::RunDelta;
use crate::store::Scope;
use crate::web::error::WebError;

/// Most updates that are kept for followers that are slow to read; who lacks more is sent everything anew.
const MAX_UPDATES_KEPT: usize = 10;
/// Most bytes of them, of all but the last.
const MAX_BYTES_KEPT: usize = 256 * 1024;
/// How long an update takes at least that hangs: on a disk that stalls it takes as long as that does.
const HANGS_AFTER: Duration = Duration::from_secs(2);
/// Followers of one run that may wait for everything at once; further ones wait in line.
const MAX_JOINS_WAITING: usize = 64;

/// All runs that are followed now, by what is shown of them.
#[derive(Debug, Clone)]
pub(in crate::web) struct FollowedRuns {
    coordinator: Coordinator,
    tasks: Arc<Tasks>,
}

type Tasks = Mutex<HashMap<Part, Task>>;

/// The task of a part, as others know it.
#[derive(Debug)]
struct Task {
    joins: mpsc::WeakSender<Join>,
    update: Arc<UpdateTime>,
}

/// Since when an update is being computed.
#[derive(Debug, Default)]
struct UpdateTime(Mutex<Option<Instant>>);

impl UpdateTime {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn hangs(&self) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= HANGS_AFTER)
    }
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Part {
    run_id: RunId,
    scope: Scope,
}

/// A follower that must be sent everything. The task ends when there are no senders of these any more.
type Join = oneshot::Sender<Joined>;

/// What a new follower is given.
#[derive(Debug)]
struct Joined {
    everything: Bytes,
    /// The number of the last update in it.
    number: u64,
    is_last: bool,
    updates: watch::Receiver<Arc<Updates>>,
}

/// What cannot be followed now, because the store failed; why is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the run cannot be read now")]
pub(in crate::web) struct CannotFollow;

impl FollowedRuns {
    pub(in crate::web) fn new(coordinator: Coordinator) -> Self {
        Self {
            coordinator,
            tasks: Arc::default(),
        }
    }

    /// The events of a part of a run: everything, then what is new, until the run is over or deleted. A follower that asks for the
    /// next only after a while is given all it lacks.
    pub(super) fn follow(
        &self,
        run_id: RunId,
        scope: Scope,
    ) -> impl Stream<Item = Result<Bytes, CannotFollow>> + Send + use<> {
        let follower = Follower {
            runs: self.clone(),
            part: Part { run_id, scope },
            place: Place::New,
        };
        stream::unfold(follower, |mut follower| async move {
            let events = follower.next().await?;
            Some((events, follower))
        })
    }

    /// Whether what is new of a run takes so long that its followers must not be left to believe that nothing is new.
    pub(super) fn hangs(&self, run_id: &RunId) -> bool {
        let part = Part {
            run_id: run_id.clone(),
            scope: Scope::default(),
        };
        let tasks = lock(&self.tasks);
        tasks.get(&part).is_some_and(|task| task.update.hangs())
    }

    /// Everything that there is to know of a part now, and who tells more.
    async fn join(&self, part: &Part) -> Result<(Joined, mpsc::Sender<Join>), CannotFollow> {
        let task = self.task(part);
        let (join, joined) = oneshot::channel();
        task.send(join).await.map_err(|_| CannotFollow)?;
        let joined = joined.await.map_err(|_| CannotFollow)?;
        Ok((joined, task))
    }

    /// The task of a part, which is started if there is none.
    fn task(&self, part: &Part) -> mpsc::Sender<Join> {
        let mut tasks = lock(&self.tasks);
        let known = tasks.get(part).and_then(|task| task.joins.upgrade());
        if let Some(task) = known.filter(|task| !task.is_closed()) {
            return task;
        }
        let (task, joins) = mpsc::channel(MAX_JOINS_WAITING);
        let followed = FollowedRun::new(self.coordinator.clone(), part.clone());
        let known = Task {
            joins: task.downgrade(),
            update: Arc::clone(&followed.update_time),
        };
        tasks.insert(part.clone(), known);
        let (part, tasks) = (part.clone(), Arc::clone(&self.tasks));
        tokio::spawn(async move {
            followed.serve(joins).await;
            forget(&tasks, &part);
        });
        task
    }
}

/// Forgets a task that has ended, unless there is another one of the same part by now.
fn forget(tasks: &Tasks, part: &Part) {
    let mut tasks = lock(tasks);
    let other = tasks.get(part).and_then(|task| task.joins.upgrade());
    if other.is_none_or(|task| task.is_closed()) {
        tasks.remove(part);
    }
}

fn lock(tasks: &Tasks) -> MutexGuard<'_, HashMap<Part, Task>> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One who follows a part of a run.
#[derive(Debug)]
struct Follower {
    runs: FollowedRuns,
    part: Part,
    place: Place,
}

/// How far a follower is.
#[derive(Debug)]
enum Place {
    /// It must be sent everything.
    New,
    /// It has all updates up to this number.
    At {
        number: u64,
        updates: watch::Receiver<Arc<Updates>>,
        /// Keeps the task.
        _task: mpsc::Sender<Join>,
    },
    /// All updates were sent.
    End,
}

impl Follower {
    /// What it does not have yet, as soon as there is anything; none at the end.
    async fn next(&mut self) -> Option<Result<Bytes, CannotFollow>> {
        loop {
            match &mut self.place {
                Place::End => return None,
                Place::New => {
                    let Ok((joined, task)) = self.runs.join(&self.part).await else {
                        return Some(self.fail());
                    };
                    self.place = if joined.is_last {
                        Place::End
                    } else {
                        Place::At {
                            number: joined.number,
                            updates: joined.updates,
                            _task: task,
                        }
                    };
                    return Some(Ok(joined.everything));
                }
                Place::At {
                    number, updates, ..
                } => {
                    let newer = updates.wait_for(|now| now.number > *number).await;
                    let Ok(now) = newer.map(|now| Arc::clone(&now)) else {
                        return Some(self.fail());
                    };
                    let Some(events) = now.after(*number) else {
                        self.place = Place::New;
                        continue;
                    };
                    *number = now.number;
                    if now.is_last {
                        self.place = Place::End;
                    }
                    return Some(Ok(events));
                }
            }
        }
    }

    fn fail<T>(&mut self) -> Result<T, CannotFollow> {
        self.place = Place::End;
        Err(CannotFollow)
    }
}

/// The last updates of a part of a run.
#[derive(Debug, Clone, Default)]
struct Updates {
    /// Consecutive ones as events, the newest last.
    kept: VecDeque<Bytes>,
    /// The number of the newest; 0 before there is any.
    number: u64,
    is_last: bool,
}

impl Updates {
    /// The same with one more.
    fn with(&self, event: Bytes, is_last: bool) -> Self {
        let mut updates = self.clone();
        updates.kept.push_back(event);
        updates.number += 1;
        updates.is_last = is_last;
        let bytes = |kept: &VecDeque<Bytes>| kept.iter().map(Bytes::len).sum::<usize>();
        while updates.kept.len() > MAX_UPDATES_KEPT
            || (updates.kept.len() > 1 && bytes(&updates.kept) > MAX_BYTES_KEPT)
        {
            updates.kept.pop_front();
        }
        updates
    }

    /// The updates after this number; none if they are not kept any more.
    fn after(&self, number: u64) -> Option<Bytes> {
        let lacking = usize::try_from(self.number.saturating_sub(number)).ok()?;
        let first = self.kept.len().checked_sub(lacking)?;
        if lacking == 1 {
            return self.kept.back().cloned();
        }
        let events: Vec<&[u8]> = self.kept.range(first..).map(|event| &event[..]).collect();
        Some(events.concat().into())
    }
}

/// One update of a run as an event.
#[derive(Debug, Serialize)]
struct RunEvent<'a> {
    id: &'a RunId,
    /// The number of the coordinator's state that it includes at least.
    generation: u64,
    /// What changed of its view (see [`super::json_patch`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<Value>,
    /// What was added to the growing parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<RunDelta>,
    /// The run is over, and nothing more will come.
    over: bool,
}

/// The task of a part of a run that is followed.
#[derive(Debug)]
struct FollowedRun {
    part: Part,
    feed: RunFeed,
    throttle: UpdateThrottle,
    generation: u64,
    /// What new followers are given, once one has asked for it since the last update.
    everything: Option<Bytes>,
    /// The run is over or deleted.
    is_last: bool,
    updates: watch::Sender<Arc<Updates>>,
    update_time: Arc<UpdateTime>,
}

impl FollowedRun {
    fn new(coordinator: Coordinator, part: Part) -> Self {
        Self {
            throttle: UpdateThrottle::new(coordinator.changes()),
            feed: RunFeed::new(coordinator, part.run_id.clone(), part.scope.clone()),
            part,
            generation: 0,
            everything: None,
            is_last: false,
            updates: watch::Sender::default(),
            update_time: Arc::default(),
        }
    }

    /// Computes and answers until there are no followers, or the store fails.
    async fn serve(mut self, mut joins: mpsc::Receiver<Join>) {
        loop {
            tokio::select! {
                biased;
                join = joins.recv() => {
                    let Some(join) = join else { return };
                    let Some(joined) = self.joined().await else { return };
                    // It may have gone meanwhile.
                    let _ = join.send(joined);
                }
                due = self.throttle.due(), if !self.is_last => {
                    if due.is_none() || self.update().await.is_err() { return }
                }
            }
        }
    }

    /// What a new follower is given, none if the store fails: everything as it is now, or was less than an update's time ago.
    async fn joined(&mut self) -> Option<Joined> {
        if self.throttle.may_update() && !self.is_last {
            self.update().await.ok()?;
        }
        let everything = match &self.everything {
            Some(known) => known.clone(),
            None => self.everything().ok()?,
        };
        self.everything = Some(everything.clone());
        let updates = self.updates.subscribe();
        let number = updates.borrow().number;
        Some(Joined {
            everything,
            number,
            is_last: self.is_last,
            updates,
        })
    }

    /// Computes what is new and gives it to all followers.
    async fn update(&mut self) -> Result<(), WebError> {
        self.generation = self.throttle.begin();
        self.everything = None;
        self.update_time.set(Some(Instant::now()));
        let next = self.feed.next().await;
        self.update_time.set(None);
        let event = match next {
            Ok(update) => {
                self.is_last = update.is_last;
                self.event_of(update)?
            }
            Err(WebError::NoSuchRun(_)) => {
                let gone = frame("gone", &json!({ "id": self.part.run_id }))?;
                self.is_last = true;
                self.everything = Some(gone.clone());
                Some(gone)
            }
            Err(error) => return Err(error),
        };
        if let Some(event) = event {
            let is_last = self.is_last;
            self.updates
                .send_modify(|updates| *updates = Arc::new(updates.with(event, is_last)));
        }
        Ok(())
    }

    /// The event of an update; none if followers would learn nothing from it.
    fn event_of(&self, update: RunUpdate) -> Result<Option<Bytes>, WebError> {
        let delta = Some(update.delta).filter(|delta| !delta.is_empty());
        if update.view_patch.is_none() && delta.is_none() && !update.is_last {
            return Ok(None);
        }
        self.event(update.view_patch, delta).map(Some)
    }

    fn everything(&self) -> Result<Bytes, WebError> {
        let (view, delta) = self.feed.everything();
        self.event(view, Some(delta))
    }

    fn event(&self, view: Option<Value>, delta: Option<RunDelta>) -> Result<Bytes, WebError> {
        frame(
            "run",
            &RunEvent {
                id: &self.part.run_id,
                generation: self.generation,
                view,
                delta,
                over: self.is_last,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_update_that_takes_long_hangs() {
        let update = UpdateTime::default();
        assert!(!update.hangs());
        update.set(Some(Instant::now()));
        assert!(!update.hangs());
        tokio::time::advance(HANGS_AFTER).await;
        assert!(update.hangs());
        update.set(None);
        assert!(!update.hangs());
    }
}
