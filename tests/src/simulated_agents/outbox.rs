//! Numbered snapshots of one agent that are not acknowledged.

use std::collections::VecDeque;
use std::time::Instant;

use greylag_infra::protocol::MAX_UNACKNOWLEDGED;
use tokio_tungstenite::tungstenite::Bytes;

use super::Acknowledged;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    last_seq: u64,
    frames: VecDeque<Frame>,
    /// How many of them, from the front, were sent on the present connection.
    sent: usize,
}

#[derive(Debug)]
struct Frame {
    seq: u64,
    bytes: Bytes,
    requests: u64,
    made_at: Instant,
    sent_at: Option<Instant>,
}

impl Outbox {
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= MAX_UNACKNOWLEDGED
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }

    /// Takes the snapshot of the next number.
    pub(super) fn push(&mut self, bytes: Bytes, requests: u64) {
        self.last_seq += 1;
        self.frames.push_back(Frame {
            seq: self.last_seq,
            bytes,
            requests,
            made_at: Instant::now(),
            sent_at: None,
        });
    }

    pub(super) fn next_to_send(&mut self) -> Option<Bytes> {
        let frame = self.frames.get_mut(self.sent)?;
        self.sent += 1;
        frame.sent_at.get_or_insert_with(Instant::now);
        Some(frame.bytes.clone())
    }

    /// There is a new connection.
    pub(super) fn send_all_again(&mut self) {
        self.sent = 0;
    }

    /// This number and all before it are saved.
    pub(super) fn acknowledge(&mut self, seq: u64) -> Vec<Acknowledged> {
        let acknowledged_at = Instant::now();
        let saved = self.frames.iter().take_while(|frame| frame.seq <= seq);
        let saved = saved.count();
        self.sent = self.sent.saturating_sub(saved);
        self.frames
            .drain(..saved)
            .map(|frame| Acknowledged {
                sent_at: frame.sent_at.unwrap_or(frame.made_at),
                acknowledged_at,
                requests: frame.requests,
            })
            .collect()
    }

    /// Since when the oldest waits.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.frames.front().map(|frame| frame.made_at)
    }
}
