//! Process groups: recognised later, also by another process, and ended for certain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use greylag_infra::RunId;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgrp, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::Child;

/// How long a group may take to end when it is asked to, before it is killed.
const END_GRACE: Duration = Duration::from_secs(5);
/// How long it takes at most until a group that was killed is gone.
const KILLED_WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether a group is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A group by the process that leads it, or led it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group(i32);

impl Group {
    /// The one that a child leads, which was not waited for yet.
    pub(super) fn led_by(child: &Child) -> Option<Self> {
        Some(Self(i32::try_from(child.id()?).ok()?))
    }

    /// Asks the whole group to end, and kills what is left of it. A leader that is a child has to be waited for meanwhile:
    /// until then it is there. Whether it is gone: processes of another user cannot be ended.
    pub(super) async fn end(self) -> bool {
        let Some(group) = Pid::from_raw(self.0) else {
            return true;
        };
        // It fails if the group is gone or not ours to end, which is found out below.
        let _ = kill_process_group(group, Signal::TERM);
        if is_gone_within(group, END_GRACE).await {
            return true;
        }
        let _ = kill_process_group(group, Signal::KILL);
        is_gone_within(group, KILLED_WITHIN).await
    }

    /// Groups of the processes that these marks are of, and of those that were started for a run as their environment
    /// says, which processes of other users hide, and those that were given another one do not have.
    pub(super) async fn left_of_run(
        run_id: &RunId,
        which: Which,
        marks: Vec<ProcessMark>,
    ) -> BTreeSet<Self> {
        let run_id = run_id.to_owned();
        let found = tokio::task::spawn_blocking(move || found_of_run(&run_id, which, &marks));
        found.await.unwrap_or_default()
    }
}

async fn is_gone_within(group: Pid, time: Duration) -> bool {
    let gone = async {
        // Another error means that something is there.
        while test_kill_process_group(group) != Err(Errno::SRCH) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(time, gone).await.is_ok()
}

/// Which processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those of `up` and `down`, and what they started.
    All,
    /// Those of `down`: it has no token.
    OfDown,
}

fn found_of_run(run_id: &RunId, which: Which, marks: &[ProcessMark]) -> BTreeSet<Group> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let own = getpgrp();
    let groups = processes.flatten().filter_map(|process| {
        let path = process.path();
        let stat = Stat::read(&path)?;
        let is_left = marks.iter().any(|mark| mark.leads(&stat)) || is_of_run(&path, run_id, which);
        is_left.then_some(Group(stat.group))
    });
    groups
        .filter(|group| Pid::from_raw(group.0).is_some_and(|group| group != own))
        .collect()
}

/// Whether the environment of a process says that it was started for a run.
fn is_of_run(process: &Path, run_id: &RunId, which: Which) -> bool {
    let Ok(environment) = fs::read(process.join("environ")) else {
        return false;
    };
    let wanted = format!("GREYLAG_RUN={run_id}");
    let mut variables = environment.split(|byte| *byte == 0);
    let is_of_run = variables.clone().any(|text| text == wanted.as_bytes());
    let mut has_token = || variables.any(|text| text.starts_with(b"GREYLAG_TOKEN="));
    is_of_run && !(which == Which::OfDown && has_token())
}

/// What everybody may know of a process, by `/proc/ID/stat` in proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    id: i32,
    group: i32,
    session: i32,
    /// In ticks since the machine started.
    started: u64,
}

impl Stat {
    fn read(process: &Path) -> Option<Self> {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name stands in parentheses, and may have some itself.
        let (before_name, after_name) = stat.rsplit_once(')')?;
        let id = before_name.split_whitespace().next()?.parse().ok()?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // By its number there.
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        Some(Self {
            id,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            started: field(22)?.parse().ok()?,
        })
    }

    fn of(id: i32) -> Option<Self> {
        Self::read(&Path::new("/proc").join(id.to_string()))
    }
}

/// A process that leads a group, as it can be recognised later, by another process: another one may get the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessMark {
    id: i32,
    /// In ticks since the machine started.
    started: u64,
    /// The coordinator's own, which it is in.
    #[serde(default)]
    session: Option<i32>,
}

impl ProcessMark {
    /// That of a process that is there.
    pub(super) fn of(id: u32) -> Option<Self> {
        let id = i32::try_from(id).ok()?;
        let stat = Stat::of(id)?;
        Some(Self {
            id,
            started: stat.started,
            session: Some(stat.session),
        })
    }

    /// Whether a process is in the group that this one leads, or led: as long as one is, no other process gets its id.
    fn leads(&self, process: &Stat) -> bool {
        if process.group != self.id || process.started < self.started {
            return false;
        }
        match Stat::of(self.id) {
            Some(leader) => leader.started == self.started,
            None => self.session == Some(process.session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_recognised_by_who_leads_or_led_it() {
        let own = Stat::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        // Of processes with such ids there are none.
        let (led, mark) = (i32::MAX - 1, |id, started, session| ProcessMark {
            id,
            started,
            session,
        });
        let in_group = Stat {
            id: 7,
            group: led,
            session: 5,
            started: 100,
        };
        assert!(
            mark(led, 100, Some(5)).leads(&in_group),
            "its leader has gone"
        );
        assert!(
            !mark(led, 101, Some(5)).leads(&in_group),
            "it was there before"
        );
        assert!(!mark(led, 100, Some(6)).leads(&in_group), "somebody else's");
        assert!(!mark(led, 100, None).leads(&in_group), "not known any more");
        assert!(!mark(led - 1, 100, Some(5)).leads(&in_group));
        let led_by_us = Stat {
            group: own.id,
            started: u64::MAX,
            ..own
        };
        assert!(mark(own.id, own.started, None).leads(&led_by_us));
        assert!(!mark(own.id, own.started - 1, Some(own.session)).leads(&led_by_us));
    }
}
