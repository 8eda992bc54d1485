//! The few threads that read and check snapshots, and how much memory those may take that are checked and not in the
//! writer's queue yet.
//!
//! A snapshot is counted once on its way into the database: as the bytes that were received until it is read here
//! (`../coordinator/receive_budget.rs`), then as what it takes in memory, here and in the writer's queue (`writer.rs`).
//! When one of these is spent, what comes behind waits, down to the sockets.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use greylag_infra::protocol::Snapshot;
use tokio::sync::oneshot;

use super::checked_snapshot::CheckedSnapshot;
use super::error::{StoreError, StoreResult};

/// Most threads, so that whoever writes and answers has cores too.
const MAX_THREADS: usize = 4;
/// Memory of checked snapshots that are not in the writer's queue, from which on no other is read. Each thread can have
/// begun one before.
const MAX_CHECKED_BYTES: usize = 16 * 1024 * 1024;

type Job = Box<dyn FnOnce(&Checker) + Send>;

/// Handle to the threads, which end with it when they have done what was asked for.
#[derive(Debug)]
pub(crate) struct CheckPool {
    /// Bounded by what may be received (see above).
    jobs: mpsc::Sender<Job>,
}

/// What makes checked snapshots, on a thread that is there for it.
#[derive(Debug)]
pub(crate) struct Checker {
    checked: Arc<CheckedBytes>,
}

/// A snapshot that can be saved.
#[derive(Debug)]
pub(crate) struct ReadySnapshot {
    pub(super) snapshot: CheckedSnapshot,
    /// Its part of the memory, until the writer's queue has it.
    pub(super) share: Share,
}

impl CheckPool {
    /// Starts the threads of a store in this directory.
    pub(super) fn start(dir: &Path) -> StoreResult<Self> {
        let (jobs, inbox) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let checked = Arc::<CheckedBytes>::default();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        for number in 0..cores.min(MAX_THREADS) {
            let inbox = Arc::clone(&inbox);
            let checker = Checker {
                checked: Arc::clone(&checked),
            };
            thread::Builder::new()
                .name(format!("snapshots-{number}"))
                .spawn(move || checker.work(&inbox))
                .map_err(|source| StoreError::NotWritable {
                    path: dir.into(),
                    source,
                })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` on one of the threads. Jobs begin in the order in which they were given.
    pub(crate) fn run<T, F>(&self, job: F) -> impl Future<Output = StoreResult<T>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Checker) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |checker| {
            // That the caller no longer waits is fine: nothing was changed.
            let _ = answer.send(job(checker));
        });
        // Without threads the answer is dropped with the job.
        let _ = self.jobs.send(job);
        async { answered.await.map_err(|_| StoreError::Closed) }
    }
}

impl Checker {
    fn work(&self, inbox: &Mutex<mpsc::Receiver<Job>>) {
        loop {
            // Before a job is taken: one that was begun never waits for those after it.
            self.checked.wait_for_room();
            let job = lock(inbox).recv();
            let Ok(job) = job else {
                return;
            };
            // Its caller gets an error, because it gets no answer.
            if catch_unwind(AssertUnwindSafe(|| job(self))).is_err() {
                tracing::error!("reading a snapshot panicked");
            }
        }
    }

    /// Checks a snapshot and counts what it takes in memory.
    pub(crate) fn check(&self, snapshot: Snapshot) -> StoreResult<ReadySnapshot> {
        let snapshot = CheckedSnapshot::new(snapshot)?;
        let share = CheckedBytes::take(&self.checked, snapshot.memory());
        Ok(ReadySnapshot { snapshot, share })
    }
}

/// The memory of checked snapshots.
#[derive(Debug, Default)]
struct CheckedBytes {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A part of it.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<CheckedBytes>,
    bytes: usize,
}

impl CheckedBytes {
    fn take(this: &Arc<Self>, bytes: usize) -> Share {
        *lock(&this.taken) += bytes;
        Share {
            of: Arc::clone(this),
            bytes,
        }
    }

    fn wait_for_room(&self) {
        let taken = lock(&self.taken);
        let waited = self
            .freed
            .wait_while(taken, |taken| *taken >= MAX_CHECKED_BYTES);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *lock(&self.of.taken) -= self.bytes;
        self.of.freed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> CheckPool {
        CheckPool::start(Path::new(".")).unwrap()
    }

    #[tokio::test]
    async fn a_job_that_panics_is_answered_and_harms_no_other() {
        let pool = pool();
        for _ in 0..2 * MAX_THREADS {
            let answer: StoreResult<()> = pool.run(|_| panic!("on purpose")).await;
            assert!(matches!(answer, Err(StoreError::Closed)));
        }
        assert_eq!(pool.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn no_other_is_read_while_the_memory_is_taken() {
        let pool = pool();
        let take = |bytes| move |checker: &Checker| CheckedBytes::take(&checker.checked, bytes);
        let large = pool.run(take(MAX_CHECKED_BYTES)).await.unwrap();
        // Each thread may have been waiting for a job before.
        let mut begun = Vec::new();
        for _ in 0..MAX_THREADS {
            begun.push(pool.run(take(1)));
        }
        let (began, mut last) = oneshot::channel();
        let waiting = pool.run(move |_| began.send(()));
        for share in begun {
            // Those beyond the number of threads wait too.
            tokio::select! {
                biased;
                share = share => drop(share),
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(last.try_recv().is_err(), "the memory is still taken");
        drop(large);
        waiting.await.unwrap().unwrap();
        assert_eq!(last.await, Ok(()));
    }
}
