//! What the whole machine uses, whoever it is.

use greylag_infra::MachineHealth;
use rustix::process::{Resource, getrlimit};

use super::read;

/// Measures the machine from one look to the next.
#[derive(Debug)]
pub(super) struct MachineMeter {
    times: Option<CoreTimes>,
}

/// What all cores have done since the start of the machine, in the kernel's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CoreTimes {
    busy: u64,
    all: u64,
}

impl MachineMeter {
    pub(super) fn start() -> Self {
        Self {
            times: core_times(),
        }
    }

    pub(super) fn look(&mut self) -> MachineHealth {
        let before = std::mem::replace(self, Self::start()).times;
        let memory = read("/proc/meminfo").and_then(|text| Memory::parse(&text));
        MachineHealth {
            cpu_pm: before
                .zip(self.times)
                .and_then(|(before, now)| now.since(before)),
            memory_used_bytes: memory
                .as_ref()
                .map(|memory| memory.all.saturating_sub(memory.available)),
            memory_bytes: memory.map(|memory| memory.all),
            file_limit: getrlimit(Resource::Nofile).current,
        }
    }
}

impl CoreTimes {
    /// The first line of `/proc/stat`: `cpu user nice system idle iowait irq softirq steal …` (proc_stat(5)); what is behind these is
    /// in them already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line
            .split_ascii_whitespace()
            .take(8)
            .map(|time| time.parse().ok())
            .collect::<Option<_>>()?;
        let idle = times
            .get(3)?
            .saturating_add(times.get(4).copied().unwrap_or(0));
        let all = times
            .iter()
            .fold(0_u64, |sum, time| sum.saturating_add(*time));
        Some(Self {
            busy: all.saturating_sub(idle),
            all,
        })
    }

    /// How much of the time since then the cores were busy, in permille.
    fn since(self, before: Self) -> Option<u32> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let busy = self.busy.saturating_sub(before.busy).min(all);
        u32::try_from(busy.saturating_mul(1_000) / all).ok()
    }
}

fn core_times() -> Option<CoreTimes> {
    read("/proc/stat").and_then(|stat| CoreTimes::parse(&stat))
}

/// In bytes.
struct Memory {
    all: u64,
    available: u64,
}

impl Memory {
    fn parse(meminfo: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let mut lines = meminfo.lines();
            let line = lines.find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kilobytes.checked_mul(1_024)
        };
        Some(Self {
            all: bytes("MemTotal:")?,
            available: bytes("MemAvailable:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_numbers_are_read() {
        let before = CoreTimes::parse("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1\n").unwrap();
        assert_eq!(before, CoreTimes { busy: 20, all: 100 });
        let now = CoreTimes::parse("cpu  70 0 10 90 30 0 0 0 5 0\n").unwrap();
        assert_eq!(now.since(before), Some(600));
        assert_eq!(now.since(now), None);
        assert_eq!(before.since(now), None, "a counter that was set back");
        assert_eq!(CoreTimes::parse("intr 5"), None);
        let memory =
            Memory::parse("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   40 kB\n").unwrap();
        assert_eq!((memory.all, memory.available), (102_400, 40_960));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_is_measured() {
        let health = MachineMeter::start().look();
        assert!(health.memory_bytes > health.memory_used_bytes, "{health:?}");
        assert!(health.file_limit.is_some());
    }
}
