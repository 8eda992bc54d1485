//! What is checked of a hello before the agent is one of ours.

use greylag_infra::protocol::{Hello, PROTOCOL_VERSION, ScenarioInfo, cut};
use greylag_infra::{Admission, InfrastructureError};

use crate::tokens::{TokenRecord, ValidToken};

/// Bytes of an agent's version that a refusal repeats.
const MAX_VERSION_BYTES: usize = 100;

/// Most bytes of memory that a hello's scenarios may take: an element that takes one byte on the wire takes hundreds here.
const MAX_SCENARIO_BYTES: usize = 2 * 1024 * 1024;

/// Why an agent cannot join, for whoever started it.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloRefused {
    #[error(
        "the agent speaks protocol version {protocol} and this coordinator version {PROTOCOL_VERSION}; install the same Greylag on both (the agent has {version}, the coordinator {})",
        env!("CARGO_PKG_VERSION")
    )]
    Protocol {
        protocol: u32,
        /// Of the agent's Greylag.
        version: String,
    },
    #[error("the agent's hello has no valid secret; restart the agent")]
    Secret,
    #[error(
        "the agent declares too many user types, tags and options; remove some from the program"
    )]
    TooManyScenarios,
    #[error(
        "the agent's token is for infrastructure `{allowed}` only; start the agent with `--infrastructure {allowed}`, or with another token"
    )]
    OtherInfrastructure { allowed: String },
    #[error("the agent's token was revoked; start the agent with another one")]
    Revoked,
    #[error(transparent)]
    Infrastructure(#[from] InfrastructureError),
}

/// With what an agent is let in that showed this token: only into the infrastructure that the token is for.
///
/// # Errors
/// Why it cannot join.
pub(super) fn admit(hello: &Hello, token: Option<&ValidToken>) -> Result<Admission, HelloRefused> {
    let Some(token) = token else {
        return Ok(Admission::default());
    };
    if token.revoked.is_cancelled() {
        return Err(HelloRefused::Revoked);
    }
    let TokenRecord { id, grant, .. } = &*token.record;
    if let Some(allowed) = &grant.infrastructure
        && *allowed != hello.infrastructure
    {
        let allowed = allowed.clone();
        return Err(HelloRefused::OtherInfrastructure { allowed });
    }
    Ok(Admission {
        token: Some(id.to_string()),
        run: grant.run.clone(),
    })
}

/// Checks that the agent speaks our protocol and can prove who it is.
///
/// # Errors
/// Why it cannot join.
pub(super) fn check_hello(hello: &Hello) -> Result<(), HelloRefused> {
    if hello.protocol != PROTOCOL_VERSION {
        return Err(HelloRefused::Protocol {
            protocol: hello.protocol,
            version: match hello.version.as_str() {
                "" => "an unknown version".to_owned(),
                version => cut(version, MAX_VERSION_BYTES).into_owned(),
            },
        });
    }
    if !hello.secret.is_valid() {
        return Err(HelloRefused::Secret);
    }
    let scenarios: usize = hello.scenarios.iter().map(ScenarioInfo::memory_bytes).sum();
    if scenarios > MAX_SCENARIO_BYTES {
        return Err(HelloRefused::TooManyScenarios);
    }
    Ok(())
}
