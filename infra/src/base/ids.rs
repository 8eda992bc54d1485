//! What runs and agents are identified by.

/// Identifies a run, for ever and over all coordinators: 12 letters and digits.
pub type RunId = String;
