//! TCP connections by name: all addresses of it, as RFC 8305 has it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

use super::failure::Failure;
use super::shortage::Shortage;

/// How long an address is tried alone before the next one is tried beside it (RFC 8305, 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection to a host and port; the host as a URL writes it.
pub(super) async fn dial(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let addresses = resolve(host, port).await?;
    let stream = connect_any(addresses)
        .await
        .map_err(|error| Failure::io(&error))?;
    // Without it small requests would wait for acknowledgements; it fails only on a dead socket.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The addresses of a host, in the order in which they are to be tried.
pub(super) async fn resolve(host: &str, port: u16) -> Result<VecDeque<SocketAddr>, Failure> {
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
async fn connect_any(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    if addresses.len() == 1 {
        return TcpStream::connect(addresses[0]).await;
    }
    let mut attempts = FuturesUnordered::new();
    let mut failed: Option<io::Error> = None;
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(TcpStream::connect(address));
        }
        let next_at = Instant::now() + ATTEMPT_DELAY;
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) if Shortage::of(&error) == Some(Shortage::OpenFiles) => {
                    return Err(error);
                }
                // A family that this machine does not have says less than what another address says.
                Some(Err(error)) if failed.is_some() && Shortage::of(&error).is_some() => {}
                Some(Err(error)) => failed = Some(error),
                None => {
                    return Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()));
                }
            },
            () = sleep_until(next_at), if !addresses.is_empty() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

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
            Duration::from_secs(10),
            connect_any(VecDeque::from([dead, alive])),
        )
        .await
        .expect("the next address is tried beside the dead one")
        .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn a_refusing_address_is_left_at_once_and_the_last_refusal_is_told() {
        let refusing = || async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let (first, second) = (refusing().await, refusing().await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let stream = connect_any(VecDeque::from([first, second, alive])).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), alive);
        let error = connect_any(VecDeque::from([first, second]))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
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
