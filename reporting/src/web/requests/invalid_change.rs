//! Why a change of the number of users is not valid.

use super::values::ValueError;

/// Why a change of the number of users is not valid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(in crate::web) enum InvalidChange {
    #[error("users is missing; set it to a number, such as {{\"users\": 50}}")]
    NoUsers,
    #[error("ramp_up and spawn_rate are both given; keep one of the two")]
    RampAndSpawnRate,
    #[error("spawn_rate must be above 0, got {0}")]
    SpawnRate(f64),
    #[error(transparent)]
    Value(#[from] ValueError),
}
