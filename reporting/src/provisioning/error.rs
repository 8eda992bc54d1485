//! Why machines cannot be had, or given back.

use std::error::Error;

/// What a provider answers.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// It refuses, and would refuse again.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// It cannot be reached, or is not able to now.
    #[error(transparent)]
    Unavailable(Box<dyn Error + Send + Sync>),
}

impl ProvisionError {
    /// One that stays.
    pub fn refused(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Refused(error.into())
    }

    /// One that may pass.
    pub fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(error.into())
    }

    /// Whether asking again is in vain.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
