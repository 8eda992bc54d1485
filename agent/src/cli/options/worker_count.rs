//! How many worker processes: a number, or one for each core of this machine.

use std::num::ParseIntError;
use std::str::FromStr;

/// The value of `--workers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkerCount {
    /// So many.
    Exactly(u32),
    /// As many as there are cores here; Locust's -1.
    PerCore,
}

/// One worker for each core of this machine, in a test with this many users: a worker without a user is of no use.
pub(super) fn workers_per_core(users: u64) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = users.clamp(1, cores as u64);
    u32::try_from(workers).unwrap_or(u32::MAX)
}

impl FromStr for WorkerCount {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "-1" => Ok(Self::PerCore),
            number => number.parse().map(Self::Exactly),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_per_core_is_at_most_one_per_user() {
        assert_eq!("-1".parse(), Ok(WorkerCount::PerCore));
        assert_eq!(workers_per_core(1), 1);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(workers_per_core(1_000_000), cores as u32);
        assert_eq!("4".parse(), Ok(WorkerCount::Exactly(4)));
        assert!("-2".parse::<WorkerCount>().is_err());
    }
}
