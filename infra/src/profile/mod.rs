//! How the load goes, as pure functions: users and iterations over time, and who gets which of them.

mod arrivals;
mod distribution;
mod load_profile;
mod phases;
mod user_plan;
mod worker_distribution;

pub use arrivals::{Arrival, ArrivalTimes};
pub use distribution::{UserTypeSequence, UserTypeWeight, equal_weights};
pub use load_profile::{
    FinishedEarly, LoadProfile, MAX_PROFILE_STEPS, ProfileError, ProfileStep, RateStep,
};
pub use phases::Phases;
pub use user_plan::{UserChanges, UserPlan, UserTurn, own_users};
pub use worker_distribution::{distribute_workers, workers_by_cores};

#[cfg(test)]
mod tests;
