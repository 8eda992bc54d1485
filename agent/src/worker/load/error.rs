//! Why a worker's load cannot be prepared or driven.

use std::error::Error;
use std::io;

use greylag_scenarios::DriveError;

use crate::scenario::ChoiceError;

/// Why a worker's load cannot be prepared or driven.
#[derive(Debug, thiserror::Error)]
pub(in crate::worker) enum LoadError {
    /// The test is not one for the scenarios of this program.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    #[error("the load thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    #[error("the load runtime cannot be started: {0}")]
    Runtime(#[source] io::Error),
    /// The scenario's test data or its events of the run.
    #[error(transparent)]
    Scenario(Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Drive(#[from] DriveError),
}

impl LoadError {
    pub(super) fn of_scenario(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Scenario(error.into())
    }
}
