//! Changing the number of users while a run is active, whoever asks for it.

use std::time::Duration;

use greylag_infra::{RunId, RunRecord, WallTime};
use serde::Deserialize;
use utoipa::ToSchema;

use super::invalid_change::InvalidChange;
use super::values::{DurationValue, whole_number};
use crate::api_types::UsersChanging;
use crate::web::error::WebError;
use crate::web::state::{WebState, find_run};

/// Body of `POST /api/v1/runs/{id}/users`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct ChangeRequest {
    /// The number of users wanted. The one value without a default.
    #[schema(value_type = u64, required = true)]
    users: Option<u64>,
    /// How long the change takes: seconds, or a text such as `1m30s`; immediate when left out.
    #[schema(value_type = Option<greylag_infra::DurationValue>)]
    ramp_up: Option<DurationValue>,
    /// Users started or stopped per second, instead of `ramp_up`.
    spawn_rate: Option<f64>,
}

/// Fields of the run page's form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::web) struct ChangeForm {
    users: String,
    ramp_up: String,
}

impl ChangeForm {
    /// The same as a program would send it.
    ///
    /// # Errors
    /// 422 when users is not a number.
    pub(in crate::web) fn to_request(&self) -> Result<ChangeRequest, WebError> {
        Ok(ChangeRequest {
            users: whole_number(&self.users, "users").map_err(InvalidChange::from)?,
            ramp_up: DurationValue::typed(&self.ramp_up),
            spawn_rate: None,
        })
    }
}

/// Changes the users of a run.
///
/// # Errors
/// 404 for an unknown run, 409 for one that is not running, 422 for numbers that cannot be.
pub(in crate::web) async fn change_users(
    state: &WebState,
    id: &RunId,
    request: &ChangeRequest,
) -> Result<UsersChanging, WebError> {
    let run = find_run(&state.coordinator, id).await?;
    let users = request.users.ok_or(InvalidChange::NoUsers)?;
    let over = over(request, &run, users, state.coordinator.now())?;
    state.coordinator.change_users(id, users, over).await?;
    Ok(UsersChanging {
        users,
        over_s: over.as_secs_f64(),
    })
}

fn over(
    request: &ChangeRequest,
    run: &RunRecord,
    users: u64,
    now: WallTime,
) -> Result<Duration, InvalidChange> {
    match (&request.ramp_up, request.spawn_rate) {
        (Some(_), Some(_)) => Err(InvalidChange::RampAndSpawnRate),
        (Some(ramp_up), None) => Ok(ramp_up.duration("ramp_up")?),
        (None, None) => Ok(Duration::ZERO),
        (None, Some(rate)) => {
            let refused = InvalidChange::SpawnRate(rate);
            if !(rate > 0.0 && rate.is_finite()) {
                return Err(refused);
            }
            let difference = run.profile.users_at(run.run_time(now)).abs_diff(users);
            Duration::try_from_secs_f64(difference as f64 / rate).map_err(|_| refused)
        }
    }
}
