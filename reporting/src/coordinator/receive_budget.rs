//! How much memory messages may take that are still being received or wait to be read: per message, and over all
//! connections together. What snapshots take from then on is counted where they are checked (`../store/check_pool.rs`).
//!
//! A [`MeteredStream`] lies below each connection. Until it carries an agent's conversation it is only passed
//! through. From then on each message has a limit, and what it has beyond [`FREE_BYTES`] is taken out of the budget
//! while it is received. One that is whole is in the budget until it is read; while the budget is nearly spent,
//! connections have one such message each. When it is spent, the connection whose message has been on its way for
//! longest and is not whole yet is closed: messages that come whole and soon are never in anyone's way, whoever sends half ones.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// Most bytes of all messages that are on their way or not read yet.
pub const MAX_RECEIVED_BYTES: usize = 64 * 1024 * 1024;
/// What each message may have without being counted while it is received.
const FREE_BYTES: usize = 64 * 1024;
/// Most bytes read at a time of a message that is counted.
const STEP_BYTES: usize = 64 * 1024;
/// How far reading may get ahead of the message: headers of frames, and the next message.
const AHEAD_BYTES: usize = 256 * 1024;
/// How long a message may be on its way before its connection can be closed for others.
const LEAST_TIME: Duration = Duration::from_secs(2);
/// When a connection that waits for the budget looks again.
const RETRY: Duration = Duration::from_millis(50);

/// Why reading ended: a message that is larger than its limit.
#[derive(Debug, thiserror::Error)]
#[error("the message is too large; the maximum here is {limit} bytes")]
pub(super) struct MessageTooLarge {
    limit: usize,
}

impl MessageTooLarge {
    /// With a message beyond this many bytes.
    pub(super) fn of_limit(limit: usize) -> io::Error {
        io::Error::other(Self { limit })
    }

    /// Whether this is why a stream could not be read.
    pub(super) fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

/// The budget of a coordinator.
#[derive(Debug)]
pub(super) struct ReceiveBudget {
    bytes: usize,
    next_number: AtomicU64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Of messages that are whole, too.
    total: usize,
    by_connection: HashMap<u64, Share>,
}

/// What one connection's message has taken that is being received.
#[derive(Debug)]
struct Share {
    bytes: usize,
    since: Instant,
    crowded_out: CancellationToken,
}

impl Taken {
    /// Connections whose messages have been on their way for longest and together have as much as is lacking; none when
    /// all of them do not, so that no connection is closed in vain.
    fn in_the_way(&self, connection: u64, lacking: usize, now: Instant) -> Option<Vec<u64>> {
        if lacking == 0 {
            return Some(Vec::new());
        }
        let mut others: Vec<(u64, &Share)> = self
            .by_connection
            .iter()
            .filter(|(number, share)| **number != connection && now - share.since >= LEAST_TIME)
            .map(|(number, share)| (*number, share))
            .collect();
        others.sort_unstable_by_key(|(_, share)| share.since);
        let mut bytes = 0;
        let enough = others.iter().position(|(_, share)| {
            bytes += share.bytes;
            bytes >= lacking
        })?;
        Some(
            others[..=enough]
                .iter()
                .map(|(number, _)| *number)
                .collect(),
        )
    }
}

impl Default for ReceiveBudget {
    fn default() -> Self {
        Self::of(MAX_RECEIVED_BYTES)
    }
}

impl ReceiveBudget {
    fn of(bytes: usize) -> Self {
        Self {
            bytes,
            next_number: AtomicU64::new(0),
            taken: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of messages that are being received, or are whole and not done.
    pub(super) fn taken_bytes(&self) -> usize {
        self.lock().total
    }

    /// Whether connections may have more than one message that waits.
    pub(super) fn has_room(&self) -> bool {
        self.lock().total < self.bytes / 2
    }

    /// Whether the connection's message may have so many bytes. Those that stand in the way for longest lose theirs.
    fn take(&self, connection: u64, bytes: usize, crowded_out: &CancellationToken) -> bool {
        let mut taken = self.lock();
        let now = Instant::now();
        let had = taken
            .by_connection
            .get(&connection)
            .map_or(0, |share| share.bytes);
        let lacking = (taken.total - had + bytes).saturating_sub(self.bytes);
        let Some(in_the_way) = taken.in_the_way(connection, lacking, now) else {
            return false;
        };
        for number in in_the_way {
            if let Some(share) = taken.by_connection.remove(&number) {
                taken.total -= share.bytes;
                share.crowded_out.cancel();
            }
        }
        taken.total = taken.total - had + bytes;
        let share = taken.by_connection.entry(connection).or_insert(Share {
            bytes,
            since: now,
            crowded_out: crowded_out.clone(),
        });
        share.bytes = bytes;
        true
    }

    fn give_back(&self, connection: u64) {
        let mut taken = self.lock();
        if let Some(share) = taken.by_connection.remove(&connection) {
            taken.total -= share.bytes;
        }
    }
}

/// Counts what one connection receives.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Arc<ReceiveBudget>,
    number: u64,
    /// Most bytes of a message; 0 as long as there are none.
    limit: AtomicUsize,
    /// Bytes since the last message.
    received: AtomicUsize,
    /// The same when it was looked at last.
    looked_at: AtomicUsize,
    crowded_out: CancellationToken,
}

impl Meter {
    pub(super) fn new(budget: Arc<ReceiveBudget>) -> Arc<Self> {
        let number = budget.next_number.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            budget,
            number,
            limit: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
            looked_at: AtomicUsize::new(0),
            crowded_out: CancellationToken::new(),
        })
    }

    /// From here on there are messages, of at most so many bytes.
    pub(super) fn limit_messages(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// A message of this size is whole, and what is read from here on is of the next. Its connection is not closed for
    /// others because of it: they wait until it has been read, for which what is returned is kept.
    pub(super) fn message_is_whole(&self, bytes: usize) -> WholeMessage {
        self.message_done();
        // Even beyond the limit: the message has been received.
        self.budget.lock().total += bytes;
        WholeMessage {
            budget: Arc::clone(&self.budget),
            bytes,
        }
    }

    /// The last message is whole or answered; what is read from here on is of the next.
    pub(super) fn message_done(&self) {
        // Reading takes a whole step ahead, so that a message smaller than what is free may have a share too.
        if self.received.swap(0, Ordering::Relaxed) > 0 {
            self.budget.give_back(self.number);
        }
    }

    /// Whether more of the message that is on its way has come since this was asked last.
    pub(super) fn has_come_further(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        let before = self.looked_at.swap(received, Ordering::Relaxed);
        received > 0 && received != before
    }

    /// Waits until the connection is to be closed because others need the memory.
    pub(super) async fn crowded_out(&self) {
        self.crowded_out.cancelled().await;
    }

    /// How many bytes may be read now; none when the budget has to be waited for.
    fn allowance(&self) -> io::Result<Option<usize>> {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == 0 {
            return Ok(Some(usize::MAX));
        }
        let received = self.received.load(Ordering::Relaxed);
        let most = limit + AHEAD_BYTES;
        if received >= most {
            return Err(MessageTooLarge::of_limit(limit));
        }
        let step = STEP_BYTES.min(most - received);
        if received + step <= FREE_BYTES {
            return Ok(Some(step));
        }
        let has_place = self
            .budget
            .take(self.number, received + step, &self.crowded_out);
        Ok(has_place.then_some(step))
    }
}

/// The part that a message has of the budget until it is read.
#[derive(Debug)]
pub(super) struct WholeMessage {
    budget: Arc<ReceiveBudget>,
    bytes: usize,
}

impl Drop for WholeMessage {
    fn drop(&mut self) {
        self.budget.lock().total -= self.bytes;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.budget.give_back(self.number);
    }
}

/// A connection whose received bytes are counted.
#[derive(Debug)]
pub(crate) struct MeteredStream<S> {
    stream: S,
    meter: Arc<Meter>,
    retry: Option<Pin<Box<Sleep>>>,
}

impl<S> MeteredStream<S> {
    pub(crate) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self {
            stream,
            meter,
            retry: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let allowed = loop {
            if let Some(retry) = &mut this.retry {
                ready!(retry.as_mut().poll(context));
                this.retry = None;
            }
            match this.meter.allowance()? {
                Some(allowed) => break allowed,
                None => this.retry = Some(Box::pin(tokio::time::sleep(RETRY))),
            }
        };
        if allowed >= buffer.remaining() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let count = buffer.filled().len() - before;
            this.meter.received.fetch_add(count, Ordering::Relaxed);
            return Poll::Ready(Ok(()));
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(allowed));
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
        let count = part.filled().len();
        buffer.advance(count);
        this.meter.received.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    const KIB: usize = 1024;

    #[tokio::test(start_paused = true)]
    async fn a_message_beyond_its_limit_is_an_error() {
        let meter = Meter::new(Arc::default());
        let (mut sender, stream) = duplex(2 * AHEAD_BYTES);
        let mut stream = MeteredStream::new(stream, Arc::clone(&meter));
        let mut buffer = vec![0; 2 * AHEAD_BYTES];
        sender.write_all(&vec![7; 1_000]).await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 1_000);
        meter.limit_messages(500);
        meter.message_done();
        sender.write_all(&vec![7; 500 + AHEAD_BYTES]).await.unwrap();
        stream
            .read_exact(&mut buffer[..500 + AHEAD_BYTES])
            .await
            .unwrap();
        let error = stream.read(&mut buffer).await.unwrap_err();
        assert!(MessageTooLarge::is_cause_of(&error), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_message_in_two_parts_gives_back_what_it_took() {
        let budget = Arc::new(ReceiveBudget::of(300 * KIB));
        let meter = Meter::new(Arc::clone(&budget));
        meter.limit_messages(8 * KIB * KIB);
        let (mut sender, stream) = duplex(KIB * KIB);
        let mut stream = MeteredStream::new(stream, Arc::clone(&meter));
        let mut buffer = vec![0; 100 * KIB];
        for _ in 0..2 {
            sender.write_all(&vec![7; 20 * KIB]).await.unwrap();
            assert_eq!(stream.read(&mut buffer).await.unwrap(), 20 * KIB);
        }
        assert_ne!(budget.lock().total, 0);
        meter.message_done();
        assert_eq!(budget.lock().total, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_message_is_waited_for() {
        let budget = ReceiveBudget::of(300 * KIB);
        let meter = Meter::new(Arc::new(budget));
        let others = CancellationToken::new();
        assert!(
            meter
                .budget
                .take(meter.number, 200 * KIB, &meter.crowded_out)
        );
        meter.received.store(200 * KIB, Ordering::Relaxed);
        assert!(meter.budget.lock().by_connection.len() == 1);
        let whole = meter.message_is_whole(200 * KIB);
        assert!(!meter.budget.has_room());
        tokio::time::advance(10 * LEAST_TIME).await;
        assert!(!meter.budget.take(meter.number + 1, 200 * KIB, &others));
        assert!(!meter.crowded_out.is_cancelled());
        drop(whole);
        assert!(meter.budget.has_room());
        assert!(meter.budget.take(meter.number + 1, 200 * KIB, &others));
    }

    #[tokio::test(start_paused = true)]
    async fn no_connection_is_closed_where_that_does_not_make_room() {
        let budget = Arc::new(ReceiveBudget::of(300 * KIB));
        let slow = Meter::new(Arc::clone(&budget));
        assert!(budget.take(slow.number, 100 * KIB, &slow.crowded_out));
        let whole = Meter::new(Arc::clone(&budget)).message_is_whole(150 * KIB);
        tokio::time::advance(10 * LEAST_TIME).await;
        let next = Meter::new(Arc::clone(&budget));
        assert!(!budget.take(next.number, 200 * KIB, &next.crowded_out));
        assert!(!slow.crowded_out.is_cancelled());
        drop(whole);
        assert!(budget.take(next.number, 200 * KIB, &next.crowded_out));
        assert!(!slow.crowded_out.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn the_message_that_is_longest_on_its_way_makes_room() {
        let budget = Arc::new(ReceiveBudget::of(300 * KIB));
        let mut open = Vec::new();
        for _ in 0..3 {
            let meter = Meter::new(Arc::clone(&budget));
            meter.limit_messages(8 * KIB * KIB);
            let (mut sender, stream) = duplex(KIB * KIB);
            let mut stream = MeteredStream::new(stream, Arc::clone(&meter));
            sender.write_all(&vec![7; 200 * KIB]).await.unwrap();
            let begun = Instant::now();
            let reading = async move {
                let mut buffer = vec![0; 150 * KIB];
                stream.read_exact(&mut buffer).await.unwrap();
                stream
            };
            let stream = timeout(Duration::from_secs(60), reading).await.unwrap();
            let waited = begun.elapsed();
            assert!(waited <= LEAST_TIME + RETRY, "{waited:?}");
            open.push((meter, stream, sender));
        }
        let closed = |at: usize| open[at].0.crowded_out.is_cancelled();
        assert!(closed(0) && !closed(2));
        assert!(budget.lock().total <= 300 * KIB);
        open[2].0.message_done();
        open.clear();
        assert_eq!(budget.lock().total, 0);
    }
}
