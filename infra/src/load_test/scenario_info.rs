//! What an agent says about a scenario that is compiled into it.

use serde::{Deserialize, Serialize};

use super::MAX_OPTIONS;
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

/// An option that a scenario declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionInfo {
    /// Its name, as on the command line without the dashes.
    pub name: String,
    /// What its values are.
    pub kind: OptionKind,
    /// Its value unless another is given.
    pub default: String,
    /// One line of help.
    pub help: String,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// The values there are, if only some are allowed.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub choices: Vec<String>,
}

/// What an option's values are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionKind {
    /// Any text.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
}
