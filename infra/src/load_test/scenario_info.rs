//! What an agent says about a scenario that is compiled into it.

use serde::{Deserialize, Serialize};

use super::{MAX_OPTIONS, OptionInfo};
use crate::base::{MAX_SCENARIO_PARTS, bounded_list};

/// A scenario compiled into an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// Its name.
    pub name: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// Its user types, in the order in which they were added.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub user_types: Vec<UserTypeInfo>,
    /// The tags its tasks have.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub tags: Vec<String>,
    /// The options it declares.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_OPTIONS>")]
    pub options: Vec<OptionInfo>,
    /// Whether it has a load shape of its own, which takes the place of users, ramp-up and duration.
    #[serde(default)]
    pub has_shape: bool,
}

/// A user type an agent has compiled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserTypeInfo {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: f64,
    /// Exactly this many users, before any by weight; 0 for by weight.
    pub fixed_count: u64,
    /// Its own host, used when the test names none.
    pub host: Option<String>,
}
