//! How the processes that generate the load fared, second by second: measured where it happens and handed over with the results,
//! so that what describes the target can be distinguished from what describes the generator.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A worker's core is used up above this share of a second, in permille: what arrives then waits to be handled. It counts the time
/// in which the load thread ran and the time in which it could have run but others had its core.
pub const SATURATED_CORE_PM: u32 = 900;
/// Timers are late above this, in µs, at the 99th percentile.
pub const SATURATED_LATE_US: u32 = 50_000;
/// Most processor time of a process in a second: that of so many cores, in permille of one.
const MAX_CORES_PM: u32 = 4_096 * 1_000;

/// One process in one second of run time: a worker, or the agent itself. What the system does not tell is not measured, which is
/// something else than 0. Records of the same process and second are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessHealth {
    /// Second of run time.
    pub second: u32,
    /// Global index of the worker; none for the agent's own process.
    pub worker: Option<u32>,
    /// Users that were active at its end.
    pub users: u64,
    /// Requests that ended in it.
    pub requests: u64,
    /// How much of the second the thread that drives all users ran, in permille.
    pub core_pm: Option<u32>,
    /// How much of it that thread was ready to run and waited for a core, in permille.
    pub wait_pm: Option<u32>,
    /// Processor time of the whole process, in permille of a core.
    pub process_pm: Option<u32>,
    /// Resident memory at its end.
    pub memory_bytes: Option<u64>,
    /// Files and sockets that were open at its end.
    pub open_files: Option<u32>,
    /// How late timers were.
    pub late: Option<TimerLateness>,
    /// The machine, where the process is an agent.
    pub machine: Option<MachineHealth>,
}

/// How much later than they were due the timers of a second fired, in µs; each moment of the second counts alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimerLateness {
    /// Half of them were no later.
    pub p50_us: u32,
    /// One in a hundred was later.
    pub p99_us: u32,
    /// The latest.
    pub max_us: u32,
}

/// A load machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineHealth {
    /// How busy its cores were, whoever used them, in permille of all.
    pub cpu_pm: Option<u32>,
    /// Memory that is not available to further processes.
    pub memory_used_bytes: Option<u64>,
    /// All of its memory.
    pub memory_bytes: Option<u64>,
    /// How many files each process of the agent may have open.
    pub file_limit: Option<u64>,
}

/// Why numbers of a second describe the generator rather than the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Saturation {
    /// The worker used up its core.
    Core,
    /// It would have, if others had not used it.
    CoreOfOthers,
    /// Timers were late.
    LateTimers,
}

impl fmt::Display for Saturation {
    /// What the worker did: `worker 3 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "used up its core",
            Self::CoreOfOthers => "waited for a core that others used",
            Self::LateTimers => "had late timers",
        })
    }
}

impl ProcessHealth {
    /// Whether the process was saturated in this second, and by what; the first reason that applies. Only workers can be: an agent
    /// generates no load itself.
    pub fn saturation(&self) -> Option<Saturation> {
        self.worker?;
        let ran = self.core_pm.unwrap_or(0);
        let wanted = ran.saturating_add(self.wait_pm.unwrap_or(0));
        if ran > SATURATED_CORE_PM {
            Some(Saturation::Core)
        } else if wanted > SATURATED_CORE_PM {
            Some(Saturation::CoreOfOthers)
        } else if self
            .late
            .is_some_and(|late| late.p99_us > SATURATED_LATE_US)
        {
            Some(Saturation::LateTimers)
        } else {
            None
        }
    }

    /// Adds another record of the same process: of the same second what came late, else a later second that is kept with this one.
    pub fn merge(&mut self, other: &Self) {
        self.users = self.users.max(other.users);
        self.requests = self.requests.saturating_add(other.requests);
        self.core_pm = self.core_pm.max(other.core_pm);
        self.wait_pm = self.wait_pm.max(other.wait_pm);
        self.process_pm = self.process_pm.max(other.process_pm);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.open_files = self.open_files.max(other.open_files);
        self.late = match (self.late, other.late) {
            (Some(one), Some(two)) => Some(TimerLateness {
                p50_us: one.p50_us.max(two.p50_us),
                p99_us: one.p99_us.max(two.p99_us),
                max_us: one.max_us.max(two.max_us),
            }),
            (one, two) => one.or(two),
        };
        self.machine = match (self.machine, other.machine) {
            (Some(one), Some(two)) => Some(MachineHealth {
                cpu_pm: one.cpu_pm.max(two.cpu_pm),
                memory_used_bytes: one.memory_used_bytes.max(two.memory_used_bytes),
                memory_bytes: one.memory_bytes.max(two.memory_bytes),
                file_limit: one.file_limit.max(two.file_limit),
            }),
            (one, two) => one.or(two),
        };
    }

    /// What of it cannot be, as a word for it; none where everything can.
    pub fn impossible(&self) -> Option<&'static str> {
        /// Memory that no machine has, in bytes.
        const MAX_BYTES: u64 = 1 << 50;
        const MAX_COUNT: u64 = 1 << 32;
        let too_much = |pm: Option<u32>, most: u32| pm.is_some_and(|pm| pm > most);
        let machine = self.machine.unwrap_or_default();
        if too_much(self.core_pm, 1_000)
            || too_much(self.wait_pm, 1_000)
            || too_much(self.process_pm, MAX_CORES_PM)
            || too_much(machine.cpu_pm, 1_000)
        {
            return Some("processor time");
        }
        let memory = [
            self.memory_bytes,
            machine.memory_used_bytes,
            machine.memory_bytes,
        ];
        if memory.into_iter().flatten().any(|bytes| bytes > MAX_BYTES) {
            return Some("memory");
        }
        if machine
            .file_limit
            .is_some_and(|limit| limit > i64::MAX.unsigned_abs())
        {
            return Some("open files");
        }
        (self.users.max(self.requests) > MAX_COUNT).then_some("load")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(core: u32, wait: u32, p99_us: u32) -> ProcessHealth {
        ProcessHealth {
            worker: Some(0),
            core_pm: Some(core),
            wait_pm: Some(wait),
            late: Some(TimerLateness {
                p50_us: 1_000,
                p99_us,
                max_us: p99_us + 1,
            }),
            ..ProcessHealth::default()
        }
    }

    #[test]
    fn a_second_that_came_in_parts_is_as_bad_as_the_worst_of_them() {
        let (mut calm, mut late) = (worker(100, 700, 1_000), worker(500, 10, 60_000));
        calm.requests = 3;
        late.requests = 4;
        let worst = ProcessHealth {
            core_pm: Some(500),
            wait_pm: Some(700),
            requests: 7,
            ..late
        };
        for (mut one, other) in [(calm, &late), (late, &calm)] {
            one.merge(other);
            assert_eq!(one, worst);
        }
        let mut unknown = ProcessHealth { late: None, ..calm };
        unknown.merge(&late);
        assert_eq!(unknown.late, late.late);
    }

    #[test]
    fn a_second_is_saturated_above_the_limits_and_not_at_them() {
        assert_eq!(worker(900, 0, 50_000).saturation(), None);
        assert_eq!(worker(901, 0, 0).saturation(), Some(Saturation::Core));
        assert_eq!(
            worker(300, 601, 0).saturation(),
            Some(Saturation::CoreOfOthers)
        );
        assert_eq!(worker(300, 600, 50_000).saturation(), None);
        assert_eq!(
            worker(5, 5, 50_001).saturation(),
            Some(Saturation::LateTimers)
        );
        let most = worker(1_000, 1_000, u32::MAX - 1);
        assert_eq!(most.saturation(), Some(Saturation::Core));
    }

    #[test]
    fn what_is_not_measured_saturates_nothing() {
        let blind = ProcessHealth {
            worker: Some(0),
            requests: 1_000_000,
            process_pm: Some(4_000),
            ..ProcessHealth::default()
        };
        assert_eq!(blind.saturation(), None);
        let agent = ProcessHealth {
            worker: None,
            ..worker(1_000, 0, 90_000)
        };
        assert_eq!(agent.saturation(), None);
    }

    #[test]
    fn merged_records_keep_the_worst_and_the_sum_of_requests() {
        let mut kept = ProcessHealth {
            requests: 5,
            memory_bytes: Some(7),
            late: None,
            ..worker(100, 0, 0)
        };
        kept.merge(&ProcessHealth {
            requests: 3,
            users: 2,
            wait_pm: Some(900),
            ..worker(50, 0, 70_000)
        });
        assert_eq!(
            (kept.requests, kept.users, kept.memory_bytes),
            (8, 2, Some(7))
        );
        assert_eq!((kept.core_pm, kept.wait_pm), (Some(100), Some(900)));
        assert_eq!(kept.saturation(), Some(Saturation::CoreOfOthers));
        assert_eq!(kept.late.map(|late| late.p99_us), Some(70_000));
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(worker(1_000, 1_000, u32::MAX - 1).impossible(), None);
        assert_eq!(worker(1_001, 0, 0).impossible(), Some("processor time"));
        let heavy = ProcessHealth {
            memory_bytes: Some(u64::MAX),
            ..worker(0, 0, 0)
        };
        assert_eq!(heavy.impossible(), Some("memory"));
    }
}
