//! What a load test means that leaves something out: the same on the command line, in the API and in the page's form.

use super::{DEFAULT_AGENTS_TIMEOUT_S, WorkerCount};

/// Infrastructure: that of the agent which `greylag run` and `greylag serve` start.
pub const DEFAULT_INFRASTRUCTURE: &str = "local";

/// What a load test takes for what it leaves out.
#[derive(Debug, Clone, Copy)]
pub struct TestDefaults {
    /// Users.
    pub users: u64,
    /// Duration in seconds.
    pub duration_s: u64,
    /// Ramp-up in seconds, of a test that is long enough for it.
    pub ramp_up_s: u64,
    /// The default ramp-up takes at most this part of the duration: it must not be what cuts a short test off.
    pub ramp_up_part: u64,
    /// Worker processes, of a test with so many users.
    pub workers: WorkerCount,
    /// Time for tasks and requests still running at the end, in seconds.
    pub stop_timeout_s: u64,
    /// Time to wait for agents, in seconds.
    pub agents_timeout_s: u64,
    /// Infrastructure.
    pub infrastructure: &'static str,
}

impl TestDefaults {
    /// Those of every test but the demo.
    pub const USUAL: Self = Self {
        users: 10,
        duration_s: 60,
        ramp_up_s: 10,
        ramp_up_part: 6,
        workers: WorkerCount::Auto,
        stop_timeout_s: 10,
        agents_timeout_s: DEFAULT_AGENTS_TIMEOUT_S,
        infrastructure: DEFAULT_INFRASTRUCTURE,
    };

    /// The ramp-up of a test of this duration.
    pub fn ramp_up_s(&self, duration_s: u64) -> u64 {
        self.ramp_up_s.min(duration_s / self.ramp_up_part)
    }

    /// The workers of a test with so many users: one without a user is of no use.
    pub fn workers(&self, users: u64) -> WorkerCount {
        let users = u32::try_from(users).unwrap_or(u32::MAX);
        match self.workers {
            WorkerCount::Auto => WorkerCount::Auto,
            WorkerCount::Exactly(most) => WorkerCount::Exactly(users.clamp(1, most)),
        }
    }
}
