//! Failures that say something about the machine that makes the load, not about the target.

use std::fmt;
use std::io;

use crate::recorder::GeneratorLimit;

/// Begins the text of every failure that is the load generator's own.
const PREFIX: &str = "Load generator: ";

/// What the machine that makes the load ran out of, or cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::client) enum Shortage {
    /// No file descriptor was left for a connection.
    OpenFiles,
    /// No ephemeral port was left for a connection.
    LocalPorts,
    /// This machine has no address of this family, or none that leads to the target.
    NoAddress { is_ipv6: bool },
    /// A host name has no address, as far as this machine can find out.
    NameResolution {
        host: Box<str>,
        /// What the resolver says.
        reason: Box<str>,
    },
}

impl Shortage {
    /// What an error of making a connection says about this machine; `None` if nothing. Where no address is available
    /// (EADDRNOTAVAIL), that is for want of a port, unless `dial` has found out better.
    pub(in crate::client) fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            ENFILE | EMFILE => Some(Self::OpenFiles),
            _ if error.kind() == io::ErrorKind::AddrNotAvailable => Some(Self::LocalPorts),
            _ => None,
        }
    }

    /// What is reported to the recorder. A missing address is not a limit that a smaller load would keep to: the failure
    /// says it all.
    pub(in crate::client) fn limit(&self) -> Option<GeneratorLimit<'_>> {
        match self {
            Self::OpenFiles => Some(GeneratorLimit::FileDescriptors),
            Self::LocalPorts => Some(GeneratorLimit::Ports),
            Self::NoAddress { .. } => None,
            Self::NameResolution { host, .. } => Some(GeneratorLimit::NameResolution { host }),
        }
    }
}

/// "Too many open files in system" and "Too many open files", on every Unix.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        match self {
            Self::OpenFiles => f.write_str("too many open files (raise ulimit -n)"),
            Self::LocalPorts => f.write_str(
                "ephemeral ports used up (widen net.ipv4.ip_local_port_range, keep connections, or use more agents)",
            ),
            Self::NoAddress { is_ipv6 } => {
                let family = if *is_ipv6 { "IPv6" } else { "IPv4" };
                write!(f, "this machine has no {family} address to connect from")
            }
            Self::NameResolution { host, reason } => {
                write!(f, "name does not resolve: {host} ({reason})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_this_machine_are_distinguished_from_the_targets() {
        let cases = [
            (EMFILE, Some(Shortage::OpenFiles)),
            (ENFILE, Some(Shortage::OpenFiles)),
            (99, Some(Shortage::LocalPorts)),
            (111, None),
            (104, None),
        ];
        for (code, shortage) in cases {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(Shortage::of(&error), shortage);
        }
        assert_eq!(
            Shortage::OpenFiles.to_string(),
            "Load generator: too many open files (raise ulimit -n)"
        );
    }
}
