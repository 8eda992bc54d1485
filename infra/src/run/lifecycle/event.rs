//! What happens to a run, what is to be done about it, and what is refused.

use crate::base::{AgentId, MAX_DURATION, MAX_USERS, RunId, RunTime, WallTime};
use crate::profile::{LoadProfile, ProfileError};
use crate::protocol::{AgentEnd, FailureReason, LostWorker, SetUpData, ToAgent};
use crate::run::{RunAgent, RunRecord, WaitReason};

/// A run that a coordinator which was restarted finds unfinished.
#[derive(Debug, Clone, PartialEq)]
pub struct UnfinishedRun {
    /// The run as it was saved last.
    pub record: RunRecord,
    /// What was saved of its set-up.
    pub set_up_data: Option<SetUpData>,
    /// The run time up to which results are saved: it was going at least until then.
    pub saved: RunTime,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    /// Its turn has not come, or agents are missing.
    Waits(WaitReason),
    /// Its turn has come, with these agents.
    AgentsChosen(Vec<RunAgent>),
    /// Its turn has come, and the agents that are there cannot run it.
    CannotBegin {
        /// Why not.
        problem: String,
    },
    /// Its infrastructure refuses to make machines for it.
    MachinesRefused {
        /// Why.
        problem: String,
    },
    /// An agent's workers are up.
    AgentReady {
        /// Identity of the agent.
        agent_id: AgentId,
        /// What its scenario's own load shape says, if that is to count.
        shape: Option<LoadProfile>,
        /// What its scenario's set-up made, if it has worker 0.
        set_up_data: Option<SetUpData>,
    },
    /// A snapshot of an agent's is saved.
    ResultsSaved {
        /// Identity of the agent.
        agent_id: AgentId,
        /// Its results of the seconds of run time before this one are saved, if the snapshot had any.
        until: Option<u32>,
    },
    /// Results of an agent wait here to be saved, or cannot be saved now: that it is not heard of otherwise, and that
    /// nothing of it is saved, is not its fault.
    ResultsWait {
        /// Identity of the agent.
        agent_id: AgentId,
    },
    /// An agent's last snapshot is saved.
    AgentEnded {
        /// Identity of the agent.
        agent_id: AgentId,
        /// How its part ended.
        end: AgentEnd,
    },
    /// An agent's connection ended.
    AgentLost {
        /// Identity of the agent.
        agent_id: AgentId,
        /// When it was heard last.
        since: WallTime,
    },
    /// An agent connected again.
    AgentReturned {
        /// Identity of the agent.
        agent_id: AgentId,
        /// Whether it still holds this run.
        holds_run: bool,
    },
    /// An agent that holds this run was heard.
    AgentHeard {
        /// Identity of the agent.
        agent_id: AgentId,
        /// Run time by the agent's clock; none before the start.
        run_time: Option<RunTime>,
        /// Bytes that it has of the run's shipped build while it fetches it.
        fetched_bytes: Option<u64>,
        /// Why the scenario asks to finish the run before its time, if it does.
        finish_asked: Option<String>,
    },
    /// An agent that was away or silent came as a new process: the one that took part is gone for good.
    AgentRestarted {
        /// Identity of the process that is gone.
        agent_id: AgentId,
    },
    /// An agent stops its load early.
    AgentFailing {
        /// Identity of the agent.
        agent_id: AgentId,
        /// Why.
        reason: FailureReason,
    },
    /// An agent goes on without some of its workers.
    WorkersLost {
        /// Identity of the agent.
        agent_id: AgentId,
        /// All of them so far.
        workers: Vec<LostWorker>,
    },
    /// A user asked to stop the run.
    StopAsked,
    /// A threshold that ends the run has been breached for as long as it says.
    ThresholdBreached {
        /// The threshold as text.
        threshold: String,
        /// Since which second of run time.
        since_s: u32,
    },
    /// Someone asked for another number of users. What [`RunLifecycle::may_change_users`](super::RunLifecycle::may_change_users) refuses does nothing.
    ChangeUsers {
        /// Users in the end.
        users: u64,
        /// How long it takes to get there, in µs.
        over_us: u64,
    },
    /// Time passed.
    Tick,
}

/// What the coordinator must do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEffect {
    /// Save [`RunLifecycle::record`](super::RunLifecycle::record).
    Save,
    /// Save this as the run's set-up data.
    SaveSetUpData(SetUpData),
    /// Send to an agent if it is connected.
    Send {
        /// Identity of the agent.
        agent_id: AgentId,
        /// The message.
        message: ToAgent,
    },
    /// Add a line to the run's console log.
    Log(String),
    /// Everything is in: compare what is saved with what the agents say they counted, and say so with
    /// [`RunLifecycle::counts_disagree`](super::RunLifecycle::counts_disagree) when they differ.
    CheckCounts,
    /// Add [`RunLifecycle::outcome`](super::RunLifecycle::outcome) to the run's console log.
    LogOutcome,
    /// The run is over; nothing more will happen.
    Over,
}

/// Why a run cannot be stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StopRefused {
    #[error("run `{0}` was not found; the list of runs shows each run's id")]
    Unknown(RunId),
    #[error("the run is already over ({0})")]
    Over(&'static str),
}

/// Why a run's users cannot be changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ChangeRefused {
    #[error("run `{0}` was not found; the list of runs shows each run's id")]
    Unknown(RunId),
    #[error("the run has not started yet; change its users once it is running")]
    NotYet,
    #[error(
        "the coordinator was restarted and has not heard from the run's agents yet; try again in a moment"
    )]
    RunTimeUnknown,
    #[error("the run is stopping; its users can no longer be changed")]
    Stopping,
    #[error("the run is over ({0}); its users can no longer be changed")]
    Over(&'static str),
    #[error("the run is about to end; its users can no longer be changed")]
    Ending,
    #[error("users must be between 0 and {MAX_USERS}, got {0}")]
    TooManyUsers(u64),
    #[error("the change must take at most {most} s, got {0} s", most = MAX_DURATION.as_secs())]
    TooSlow(f64),
    #[error(transparent)]
    Profile(#[from] ProfileError),
}
