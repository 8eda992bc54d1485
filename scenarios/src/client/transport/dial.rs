//! TCP connections by name: all addresses of it, as RFC 8305 has it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

use super::local_ports;
use crate::client::failure::{Failure, Shortage};

/// How long an address is tried alone before the next one is tried beside it (RFC 8305, 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection to a host and port; the host as a URL writes it.
pub(in crate::client) async fn dial(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let addresses = resolve(host, port).await?;
    let stream = connect_any(addresses).await?;
    // Without it small requests would wait for acknowledgements; it fails only on a dead socket.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The addresses of a host, in the order in which they are to be tried.
pub(in crate::client) async fn resolve(
    host: &str,
    port: u16,
) -> Result<VecDeque<SocketAddr>, Failure> {
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(VecDeque::from([SocketAddr::new(address, port)]));
    }
    let found: Vec<SocketAddr> = match lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(error) => return Err(unresolved(host, &error)),
    };
    if found.is_empty() {
        return Err(not_resolved(host, "it has no address"));
    }
    Ok(interleaved(&found))
}

/// What the system's resolver says, without what the library puts before it.
fn unresolved(host: &str, error: &io::Error) -> Failure {
    if let Some(shortage) = Shortage::of(error) {
        return Failure::shortage(shortage);
    }
    let text = error.to_string();
    let reason = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    not_resolved(host, reason)
}

fn not_resolved(host: &str, reason: &str) -> Failure {
    Failure::shortage(Shortage::NameResolution {
        host: host.into(),
        reason: reason.into(),
    })
}

/// IPv6 and IPv4 in turn, beginning with the family of the first (RFC 8305, 4).
fn interleaved(found: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let is_first_family = |address: &&SocketAddr| address.is_ipv6() == found[0].is_ipv6();
    let mut first = found.iter().filter(is_first_family);
    let mut second = found.iter().filter(|address| !is_first_family(address));
    let mut ordered = VecDeque::with_capacity(found.len());
    while ordered.len() < found.len() {
        ordered.extend(first.next().into_iter().chain(second.next()));
    }
    ordered
}

/// The first connection that one of the addresses gives. Each is tried when the one before has failed, or has not
/// answered for a while.
async fn connect_any(mut addresses: VecDeque<SocketAddr>) -> Result<TcpStream, Failure> {
    if addresses.len() == 1 {
        return connect(addresses[0]).await;
    }
    let mut attempts = FuturesUnordered::new();
    let mut failed: Option<Failure> = None;
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(connect(address));
        }
        let next_at = Instant::now() + ATTEMPT_DELAY;
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(failure)) if failure.is_for_want_of(&Shortage::OpenFiles) => {
                    return Err(failure);
                }
                // A family that this machine does not have says less than what another address says.
                Some(Err(failure)) if failed.is_some() && failure.is_shortage() => {}
                Some(Err(failure)) => failed = Some(failure),
                None => {
                    return Err(failed.unwrap_or_else(|| Failure::io(&io::ErrorKind::NotFound.into())));
                }
            },
            () = sleep_until(next_at), if !addresses.is_empty() => {}
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    local_ports::connect(address).await.map_err(|error| {
        let is_unavailable = error.kind() == io::ErrorKind::AddrNotAvailable;
        if is_unavailable && !has_address_for(address) {
            let is_ipv6 = address.is_ipv6();
            return Failure::shortage(Shortage::NoAddress { is_ipv6 });
        }
        Failure::io(&error)
    })
}

/// Whether this machine has an address from which this one can be reached. UDP finds that out without sending
/// anything and without one of TCP's ports.
fn has_address_for(address: SocketAddr) -> bool {
    let any: IpAddr = if address.is_ipv6() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let probe = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address));
    !probe.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::testing::refusing_address;

    /// An address whose connections are never accepted nor refused: its queue is full. Gone with what is returned.
    async fn dead() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            held.push(stream.unwrap());
        }
        (address, (listener, held))
    }

    #[tokio::test]
    async fn a_dead_first_address_does_not_keep_the_next_from_answering() {
        let (dead, _held) = dead().await;
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = alive.local_addr().unwrap();
        // The system itself gives the dead one up only after minutes.
        let stream = tokio::time::timeout(
            Duration::from_secs(60),
            connect_any(VecDeque::from([dead, alive])),
        )
        .await
        .expect("the next address is tried beside the dead one")
        .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn a_refusing_address_is_left_at_once_and_the_last_refusal_is_reported() {
        let (first, second) = (refusing_address(), refusing_address());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let stream = connect_any(VecDeque::from([first, second, alive])).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), alive);
        let failure = connect_any(VecDeque::from([first, second])).await;
        let failure = failure.unwrap_err();
        assert!(
            failure.text().starts_with("ConnectionRefusedError"),
            "{failure:?}"
        );
    }

    /// A network of its own, where no interface is up, has no IPv6 address.
    #[test]
    fn a_machine_without_ipv6_has_not_used_up_its_ports() {
        let unshared = |program: &str, arguments: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--net", program]);
            command.args(arguments).output()
        };
        if !unshared("true", &[]).is_ok_and(|output| output.status.success()) {
            eprintln!("not tested: a network of one's own (unshare) is not allowed here");
            return;
        }
        let own = std::env::current_exe().unwrap();
        let name = "client::transport::dial::tests::a_connection_without_ipv6";
        let output = unshared(own.to_str().unwrap(), &["--exact", "--ignored", name]);
        let output = output.unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && shown.contains("1 passed"),
            "{shown}"
        );
    }

    #[tokio::test]
    #[ignore = "runs in a child process of another test"]
    async fn a_connection_without_ipv6() {
        let failure = dial("[::1]", 9).await.err().unwrap();
        assert_eq!(
            failure.text(),
            "Load generator: this machine has no IPv6 address to connect from"
        );
        assert_eq!(failure.generator_limit(), None);
    }

    #[test]
    fn an_address_to_connect_from_is_found() {
        assert!(has_address_for("127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn families_take_turns() {
        let six = |last: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, last], 1));
        let four = |last: u8| SocketAddr::from(([127, 0, 0, last], 1));
        let ordered = interleaved(&[six(1), six(2), six(3), four(1)]);
        assert_eq!(ordered, [six(1), four(1), six(2), six(3)]);
        let ordered = interleaved(&[four(1), four(2), six(1)]);
        assert_eq!(ordered, [four(1), six(1), four(2)]);
    }
}
