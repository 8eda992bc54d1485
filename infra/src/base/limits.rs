//! How much there may be of what, where more than one room must know it.

use std::time::Duration;

/// Most users of one run.
pub const MAX_USERS: u64 = 1_000_000;
/// Most worker processes of one run.
pub const MAX_WORKERS: u32 = 20_000;
/// Most agents of one run.
pub(crate) const MAX_AGENTS_OF_A_RUN: u32 = 10_000;
/// Most new iterations per second of one run.
pub const MAX_ARRIVAL_RATE: f64 = 1e6;
/// Longest duration of one run (30 days).
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most stages of one test.
pub const MAX_STAGES: usize = 1_000;
/// Most scenarios of a hello.
pub const MAX_SCENARIOS: usize = 1_000;
/// Most user types, tags, or choices of an option of one scenario.
pub const MAX_SCENARIO_PARTS: usize = 1_000;
/// Most runs that an agent holds at a time: twice what a coordinator lets run, because it asks its database about each
/// that is over.
pub const MAX_HELD_RUNS: usize = 200;
/// Longest endpoint name kept, in bytes; longer ones are cut at a character and end in `…`.
pub const MAX_NAME_BYTES: usize = 512;
/// Longest error text kept, in bytes.
pub const MAX_ERROR_BYTES: usize = 1_024;
/// Longest console log line kept, in bytes.
pub const MAX_LOG_LINE_BYTES: usize = 4_096;
/// Most endpoints of one run; requests to further ones are counted under [`OTHER`].
pub const MAX_ENDPOINTS: usize = 1_000;
/// Most distinct errors of one run; further ones are counted under [`OTHER`].
pub const MAX_ERRORS: usize = 1_000;
/// Most bytes of a run's set-up data.
pub const MAX_SET_UP_DATA_BYTES: usize = 1024 * 1024;
/// Name of the row that takes what is beyond a cap.
pub const OTHER: &str = "(other)";
