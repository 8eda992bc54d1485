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

impl WorkerCount {
    /// The number for a test with this many users: a worker without a user is of no use.
    pub(crate) fn over_users(self, users: u64) -> u32 {
        match self {
            Self::Exactly(count) => count,
            Self::PerCore => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                let workers = users.clamp(1, cores as u64);
                u32::try_from(workers).unwrap_or(u32::MAX)
            }
        }
    }
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
        let per_core: WorkerCount = "-1".parse().unwrap();
        assert_eq!(per_core.over_users(1), 1);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(per_core.over_users(1_000_000), cores as u32);
        assert_eq!("4".parse(), Ok(WorkerCount::Exactly(4)));
        assert!("-2".parse::<WorkerCount>().is_err());
    }
}
