//! A scenario: a named set of user types.

use std::fmt;

use crate::user_type::UserType;

/// A named set of user types that a load test can select.
#[derive(Clone)]
pub struct Scenario {
    /// What a load test selects it by.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// Who takes part, and with which weights.
    pub user_types: Vec<UserType>,
}

impl Scenario {
    /// A scenario without users yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            user_types: Vec::new(),
        }
    }

    /// Says in one sentence what the scenario does.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a user type.
    pub fn user(mut self, user_type: impl Into<UserType>) -> Self {
        self.user_types.push(user_type.into());
        self
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("user_types", &self.user_types)
            .finish_non_exhaustive()
    }
}
