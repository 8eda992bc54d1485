//! What is checked of a hello before the agent is one of ours.

use greylag_infra::protocol::{Hello, PROTOCOL_VERSION, ScenarioInfo, cut};

/// Bytes of an agent's version that a refusal repeats.
const MAX_VERSION_BYTES: usize = 100;

/// Most bytes of memory that a hello's scenarios may take: an element that takes one byte on the wire takes hundreds here.
const MAX_SCENARIO_BYTES: usize = 2 * 1024 * 1024;

/// Checks that the agent speaks our protocol and can prove who it is.
///
/// # Errors
/// Why it cannot join, for the user.
pub(super) fn check_hello(hello: &Hello) -> Result<(), String> {
    if hello.protocol != PROTOCOL_VERSION {
        return Err(format!(
            "the agent speaks protocol version {} and this coordinator version {PROTOCOL_VERSION}; install the same Greylag on both (the agent has {}, the coordinator {})",
            hello.protocol,
            if hello.version.is_empty() {
                "an unknown version".into()
            } else {
                cut(&hello.version, MAX_VERSION_BYTES)
            },
            env!("CARGO_PKG_VERSION"),
        ));
    }
    if !hello.secret.is_valid() {
        return Err("the agent's hello has no valid secret; restart the agent".to_owned());
    }
    let scenarios: usize = hello.scenarios.iter().map(ScenarioInfo::memory_bytes).sum();
    if scenarios > MAX_SCENARIO_BYTES {
        return Err(
            "the agent declares too many user types, tags and options; remove some from the program"
                .to_owned(),
        );
    }
    Ok(())
}
