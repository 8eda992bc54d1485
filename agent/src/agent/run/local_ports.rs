//! How many local ports this machine has for outgoing connections.

use std::fs;

use greylag_infra::{GeneratorNotice, NoticeKind};

/// Where Linux says which local ports it gives to outgoing connections, IPv6 too.
const RANGE_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The number of local ports for outgoing connections to one target; none where the system does not say.
pub(crate) fn local_ports() -> Option<u64> {
    ports_in(&fs::read_to_string(RANGE_FILE).ok()?)
}

fn ports_in(range: &str) -> Option<u64> {
    let mut bounds = range.split_ascii_whitespace().map(str::parse::<u64>);
    let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    Some((last + 1).saturating_sub(first))
}

/// The warning that so many users on this machine need more ports than it has; `worker` stands for the agent.
pub(super) fn too_few_ports(users: u64, ports: u64, worker: u32) -> Option<GeneratorNotice> {
    (users > ports).then(|| GeneratorNotice {
        kind: NoticeKind::FewPorts,
        worker: Some(worker),
        count: users,
        worst: ports,
        ..GeneratorNotice::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_includes_both_ends() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in("nonsense"), None);
        assert!(too_few_ports(28_232, 28_232, 0).is_none());
        assert!(too_few_ports(28_233, 28_232, 0).is_some());
    }
}
