//! What `/proc` tells about processes: whose child, alive or not, how much CPU and memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// USER_HZ is 100 on every Linux architecture in use (time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// One process, distinguished from a later one with the same id by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Clock ticks after boot at which it started.
    started: u64,
}

/// The fields of `/proc/<pid>/stat` that are used here.
struct Stat {
    state: char,
    parent: u32,
    cpu_ticks: u64,
    ended_children_ticks: u64,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; fields are counted from behind it (proc(5)).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        cpu_ticks: ticks(11)? + ticks(12)?,
        ended_children_ticks: ticks(13)? + ticks(14)?,
        started: ticks(19)?,
    })
}

impl ProcessId {
    /// The process that has this id now, unless it has ended.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = stat(pid)?;
        (!matches!(stat.state, 'Z' | 'X')).then_some(Self {
            pid,
            started: stat.started,
        })
    }

    /// Its number.
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal if it still runs.
    pub fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // It may end between the look and the signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Processor time used so far, user and system, in seconds.
    pub fn cpu_seconds(self) -> f64 {
        stat(self.pid).map_or(0.0, |stat| stat.cpu_ticks as f64 / TICKS_PER_SECOND)
    }

    /// Processor time used so far by it and by its children that ended and were waited for, user and system, in seconds.
    pub fn cpu_seconds_with_ended_children(self) -> f64 {
        stat(self.pid).map_or(0.0, |stat| {
            (stat.cpu_ticks + stat.ended_children_ticks) as f64 / TICKS_PER_SECOND
        })
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(self) -> u64 {
        self.number("status", "VmRSS:") * 1024
    }

    /// The most resident memory that it ever had, in bytes.
    pub fn peak_resident_bytes(self) -> u64 {
        self.number("status", "VmHWM:") * 1024
    }

    /// How many threads it has.
    pub fn threads(self) -> u64 {
        self.number("status", "Threads:")
    }

    /// Bytes that it had written to disks so far.
    pub fn written_bytes(self) -> u64 {
        self.number("io", "write_bytes:")
    }

    /// The number behind a name in one of its files; 0 if it has ended.
    fn number(self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_default();
        let number = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_ascii_whitespace().next())
            .and_then(|number| number.parse().ok());
        number.unwrap_or(0)
    }

    /// The command line, arguments separated by spaces.
    pub fn command_line(self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .replace('\0', " ")
            .trim()
            .to_owned()
    }
}

/// Processor time of all children of this process that have ended and were waited for, and of theirs, user and
/// system, in seconds.
pub fn cpu_seconds_of_ended_children() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| {
        stat.ended_children_ticks as f64 / TICKS_PER_SECOND
    })
}

/// Processor time that all cores of this machine have spent since boot other than idly, in seconds. What a hypervisor
/// gave to other machines counts.
///
/// # Panics
/// There is no `/proc`.
pub fn busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("these tests need Linux with /proc");
    let cpu = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal (proc(5)).
    let ticks: Vec<u64> = cpu
        .split_ascii_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let busy: u64 = [0, 1, 2, 5, 6, 7]
        .into_iter()
        .filter_map(|field| ticks.get(field))
        .sum();
    busy as f64 / TICKS_PER_SECOND
}

/// All living children of a process, their children, and so on.
pub fn descendants(pid: u32) -> Vec<ProcessId> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").expect("these tests need Linux with /proc");
    for entry in entries.flatten() {
        if let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
            && let Some(stat) = stat(child)
        {
            children.entry(stat.parent).or_default().push(child);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            found.extend(ProcessId::of(child));
            open.push(child);
        }
    }
    found
}

/// Where a program is, looked for in PATH and where Debian keeps servers.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
        .find(|candidate| candidate.is_file())
}
