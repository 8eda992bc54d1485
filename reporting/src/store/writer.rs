//! The one thread that writes: a bounded queue of jobs, each with an answer.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::error::{StoreError, StoreResult};
use super::live::WriterState;

/// Jobs that may wait; who comes later waits in line, so a slow disk slows the agents' acknowledgements.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(&mut WriterState) + Send>;

/// Handle to the writer thread. When it is dropped, what is queued is still done.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(dir: &Path, mut state: WriterState) -> StoreResult<Self> {
        let (jobs, mut inbox) = mpsc::channel::<Job>(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Some(job) = next_job(&mut inbox, &mut state) {
                    job(&mut state);
                }
                state.finish();
            })
            .map_err(|source| StoreError::NotWritable {
                path: dir.into(),
                source,
            })?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs a job on the thread and returns its answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut WriterState) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let sender = lock(&self.jobs).clone().ok_or(StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |state| {
            // That the caller no longer waits is fine: the job is done all the same.
            let _ = answer.send(job(state));
        });
        sender.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
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

/// The next job, after upkeep if nothing waits; none when no more will come.
fn next_job(inbox: &mut mpsc::Receiver<Job>, state: &mut WriterState) -> Option<Job> {
    while state.upkeep.is_due() {
        match inbox.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Empty) => state.upkeep.step(&mut state.connection),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    inbox.blocking_recv()
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
