//! What a load test means that leaves something out: the same on the command line, in the API and in the page's form.

/// Users.
pub const DEFAULT_USERS: u64 = 10;
/// Duration in seconds.
pub const DEFAULT_DURATION_S: u64 = 60;
/// Ramp-up in seconds, of a test that is long enough for it: see [`default_ramp_up_s`].
pub const DEFAULT_RAMP_UP_S: u64 = 10;
/// The default ramp-up takes at most this part of the duration.
pub const DEFAULT_RAMP_UP_PART: u64 = 6;
/// Worker processes.
pub const DEFAULT_WORKERS: u32 = 1;
/// Infrastructure: that of the agent which `greylag run` and `greylag serve` start.
pub const DEFAULT_INFRASTRUCTURE: &str = "local";
/// Time for tasks and requests still running at the end, in seconds.
pub const DEFAULT_STOP_TIMEOUT_S: u64 = 10;

/// The ramp-up of a test of this duration that says none: it must not be what cuts a short test off.
pub fn default_ramp_up_s(duration_s: u64) -> u64 {
    DEFAULT_RAMP_UP_S.min(duration_s / DEFAULT_RAMP_UP_PART)
}
