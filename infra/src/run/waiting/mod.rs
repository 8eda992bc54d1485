//! Whose turn it is on an infrastructure: first come, first served, and one run at a time unless all of them share.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{MAX_ERROR_BYTES, StartTerms, cut};
use crate::load_test::AgentCount;
use crate::run::{RunPhase, RunRecord};

/// How long a run that has the least number of agents, and would take more, waits for another one: agents that are started
/// together come within seconds of each other, and their machines do not.
pub const AGENTS_SETTLE: Duration = Duration::from_secs(10);

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
        /// How many it needs at least. If they are there, more may come.
        least: u32,
        /// How many it takes at most, while it waits for more than the least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u32>,
        /// What becomes of the machines that were asked for, if any were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machines: Option<String>,
    },
}

impl WaitReason {
    /// Whether it lacks agents without which it cannot begin.
    pub fn lacks_agents(&self) -> bool {
        matches!(self, Self::Agents { free, least, .. } if free < least)
    }

    /// The same with what becomes of the machines that were asked for, cut to [`MAX_ERROR_BYTES`].
    #[must_use]
    pub fn with_machines(self, said: Option<String>) -> Self {
        match self {
            Self::Agents {
                free, least, most, ..
            } => Self::Agents {
                free,
                least,
                most,
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
                most,
                machines,
            } => {
                let missing = least.saturating_sub(*free);
                let s = if *least == 1 { "" } else { "s" };
                match most {
                    Some(most) if missing == 0 => write!(
                        f,
                        "{free} of up to {most} agents are there; beginning when no other has come for {} s",
                        AGENTS_SETTLE.as_secs()
                    ),
                    _ => write!(f, "waiting for {missing} of {least} agent{s}"),
                }?;
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
    /// It is its turn, and as many agents as it needs cannot come any more.
    NeverEnough,
}

/// The agents that a run could begin with, and those that may still come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentsThere {
    /// How many are connected and free for it.
    pub free: usize,
    /// How long ago the last of these came.
    pub settled_for: Duration,
    /// How many there can be in all, as far as it is known: machines that have failed are not replaced.
    pub at_most: Option<usize>,
}

/// Whose turn it is: that of a run with this test, after the runs that came `before` it in their order, where these agents
/// of its infrastructure are `there`, which is asked only when no run is in its way. Runs that are over are not
/// among those before.
pub fn turn_of<'a>(
    run: &RunRecord,
    before: impl IntoIterator<Item = &'a RunRecord>,
    there: impl FnOnce() -> AgentsThere,
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
    turn_with(fleet.agents, there())
}

/// What becomes of a run whose turn it is. One that says how many agents it takes at most begins with all of them, or with
/// those that are there when others cannot come or have not come for a while, if that is enough.
fn turn_with(wanted: AgentCount, there: AgentsThere) -> Turn {
    let free = u32::try_from(there.free).unwrap_or(u32::MAX);
    let (least, most) = (wanted.least(), wanted.most());
    let can_come = |more_than: u32| {
        let at_most = there
            .at_most
            .map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        at_most.is_none_or(|at_most| at_most > more_than)
    };
    let wait = |most| {
        Turn::Wait(WaitReason::Agents {
            free,
            least,
            most,
            machines: None,
        })
    };
    if free < least {
        return match can_come(least - 1) {
            true => wait(None),
            false => Turn::NeverEnough,
        };
    }
    let waits_for_more =
        wanted.is_given() && free < most && can_come(free) && there.settled_for < AGENTS_SETTLE;
    if waits_for_more {
        return wait(Some(most));
    }
    Turn::Begin
}

#[cfg(test)]
mod tests;
