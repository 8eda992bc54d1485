//! With what an agent was let in, which limits what it may take part in and whose place it may take.

use crate::base::RunId;

/// What a token says of an agent. Nothing where no token is needed, and for those with the coordinator's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Which token it was; not secret.
    pub token: Option<String>,
    /// The only run that the agent may take part in.
    pub run: Option<RunId>,
}
