//! How a process that generates load fared over some seconds: numbers that add up.

use greylag_infra::{MachineHealth, ProcessHealth};

/// Bytes of a KiB, in which memory is kept.
const KIB: u64 = 1_024;

/// Each number with how those of two stretches become one. Stored rows have them in this order: a new one comes last, none is
/// taken away.
macro_rules! numbers {
    ($($(#[$doc:meta])* $how:ident $name:ident),* $(,)?) => {
        /// A process over some seconds.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(crate) struct HealthSums {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl HealthSums {
            /// Adds other seconds of the same process.
            pub(crate) fn merge(&mut self, other: &Self) {
                $(self.$name = numbers!(@$how self.$name, other.$name);)*
            }

            /// All numbers, in the order in which they are stored.
            pub(crate) fn numbers(&self) -> [u64; HEALTH_NUMBERS] {
                [$(self.$name),*]
            }

            /// From all numbers.
            pub(crate) fn from_numbers(numbers: [u64; HEALTH_NUMBERS]) -> Self {
                let [$($name),*] = numbers;
                Self { $($name),* }
            }
        }

        /// How many numbers there are.
        pub(crate) const HEALTH_NUMBERS: usize = [$(stringify!($name)),*].len();
    };
    (@sum $one:expr, $other:expr) => { $one.saturating_add($other) };
    (@max $one:expr, $other:expr) => { $one.max($other) };
}

numbers! {
    /// Seconds of which anything was measured.
    sum seconds,
    /// Requests that ended in them.
    sum requests,
    /// Most users at the end of one.
    max users,
    /// Seconds of which the load thread's times are known, their sums and the most of one, in permille.
    sum core_seconds,
    sum core_pm,
    max core_max_pm,
    sum wait_pm,
    max wait_max_pm,
    /// Seconds of which the whole process's is known.
    sum process_seconds,
    sum process_pm,
    max process_max_pm,
    max memory_kib,
    max open_files,
    /// Seconds of which the lateness of timers is known.
    sum late_seconds,
    sum late_p50_us,
    sum late_p99_us,
    max late_p99_max_us,
    max late_max_us,
    /// Seconds in which it was saturated.
    sum saturated,
    /// Seconds of which the machine's processor time is known.
    sum machine_seconds,
    sum machine_pm,
    max machine_max_pm,
    max machine_used_kib,
    max machine_kib,
    max file_limit,
    /// The most that the load thread ran and waited in a second together, in permille.
    max wanted_max_pm,
}

impl HealthSums {
    /// One second.
    pub(crate) fn of(health: &ProcessHealth) -> Self {
        let count = |known: bool| u64::from(known);
        let pm = |share: Option<u32>| share.map_or(0, u64::from);
        let late = health.late.unwrap_or_default();
        let machine: MachineHealth = health.machine.unwrap_or_default();
        let (core, wait, process) = (
            pm(health.core_pm),
            pm(health.wait_pm),
            pm(health.process_pm),
        );
        let is_measured = health.core_pm.is_some()
            || health.process_pm.is_some()
            || health.late.is_some()
            || health.memory_bytes.is_some();
        Self {
            seconds: count(is_measured),
            requests: health.requests,
            users: health.users,
            core_seconds: count(health.core_pm.is_some()),
            core_pm: core,
            core_max_pm: core,
            wait_pm: wait,
            wait_max_pm: wait,
            process_seconds: count(health.process_pm.is_some()),
            process_pm: process,
            process_max_pm: process,
            memory_kib: health.memory_bytes.unwrap_or(0) / KIB,
            open_files: health.open_files.map_or(0, u64::from),
            late_seconds: count(health.late.is_some()),
            late_p50_us: u64::from(late.p50_us),
            late_p99_us: u64::from(late.p99_us),
            late_p99_max_us: u64::from(late.p99_us),
            late_max_us: u64::from(late.max_us),
            saturated: count(health.saturation().is_some()),
            machine_seconds: count(machine.cpu_pm.is_some()),
            machine_pm: pm(machine.cpu_pm),
            machine_max_pm: pm(machine.cpu_pm),
            machine_used_kib: machine.memory_used_bytes.unwrap_or(0) / KIB,
            machine_kib: machine.memory_bytes.unwrap_or(0) / KIB,
            file_limit: machine.file_limit.unwrap_or(0),
            wanted_max_pm: core.saturating_add(wait),
        }
    }

    /// The mean of a number that is known of so many seconds; none where it was not measured.
    pub(crate) fn mean(sum: u64, seconds: u64) -> Option<f64> {
        (seconds > 0).then(|| sum as f64 / seconds as f64)
    }

    /// Bytes of a number of KiB that is 0 where it was not measured.
    pub(crate) fn bytes(kib: u64) -> Option<u64> {
        (kib > 0).then(|| kib.saturating_mul(KIB))
    }
}
