//! Whose turn it is on an infrastructure: first come, first served, and one run at a time unless all of them share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{MAX_ERROR_BYTES, StartTerms, cut};
use crate::run::{RunPhase, RunRecord};

/// Why a run has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitReason {
    /// Another run has the agents.
    Busy {
        /// Its test.
        test: String,
        /// Its number.
        number: u64,
        /// How many runs that wait come before this one.
        ahead: usize,
    },
    /// A run that came before waits itself.
    Behind {
        /// Its test.
        test: String,
        /// Its number.
        number: u64,
    },
    /// It is this run's turn, and agents are missing.
    Agents {
        /// How many are connected and free.
        free: u32,
        /// How many it needs at least.
        least: u32,
        /// What becomes of the machines that were asked for, if any were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machines: Option<String>,
    },
}

impl WaitReason {
    /// The same with what becomes of the machines that were asked for, cut to [`MAX_ERROR_BYTES`].
    #[must_use]
    pub fn with_machines(self, said: Option<String>) -> Self {
        match self {
            Self::Agents { free, least, .. } => Self::Agents {
                free,
                least,
                machines: said.map(|said| cut(&said, MAX_ERROR_BYTES).into_owned()),
            },
            other => other,
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy {
                test,
                number,
                ahead,
            } => {
                write!(f, "#{number} of {test} has these agents")?;
                match ahead {
                    0 => Ok(()),
                    1 => f.write_str(", and 1 run comes before this one"),
                    ahead => write!(f, ", and {ahead} runs come before this one"),
                }
            }
            Self::Behind { test, number } => write!(f, "#{number} of {test} comes first"),
            Self::Agents {
                free,
                least,
                machines,
            } => {
                let missing = least.saturating_sub(*free);
                let s = if *least == 1 { "" } else { "s" };
                write!(f, "waiting for {missing} of {least} agent{s}")?;
                match machines {
                    Some(machines) => write!(f, ": {machines}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A run that has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Why not.
    pub reason: WaitReason,
    /// On which terms it may begin.
    #[serde(default)]
    pub terms: StartTerms,
}

impl Waiting {
    /// The phase of a run that waits for this reason.
    pub fn phase(self) -> RunPhase {
        match self.reason {
            WaitReason::Busy { .. } | WaitReason::Behind { .. } => RunPhase::Queued(self),
            WaitReason::Agents { .. } => RunPhase::Provisioning(self),
        }
    }
}

/// What becomes of a run that has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It may begin.
    Begin,
    /// It waits.
    Wait(WaitReason),
}

/// Whose turn it is: that of a run with this test, after the runs that came `before` it in their order, where so many
/// agents of its infrastructure are `free`, which is asked only when no run is in its way. Runs that are over are not
/// among those before.
pub fn turn_of<'a>(
    run: &RunRecord,
    before: impl IntoIterator<Item = &'a RunRecord>,
    free: impl FnOnce() -> usize,
) -> Turn {
    let fleet = run.test.fleet;
    let in_its_way = before.into_iter().filter(|other| {
        other.test.infrastructure == run.test.infrastructure
            && !(other.test.fleet.share && fleet.share)
    });
    let (waiting, active): (Vec<_>, Vec<_>) =
        in_its_way.partition(|other| other.phase.waiting().is_some());
    if let Some(active) = active.first() {
        return Turn::Wait(WaitReason::Busy {
            test: active.test.name.clone(),
            number: active.number,
            ahead: waiting.len(),
        });
    }
    if let Some(first) = waiting.first() {
        return Turn::Wait(WaitReason::Behind {
            test: first.test.name.clone(),
            number: first.number,
        });
    }
    let free = u32::try_from(free()).unwrap_or(u32::MAX);
    let least = fleet.agents.least();
    if free < least {
        return Turn::Wait(WaitReason::Agents {
            free,
            least,
            machines: None,
        });
    }
    Turn::Begin
}

#[cfg(test)]
mod tests;
