//! Which local port a connection comes from, where the system takes long to find one.
//!
//! Linux looks for a port that is free towards the target in two passes: at every second port of its range, then at
//! those in between. As long as the first half has free ones, one of the first looks finds one. When a target has as
//! many connections as that half has ports (14,116 by default), every further connection looks at all of them in vain before it
//! comes to the second half. That takes about a millisecond, in which the thread of the load does nothing else. So once
//! the system has given a port of the second half for a target, that target's next ones are chosen here: from that half, at
//! random, until it is used up, too.
//!
//! A port that is chosen here is bound before the connection is made, which succeeds only while nothing uses it, whatever
//! the target; after some misses the system is asked again. Linux gives such a port to no other target, so several targets
//! with more connections each than the first half has ports share the second one, where each could have all of it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rand::Rng as _;
use tokio::net::{TcpSocket, TcpStream};

/// Where Linux says which ports it gives to outgoing connections, IPv6 too.
const RANGE_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Where it says which of them it does not give, separated by commas.
const RESERVED_FILE: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
/// Ports that are tried, at about a microsecond each, before the system is asked.
const LOOKS: usize = 128;
/// Most targets of which is remembered that the first half is used up.
const MAX_TARGETS: usize = 1_000;

/// Those of this machine; none where the system does not say which it gives.
static LOCAL_PORTS: LazyLock<Option<LocalPorts>> = LazyLock::new(|| {
    let range = fs::read_to_string(RANGE_FILE).ok()?;
    let reserved = fs::read_to_string(RESERVED_FILE).unwrap_or_default();
    LocalPorts::new(&range, &reserved)
});

/// Connects from a port that is found quickly.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    match LOCAL_PORTS.as_ref() {
        Some(ports) => ports.connect(address).await,
        None => TcpStream::connect(address).await,
    }
}

/// The ports of outgoing connections.
struct LocalPorts {
    /// Both ends are given to connections, too. The first half are those with the parity of the first one.
    range: RangeInclusive<u16>,
    reserved: Vec<RangeInclusive<u16>>,
    /// The targets that have used up the first half.
    half_used_by: Mutex<HashSet<SocketAddr>>,
}

impl LocalPorts {
    /// `range` and `reserved` as the system writes them.
    fn new(range: &str, reserved: &str) -> Option<Self> {
        let mut bounds = range.split_ascii_whitespace().map(|port| port.parse().ok());
        let range = bounds.next()??..=bounds.next()??;
        let reserved = reserved
            .split([',', '\n'])
            .filter_map(|ports| {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
            })
            .collect();
        (range.start() < range.end()).then_some(Self {
            range,
            reserved,
            half_used_by: Mutex::default(),
        })
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if self.is_half_used(&address)
            && let Some(socket) = self.bound_socket(address)
        {
            return socket.connect(address).await;
        }
        let stream = TcpStream::connect(address).await?;
        let is_second = stream
            .local_addr()
            .is_ok_and(|local| self.is_second_half(local.port()));
        let mut used = self.half_used_by();
        if !is_second {
            used.remove(&address);
        } else if used.len() < MAX_TARGETS {
            used.insert(address);
        }
        Ok(stream)
    }

    fn is_half_used(&self, address: &SocketAddr) -> bool {
        self.half_used_by().contains(address)
    }

    /// Its lock, whoever panicked with it: no change of it is left half done.
    fn half_used_by(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.half_used_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket for connections to `address` with a port of the second half; none if none was found.
    fn bound_socket(&self, address: SocketAddr) -> Option<TcpSocket> {
        let (socket, any): (_, IpAddr) = match address {
            SocketAddr::V4(_) => (TcpSocket::new_v4().ok()?, Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (TcpSocket::new_v6().ok()?, Ipv6Addr::UNSPECIFIED.into()),
        };
        let mut random = rand::rng();
        for _ in 0..LOOKS {
            let port = random.random_range(self.range.clone());
            // The next one is of the other half.
            let port = if self.is_second_half(port) {
                port
            } else {
                port.saturating_add(1)
            };
            let is_ours = self.range.contains(&port)
                && !self.reserved.iter().any(|ports| ports.contains(&port));
            if is_ours && socket.bind(SocketAddr::new(any, port)).is_ok() {
                return Some(socket);
            }
        }
        None
    }

    fn is_second_half(&self, port: u16) -> bool {
        port % 2 != self.range.start() % 2
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn range_and_reserved_ports_are_read_as_linux_writes_them() {
        let ports = LocalPorts::new("32768\t60999\n", "8080,9148-9150,40000\n").unwrap();
        assert_eq!(ports.range, 32_768..=60_999);
        assert_eq!(
            ports.reserved,
            [8_080..=8_080, 9_148..=9_150, 40_000..=40_000]
        );
        assert!(ports.is_second_half(32_769) && !ports.is_second_half(32_768));
        assert!(
            LocalPorts::new("32768\t60999\n", "\n")
                .unwrap()
                .reserved
                .is_empty()
        );
        assert!(LocalPorts::new("nonsense", "").is_none());
        assert!(LocalPorts::new("1 1", "").is_none());
    }

    /// In a network of its own, which has few ports.
    #[test]
    fn all_ports_are_found_and_those_of_the_second_half_are_chosen() {
        const FEW: &str = "ip link set lo up && echo '40000 40099' > /proc/sys/net/ipv4/ip_local_port_range && \
             echo 40001 > /proc/sys/net/ipv4/ip_local_reserved_ports";
        let unshared = |script: String| {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--net", "sh", "-c", &script]);
            command.output()
        };
        if !unshared(FEW.to_owned()).is_ok_and(|output| output.status.success()) {
            eprintln!("not tested: a network of one's own (unshare) is not allowed here");
            return;
        }
        let own = std::env::current_exe().unwrap();
        let name = "client::transport::local_ports::tests::a_connection_from_every_port";
        let script = format!("{FEW} && exec '{}' --exact --ignored {name}", own.display());
        let output = unshared(script).unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && shown.contains("1 passed"),
            "{shown}"
        );
    }

    #[tokio::test]
    #[ignore = "runs in a child process of another test"]
    async fn a_connection_from_every_port() {
        let listener = TcpListener::bind("127.0.0.1:8080").await.unwrap();
        let target = listener.local_addr().unwrap();
        let another = TcpListener::bind("127.0.0.1:8081").await.unwrap();
        let other = another.local_addr().unwrap();
        let ports = LOCAL_PORTS.as_ref().unwrap();
        let mut kept = Vec::new();
        let mut used = HashSet::new();
        for number in 0..99 {
            let is_chosen = ports.is_half_used(&target);
            assert_eq!(is_chosen, number > 50, "connection {number}");
            if is_chosen && number < 60 {
                // At most one in four of that half is taken: so many looks cannot all miss.
                let socket = ports.bound_socket(target).expect("a free port");
                assert!(ports.is_second_half(socket.local_addr().unwrap().port()));
            }
            if number == 60 {
                let of_another = connect(other).await.unwrap();
                let port = of_another.local_addr().unwrap().port();
                assert!(
                    !ports.is_second_half(port),
                    "another target has its own first half"
                );
            }
            let stream = connect(target).await.unwrap();
            used.insert(stream.local_addr().unwrap().port());
            kept.push((stream, listener.accept().await.unwrap()));
        }
        assert_eq!(used.len(), 99);
        assert!(!used.contains(&40_001), "a reserved port");
        let error = connect(target).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        // Another target can be reached from the same ports, which only the system knows.
        connect(other).await.unwrap();
        assert!(!ports.is_half_used(&other));
    }
}
