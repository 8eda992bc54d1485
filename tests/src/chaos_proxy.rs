//! A TCP proxy between agent and coordinator that loses what it is asked to lose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What the proxy does with what it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Forwards both ways.
    Open,
    /// The agent is heard, but hears nothing: what the coordinator says is held back.
    Mute,
    /// The agent speaks into the void: what it says is lost.
    Void,
    /// Everything comes so much later, both ways.
    Late(Duration),
    /// A few bytes at a time, both ways.
    Dripping,
    /// Connections break, and new ones too.
    Cut,
}

/// What a dripping link carries at a time, and how often: about 6 kB a second.
const DROP_BYTES: usize = 64;
const DROP_EVERY: Duration = Duration::from_millis(10);

/// Forwards connections of agents to a coordinator.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    lost_bytes: AtomicU64,
}

impl ChaosProxy {
    /// Listens on a free port and forwards to `target` (`host:port`).
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port on 127.0.0.1");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let link = watch::Sender::new(Link::Open);
        let counters = Arc::new(Counters::default());
        let (target, state, counted) = (target.to_owned(), link.subscribe(), Arc::clone(&counters));
        tokio::spawn(async move {
            while let Ok((agent, _)) = listener.accept().await {
                // While cut, a connection is closed as soon as it is there.
                if *state.borrow() != Link::Cut {
                    counted.connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(forward(
                        agent,
                        target.clone(),
                        state.clone(),
                        Arc::clone(&counted),
                    ));
                }
            }
        });
        Self {
            address,
            link,
            counters,
        }
    }

    /// Address for the agent.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.link.send_replace(Link::Cut);
    }

    /// The coordinator hears the agent, the agent hears nothing: acknowledgements do not come.
    pub fn mute_coordinator(&self) {
        self.link.send_replace(Link::Mute);
    }

    /// What the agent says from now on is lost.
    pub fn lose_from_agent(&self) {
        self.link.send_replace(Link::Void);
    }

    /// What either says comes so much later from now on.
    pub fn delay(&self, by: Duration) {
        self.link.send_replace(Link::Late(by));
    }

    /// The link carries a few bytes at a time from now on.
    pub fn drip(&self) {
        self.link.send_replace(Link::Dripping);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.link.send_replace(Link::Open);
    }

    /// Connections forwarded so far.
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// Bytes of the agent's that were lost so far.
    pub fn lost_bytes(&self) -> u64 {
        self.counters.lost_bytes.load(Ordering::Relaxed)
    }
}

async fn forward(
    agent: TcpStream,
    target: String,
    mut link: watch::Receiver<Link>,
    counters: Arc<Counters>,
) {
    let Ok(coordinator) = TcpStream::connect(&target).await else {
        return;
    };
    let (from_agent, to_agent) = agent.into_split();
    let (from_coordinator, to_coordinator) = coordinator.into_split();
    let (up, down) = (link.clone(), link.clone());
    tokio::select! {
        () = carry_up(from_agent, to_coordinator, up, &counters) => {}
        () = carry_down(from_coordinator, to_agent, down) => {}
        _ = link.wait_for(|link| *link == Link::Cut) => {}
    }
}

async fn carry_up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    link: watch::Receiver<Link>,
    counters: &Counters,
) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if *link.borrow() == Link::Void {
            counters
                .lost_bytes
                .fetch_add(count as u64, Ordering::Relaxed);
        } else if deliver(&mut to, &buffer[..count], &link).await.is_err() {
            return;
        }
    }
}

async fn carry_down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // What was held back is lost when the connection is cut.
        let goes_on = match link.wait_for(|link| *link != Link::Mute).await {
            Ok(link) => *link != Link::Cut,
            Err(_) => false,
        };
        if !goes_on || deliver(&mut to, &buffer[..count], &link).await.is_err() {
            return;
        }
    }
}

/// Writes at the pace of the link.
async fn deliver(
    to: &mut OwnedWriteHalf,
    bytes: &[u8],
    link: &watch::Receiver<Link>,
) -> std::io::Result<()> {
    let now = *link.borrow();
    if let Link::Late(by) = now {
        sleep(by).await;
    }
    let mut rest = bytes;
    while *link.borrow() == Link::Dripping && !rest.is_empty() {
        let (drop, later) = rest.split_at(rest.len().min(DROP_BYTES));
        to.write_all(drop).await?;
        rest = later;
        sleep(DROP_EVERY).await;
    }
    to.write_all(rest).await
}
