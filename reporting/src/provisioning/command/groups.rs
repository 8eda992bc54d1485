//! Process groups: recognised later, also by another process, and ended for certain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use greylag_infra::RunId;
use rustix::process::{Pid, Signal, getpgrp, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::Child;

/// How long a group may take to end when it is asked to, before it is killed.
const END_GRACE: Duration = Duration::from_secs(5);
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
    /// until then it is there.
    pub(super) async fn end(self) {
        let Some(group) = Pid::from_raw(self.0) else {
            return;
        };
        // Neither can do more than fail because the group is gone.
        let _ = kill_process_group(group, Signal::TERM);
        let gone = async {
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(END_GRACE, gone).await.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Groups with a process that was started for a run, as its environment says.
    pub(super) async fn of_run(run_id: &RunId, which: Which) -> BTreeSet<Self> {
        let run_id = run_id.to_owned();
        let found = tokio::task::spawn_blocking(move || found_of_run(&run_id, which));
        found.await.unwrap_or_default()
    }
}

/// Which processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those of `up` and `down`, and what they started.
    All,
    /// Those of `down`: it has no token.
    OfDown,
}

fn found_of_run(run_id: &RunId, which: Which) -> BTreeSet<Group> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let own = getpgrp();
    let groups = processes.flatten().filter_map(|process| {
        let path = process.path();
        // Of the processes of other users it cannot be read.
        let environment = fs::read(path.join("environ")).ok()?;
        let wanted = format!("GREYLAG_RUN={run_id}");
        let mut variables = environment.split(|byte| *byte == 0);
        let is_of_run = variables.clone().any(|text| text == wanted.as_bytes());
        let mut has_token = || variables.any(|text| text.starts_with(b"GREYLAG_TOKEN="));
        if !is_of_run || which == Which::OfDown && has_token() {
            return None;
        }
        field(&path, 5).map(Group)
    });
    groups
        .filter(|group| Pid::from_raw(group.0).is_some_and(|group| group != own))
        .collect()
}

/// A process as it can be recognised later, by another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessMark {
    id: i32,
    /// In ticks since the machine started: another process may get the same id.
    started: u64,
}

impl ProcessMark {
    /// That of a process that is there.
    pub(super) fn of(id: u32) -> Option<Self> {
        let id = i32::try_from(id).ok()?;
        Some(Self {
            id,
            started: started(id)?,
        })
    }

    /// The group that this process leads, if it is still there.
    pub(super) fn group(&self) -> Option<Group> {
        (started(self.id) == Some(self.started)).then_some(Group(self.id))
    }
}

/// When a process started; none if its file is missing.
fn started(id: i32) -> Option<u64> {
    field(&Path::new("/proc").join(id.to_string()), 22)
}

/// A field of `/proc/ID/stat` by its number in proc_pid_stat(5); one after the name in parentheses.
fn field<T: std::str::FromStr>(process: &Path, number: usize) -> Option<T> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name
        .split_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()
}
