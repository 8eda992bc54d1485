//! Why agent connections are closed: counted and logged, never felt by anyone else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use greylag_infra::protocol::cut;

/// Most bytes of a text of an agent's that are logged.
const MAX_LOGGED_BYTES: usize = 300;

/// A reason to close an agent's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFault {
    /// No token, or a wrong one.
    Unauthenticated,
    /// No hello in time, or another message first.
    NoHello,
    /// The hello was refused (protocol version, name).
    Refused,
    /// A frame that is not a message.
    Malformed,
    /// A frame larger than the limit.
    Oversized,
    /// A snapshot that breaks the rules of the protocol.
    InvalidSnapshot,
    /// Nothing heard within the lease.
    Silent,
    /// The agent does not read what it is sent.
    TooSlow,
    /// It took long over a message or its hello while others needed the place.
    CrowdedOut,
    /// The token that it was let in with was revoked.
    Revoked,
    /// Its token is not for agents.
    Forbidden,
}

impl ConnectionFault {
    /// All reasons, in the order of their counters.
    pub const ALL: [ConnectionFault; 11] = [
        ConnectionFault::Unauthenticated,
        ConnectionFault::NoHello,
        ConnectionFault::Refused,
        ConnectionFault::Malformed,
        ConnectionFault::Oversized,
        ConnectionFault::InvalidSnapshot,
        ConnectionFault::Silent,
        ConnectionFault::TooSlow,
        ConnectionFault::CrowdedOut,
        ConnectionFault::Revoked,
        ConnectionFault::Forbidden,
    ];

    /// The reason as a key, such as `malformed`.
    pub fn key(self) -> &'static str {
        match self {
            ConnectionFault::Unauthenticated => "unauthenticated",
            ConnectionFault::NoHello => "no_hello",
            ConnectionFault::Refused => "refused",
            ConnectionFault::Malformed => "malformed",
            ConnectionFault::Oversized => "oversized",
            ConnectionFault::InvalidSnapshot => "invalid_snapshot",
            ConnectionFault::Silent => "silent",
            ConnectionFault::TooSlow => "too_slow",
            ConnectionFault::CrowdedOut => "crowded_out",
            ConnectionFault::Revoked => "revoked",
            ConnectionFault::Forbidden => "forbidden",
        }
    }
}

/// Counters of closed agent connections by reason, since the coordinator started.
#[derive(Debug, Default)]
pub struct ConnectionFaults {
    counters: [AtomicU64; ConnectionFault::ALL.len()],
}

impl ConnectionFaults {
    /// Counts and logs a closed connection.
    pub fn count(&self, fault: ConnectionFault, agent: &str, detail: impl fmt::Display) {
        self.counters[fault as usize].fetch_add(1, Ordering::Relaxed);
        let detail = detail.to_string();
        tracing::warn!(
            agent = %cut(agent, MAX_LOGGED_BYTES),
            reason = fault.key(),
            "closed an agent's connection: {}",
            cut(&detail, MAX_LOGGED_BYTES)
        );
    }

    /// How many connections were closed for this reason.
    pub fn get(&self, fault: ConnectionFault) -> u64 {
        self.counters[fault as usize].load(Ordering::Relaxed)
    }

    /// All counters by the reason's key.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        ConnectionFault::ALL
            .into_iter()
            .map(|fault| (fault.key(), self.get(fault)))
            .collect()
    }
}
