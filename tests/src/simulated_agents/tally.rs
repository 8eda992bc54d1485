//! What simulated agents have done, over all of them.

use std::fmt;
use std::time::Instant;

use greylag_infra::WallTime;

/// Counts of what was sent and acknowledged.
#[derive(Debug, Default)]
pub struct Tally {
    /// Agents that have a connection now.
    pub connected: usize,
    /// Connections that agents lost.
    pub disconnections: usize,
    /// Agents of which everything is acknowledged, the end of their part included.
    pub done: usize,
    /// Why agents were turned away.
    pub refusals: Vec<String>,
    /// Run time zero of the last run that started, on this machine's clock.
    pub run_zero: Option<WallTime>,
    /// Snapshots that were made.
    pub snapshots: usize,
    /// Bytes of all of them.
    pub bytes: usize,
    /// Requests in all of them.
    pub requests: u64,
    /// Failures in all of them.
    pub failures: u64,
    /// Requests and failures by endpoint, in the traffic's order.
    pub by_endpoint: Vec<(u64, u64)>,
    /// Each snapshot that was acknowledged, in this order.
    pub acknowledged: Vec<Acknowledged>,
}

/// A snapshot that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// When it was sent first.
    pub sent_at: Instant,
    /// When the acknowledgement came.
    pub acknowledged_at: Instant,
    /// Requests that it held.
    pub requests: u64,
}

impl Tally {
    pub(super) fn count(&mut self, bytes: usize, by_endpoint: &[(u64, u64)]) {
        self.snapshots += 1;
        self.bytes += bytes;
        self.by_endpoint
            .resize(self.by_endpoint.len().max(by_endpoint.len()), (0, 0));
        for (sum, (requests, failures)) in self.by_endpoint.iter_mut().zip(by_endpoint) {
            sum.0 += requests;
            sum.1 += failures;
            self.requests += requests;
            self.failures += failures;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connected ({} disconnections), {} done, {} snapshots with {} requests, {} acknowledged",
            self.connected,
            self.disconnections,
            self.done,
            self.snapshots,
            self.requests,
            self.acknowledged.len()
        )
    }
}
