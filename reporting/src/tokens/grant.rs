//! What whoever shows a token may do.

use std::fmt;
use std::str::FromStr;

use greylag_infra::{RunId, WallTime, check_infrastructure_name};
use serde::{Deserialize, Serialize};

/// Longest label, in bytes.
const MAX_LABEL_BYTES: usize = 100;

/// The part that a token's holder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads results and pages, changes nothing.
    Viewer,
    /// Generates load for runs that it is given, and hands over what it measured.
    Agent,
}

impl Role {
    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text does not name a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid role; use admin, viewer or agent")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        [Self::Admin, Self::Viewer, Self::Agent]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| RoleError(text.chars().take(60).collect()))
    }
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What its holder may do.
    pub role: Role,
    /// What people know it by; may be empty.
    #[serde(default)]
    pub label: String,
    /// The only infrastructure that an agent with it may join.
    #[serde(default)]
    pub infrastructure: Option<String>,
    /// The only run that an agent with it may take part in.
    #[serde(default)]
    pub run: Option<RunId>,
    /// When it lets in no longer; until it is revoked unless given.
    #[serde(default, rename = "expires_at_us")]
    pub expires_at: Option<WallTime>,
}

/// A token cannot be for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum GrantError {
    #[error("only tokens with the role agent are limited to an infrastructure; leave it out")]
    NotAnAgents,
    #[error(
        "the infrastructure's name is not valid; use letters, digits, `.`, `-`, `_` and spaces"
    )]
    InfrastructureName,
    #[error("the label must have at most {MAX_LABEL_BYTES} bytes and no control characters")]
    Label,
    #[error("the token would expire immediately; choose a longer time")]
    Expired,
}

impl Grant {
    /// One with this role, without limits.
    pub fn of_role(role: Role) -> Self {
        Self {
            role,
            label: String::new(),
            infrastructure: None,
            run: None,
            expires_at: None,
        }
    }

    /// Whether it lets in no longer.
    pub fn has_expired(&self, now: WallTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Checks what somebody asks a token for.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub fn check(&self, now: WallTime) -> Result<(), GrantError> {
        let is_limited = self.infrastructure.is_some() || self.run.is_some();
        if is_limited && self.role != Role::Agent {
            return Err(GrantError::NotAnAgents);
        }
        if let Some(name) = &self.infrastructure
            && check_infrastructure_name(name).is_err()
        {
            return Err(GrantError::InfrastructureName);
        }
        if self.label.len() > MAX_LABEL_BYTES || self.label.chars().any(char::is_control) {
            return Err(GrantError::Label);
        }
        if self.has_expired(now) {
            return Err(GrantError::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let now = WallTime::from_micros(1_000);
        let agent = || Grant::of_role(Role::Agent);
        let named = |infrastructure: &str| Grant {
            infrastructure: Some(infrastructure.to_owned()),
            ..agent()
        };
        let labelled = |label: &str| Grant {
            label: label.to_owned(),
            ..agent()
        };
        let expiring = |at| Grant {
            expires_at: Some(WallTime::from_micros(at)),
            ..agent()
        };
        let viewer = |grant| Grant {
            role: Role::Viewer,
            ..grant
        };
        for (grant, expected) in [
            (named("lab 1"), Ok(())),
            (named("a/b"), Err(GrantError::InfrastructureName)),
            (viewer(named("lab")), Err(GrantError::NotAnAgents)),
            (labelled("Ada's laptop"), Ok(())),
            (labelled("a\nb"), Err(GrantError::Label)),
            (labelled(&"x".repeat(101)), Err(GrantError::Label)),
            (expiring(1_001), Ok(())),
            (expiring(1_000), Err(GrantError::Expired)),
        ] {
            assert_eq!(grant.check(now), expected, "{grant:?}");
        }
        let of_run = Grant {
            run: Some("r".into()),
            ..Grant::of_role(Role::Admin)
        };
        assert_eq!(of_run.check(now), Err(GrantError::NotAnAgents));
    }

    #[test]
    fn a_role_reads_as_it_is_written() {
        for role in [Role::Admin, Role::Viewer, Role::Agent] {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        let message = "root".parse::<Role>().unwrap_err().to_string();
        assert!(message.contains("admin, viewer or agent"), "{message}");
    }
}
