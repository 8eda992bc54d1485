//! The one thread that writes: a queue bounded in bytes, from which snapshots are saved many at a time.
//!
//! A transaction costs an fsync and the pages that it touches, whether it holds one snapshot or hundreds. So what waits
//! goes into one for each run, and the more agents there are, the longer the pauses between transactions ([`Pace`]).

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use greylag_infra::{AgentId, RunId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::checked_snapshot::CheckedSnapshot;
use super::error::{StoreError, StoreResult};
use super::live::WriterState;
use super::save::{self, SaveOutcome};

/// Memory that what waits may take, in KiB. Who comes later waits in line, so a slow disk slows the agents'
/// acknowledgements.
const QUEUE_KIB: u32 = 64 << 10;
/// What a job that is not a snapshot is taken to need of it.
const JOB_KIB: u32 = 16;
/// Most snapshots that are saved together, and the memory that they may take before no more are added.
const MAX_BATCH: usize = 4_096;
const MAX_BATCH_KIB: u32 = QUEUE_KIB / 2;
/// How much longer a transaction may wait for further snapshots for each agent of the runs that are being saved, and
/// how long at most: the time from one transaction's begin to the next one's.
const PAUSE_PER_AGENT: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A snapshot that waits to be saved, and who waits for the answer.
#[derive(Debug)]
pub(super) struct WaitingSnapshot {
    pub(super) run_id: RunId,
    pub(super) agent_id: AgentId,
    pub(super) snapshot: CheckedSnapshot,
    pub(super) answer: oneshot::Sender<StoreResult<SaveOutcome>>,
}

enum Job {
    Save(Box<WaitingSnapshot>),
    Other(Box<dyn FnOnce(&mut WriterState) + Send>),
}

/// A job with its place in the queue, which it keeps until it is done.
struct Queued {
    job: Job,
    room: OwnedSemaphorePermit,
}

/// Handle to the writer thread. When it is dropped, what is queued is still done.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Queued>>>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(dir: &Path, mut state: WriterState) -> StoreResult<Self> {
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                do_jobs(&inbox, &mut state);
                state.finish();
            })
            .map_err(|source| StoreError::NotWritable {
                path: dir.into(),
                source,
            })?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            room: Arc::new(Semaphore::new(QUEUE_KIB as usize)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs a job on the thread, after the snapshots that came before it, and returns its answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut WriterState) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Other(Box::new(move |state| {
            // That the caller no longer waits is fine: the job is done all the same.
            let _ = answer.send(job(state));
        }));
        self.queue(job, JOB_KIB).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Saves a snapshot, together with others that wait. When this returns it is in the queue, and what is returned is
    /// what becomes of it.
    pub(super) async fn save(
        &self,
        run_id: RunId,
        agent_id: AgentId,
        snapshot: CheckedSnapshot,
    ) -> StoreResult<impl Future<Output = StoreResult<SaveOutcome>> + use<>> {
        let kib = u32::try_from(snapshot.memory() >> 10).unwrap_or(u32::MAX);
        let (answer, answered) = oneshot::channel();
        let waiting = WaitingSnapshot {
            run_id,
            agent_id,
            snapshot,
            answer,
        };
        self.queue(Job::Save(Box::new(waiting)), kib).await?;
        Ok(async { answered.await.map_err(|_| StoreError::Closed)? })
    }

    async fn queue(&self, job: Job, kib: u32) -> StoreResult<()> {
        // Before there is room, so that what was asked before the store is closed is done.
        let sender = lock(&self.jobs).clone().ok_or(StoreError::Closed)?;
        let room = Arc::clone(&self.room)
            .acquire_many_owned(kib.clamp(1, QUEUE_KIB))
            .await
            .map_err(|_| StoreError::Closed)?;
        let queued = Queued { job, room };
        sender.send(queued).map_err(|_| StoreError::Closed)
    }

    /// Refuses further jobs and returns when what was queued is done. Blocks.
    pub(super) fn close(&self) {
        drop(lock(&self.jobs).take());
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what comes, in its order, until no more will.
fn do_jobs(inbox: &Receiver<Queued>, state: &mut WriterState) {
    let mut next = None;
    let mut last_begin: Option<Instant> = None;
    while let Some(Queued { job, room }) = next.take().or_else(|| next_job(inbox, state)) {
        match job {
            Job::Other(job) => job(state),
            Job::Save(first) => {
                let until = last_begin.map(|begin| begin + pause(state.live_agents()));
                let mut batch = Batch::new(*first, room);
                next = batch.fill(inbox, until);
                last_begin = Some(Instant::now());
                save::save(state, batch.snapshots);
                // Only now may others take its place in the queue.
                drop(batch.room);
            }
        }
    }
}

/// The time from one transaction's begin to the next one's, if there is anything to write.
fn pause(agents: usize) -> Duration {
    let agents = u32::try_from(agents).unwrap_or(u32::MAX);
    PAUSE_PER_AGENT.saturating_mul(agents).min(LONGEST_PAUSE)
}

/// The next job, after upkeep if nothing waits; none when no more will come.
fn next_job(inbox: &Receiver<Queued>, state: &mut WriterState) -> Option<Queued> {
    while state.upkeep.is_due() {
        match inbox.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Empty) => state.upkeep.step(&mut state.connection),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    inbox.recv().ok()
}

/// Snapshots for one transaction per run, in the order in which they came.
struct Batch {
    snapshots: Vec<WaitingSnapshot>,
    room: OwnedSemaphorePermit,
}

impl Batch {
    fn new(first: WaitingSnapshot, room: OwnedSemaphorePermit) -> Self {
        Self {
            snapshots: vec![first],
            room,
        }
    }

    fn add(&mut self, snapshot: WaitingSnapshot, room: OwnedSemaphorePermit) {
        self.snapshots.push(snapshot);
        self.room.merge(room);
    }

    fn is_full(&self) -> bool {
        self.snapshots.len() >= MAX_BATCH || self.room.num_permits() >= MAX_BATCH_KIB as usize
    }

    /// Adds what waits and what comes until then. Gives the first job that has to wait for the transaction, if there
    /// is one: jobs are done in their order.
    fn fill(&mut self, inbox: &Receiver<Queued>, until: Option<Instant>) -> Option<Queued> {
        while !self.is_full() {
            let left = until.map_or(Duration::ZERO, |until| {
                until.saturating_duration_since(Instant::now())
            });
            match inbox.recv_timeout(left) {
                Ok(Queued {
                    job: Job::Save(snapshot),
                    room,
                }) => self.add(*snapshot, room),
                Ok(other) => return Some(other),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use greylag_infra::protocol::Snapshot;
    use greylag_infra::{
        BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord, WallTime,
    };

    use super::*;
    use crate::store::Store;
    use crate::store::schema::DATABASE_FILE;

    const AGENTS: usize = 100;

    fn run() -> RunRecord {
        let agent = |number: usize| RunAgent {
            id: number.to_string().as_str().into(),
            name: number.to_string(),
            workers: Vec::new(),
            last_seq: 0,
            saved_until: 0,
            end: None,
            build: BuildInfo::default(),
        };
        RunRecord {
            id: "r".into(),
            number: 0,
            test: LoadTest::default(),
            phase: RunPhase::Running,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: None,
            agents: (0..AGENTS).map(agent).collect(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        }
    }

    /// Transactions in the file that SQLite writes first: each ends with a frame that says how large the database is.
    fn transactions(dir: &Path) -> usize {
        const HEADER: usize = 32;
        const FRAME: usize = 24 + 16_384;
        let wal = std::fs::read(dir.join(format!("{DATABASE_FILE}-wal"))).unwrap();
        let frames = wal.get(HEADER..).unwrap_or_default().chunks(FRAME);
        frames.filter(|frame| frame[4..8] != [0; 4]).count()
    }

    #[tokio::test]
    async fn what_waits_is_saved_together() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create_run(run()).await.unwrap();
        let writer = &store.inner.writer;
        // It empties that file.
        while writer.run(|state| Ok(state.upkeep.is_due())).await.unwrap() {}
        let before = transactions(dir.path());
        let (release, released) = mpsc::channel::<()>();
        let occupied = writer.run(move |_| {
            let _ = released.recv();
            Ok(())
        });
        let save = |agent: usize| {
            let snapshot = Snapshot {
                run_id: "r".into(),
                seq: 1,
                ..Snapshot::default()
            };
            let store = store.clone();
            tokio::spawn(async move {
                let agent = agent.to_string().as_str().into();
                store.save_snapshot(&"r".into(), &agent, snapshot).await
            })
        };
        let everyone_waits = async {
            let saves: Vec<_> = (0..AGENTS).map(save).collect();
            let room = (QUEUE_KIB - JOB_KIB) as usize - AGENTS;
            while writer.room.available_permits() > room {
                tokio::task::yield_now().await;
            }
            drop(release);
            saves
        };
        let (occupied, saves) = tokio::join!(occupied, everyone_waits);
        occupied.unwrap();
        for saved in saves {
            assert_eq!(saved.await.unwrap().unwrap(), SaveOutcome::Saved);
        }
        assert_eq!(transactions(dir.path()) - before, 1);
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_waits() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let writer = &store.inner.writer;
        let (release, released) = mpsc::channel::<()>();
        let occupied = Job::Other(Box::new(move |_| {
            let _ = released.recv();
        }));
        let nothing = || Job::Other(Box::new(|_| {}));
        writer.queue(occupied, 1).await.unwrap();
        writer.queue(nothing(), QUEUE_KIB - 1).await.unwrap();
        let mut next = std::pin::pin!(writer.queue(nothing(), 1));
        for _ in 0..100 {
            let waiting = futures_util::poll!(next.as_mut());
            assert!(waiting.is_pending(), "there is no room");
            tokio::task::yield_now().await;
        }
        drop(release);
        next.await.unwrap();
    }

    fn room_for(room: &Arc<Semaphore>, kib: u32) -> OwnedSemaphorePermit {
        Arc::clone(room).try_acquire_many_owned(kib).unwrap()
    }

    fn waiting() -> WaitingSnapshot {
        WaitingSnapshot {
            run_id: "r".into(),
            agent_id: "a".into(),
            snapshot: CheckedSnapshot::new(Snapshot::default()).unwrap(),
            answer: oneshot::channel().0,
        }
    }

    fn queued(room: OwnedSemaphorePermit) -> Queued {
        let job = Job::Save(Box::new(waiting()));
        Queued { job, room }
    }

    #[test]
    fn a_batch_waits_until_its_time_or_for_another_job() {
        let room = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        let (jobs, inbox) = mpsc::channel();
        let mut batch = Batch::new(waiting(), room_for(&room, 1));
        let until = Instant::now() + Duration::from_millis(50);
        assert!(batch.fill(&inbox, Some(until)).is_none());
        assert!(Instant::now() >= until);
        for _ in 0..2 {
            jobs.send(queued(room_for(&room, 1))).unwrap();
        }
        // Without a time to wait for, what is there is taken.
        assert!(batch.fill(&inbox, None).is_none());
        assert_eq!(batch.snapshots.len(), 3);
        let job = Job::Other(Box::new(|_| {}));
        let room = room_for(&room, JOB_KIB);
        jobs.send(Queued { job, room }).unwrap();
        let hour = Instant::now() + Duration::from_secs(3_600);
        let next = batch.fill(&inbox, Some(hour));
        assert!(next.is_some_and(|next| matches!(next.job, Job::Other(_))));
        assert_eq!(batch.snapshots.len(), 3);
    }

    #[test]
    fn a_batch_is_full_when_it_takes_its_memory() {
        let room = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        let (jobs, inbox) = mpsc::channel();
        for _ in 0..3 {
            jobs.send(queued(room_for(&room, 1))).unwrap();
        }
        drop(jobs);
        let mut batch = Batch::new(waiting(), room_for(&room, MAX_BATCH_KIB - 2));
        let hour = Instant::now() + Duration::from_secs(3_600);
        assert!(batch.fill(&inbox, Some(hour)).is_none());
        assert_eq!(batch.snapshots.len(), 3);
        assert!(inbox.try_recv().is_ok(), "the last one has to wait");
    }

    #[test]
    fn pauses_grow_with_the_number_of_agents() {
        assert_eq!(pause(1), PAUSE_PER_AGENT);
        assert_eq!(pause(100), 100 * PAUSE_PER_AGENT);
        assert_eq!(pause(1_000), LONGEST_PAUSE);
        assert_eq!(pause(usize::MAX), LONGEST_PAUSE);
    }
}
