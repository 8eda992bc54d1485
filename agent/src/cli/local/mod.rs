//! A run on this machine: coordinator and agent in this one process. Without the feature `coordinator` that is missing,
//! and what stands in for it says so.

#[cfg(not(feature = "coordinator"))]
mod missing;
#[cfg(feature = "coordinator")]
mod served;

#[cfg(not(feature = "coordinator"))]
pub(crate) use missing::{Local, LocalPage};
#[cfg(feature = "coordinator")]
pub(crate) use served::{Local, LocalPage};

/// The infrastructure that this machine is.
pub(crate) const LOCAL_INFRASTRUCTURE: &str = greylag_infra::DEFAULT_INFRASTRUCTURE;
