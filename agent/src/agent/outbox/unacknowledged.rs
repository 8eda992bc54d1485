//! Snapshots that the coordinator has not acknowledged, oldest first: each is sent once per connection, unchanged and in
//! order, until it is.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use greylag_infra::protocol::MAX_UNACKNOWLEDGED;

/// The snapshots of one run that are kept until they are acknowledged.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    frames: VecDeque<Frame>,
    /// How many of them, from the front, went out on the present connection.
    sent: usize,
}

/// A snapshot as it is sent.
#[derive(Debug)]
pub(super) struct Frame {
    seq: u64,
    pub(super) bytes: Bytes,
    made_at: Instant,
    /// When it went out, on the present connection.
    pub(super) sent_at: Instant,
}

impl Unacknowledged {
    pub(super) fn push(&mut self, seq: u64, bytes: Bytes) {
        let now = Instant::now();
        self.frames.push_back(Frame {
            seq,
            bytes,
            made_at: now,
            sent_at: now,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are as many as may be unacknowledged.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= MAX_UNACKNOWLEDGED
    }

    /// How many bytes they have together.
    pub(super) fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.bytes.len()).sum()
    }

    /// The next one that has not gone out on the present connection.
    pub(super) fn next_to_send(&mut self) -> Option<Bytes> {
        let frame = self.frames.get_mut(self.sent)?;
        self.sent += 1;
        frame.sent_at = Instant::now();
        Some(frame.bytes.clone())
    }

    /// There is a new connection.
    pub(super) fn send_all_again(&mut self) {
        self.sent = 0;
    }

    /// Removes the oldest, if its number is not above this one.
    pub(super) fn remove_up_to(&mut self, seq: u64) -> Option<Frame> {
        self.frames.front().filter(|frame| frame.seq <= seq)?;
        self.sent = self.sent.saturating_sub(1);
        self.frames.pop_front()
    }

    /// When the oldest was made.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.frames.front().map(|frame| frame.made_at)
    }
}
