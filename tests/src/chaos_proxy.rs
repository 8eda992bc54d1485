//! A TCP proxy between agent and coordinator that can be cut and restored.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections until it is cut.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    connections: Arc<std::sync::atomic::AtomicU64>,
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
        let open = watch::Sender::new(true);
        let connections = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (target, state, counter) = (
            target.to_owned(),
            open.subscribe(),
            Arc::clone(&connections),
        );
        tokio::spawn(async move {
            while let Ok((incoming, _)) = listener.accept().await {
                // While cut, a connection is closed as soon as it is there.
                if *state.borrow() {
                    counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    tokio::spawn(forward(incoming, target.clone(), state.clone()));
                }
            }
        });
        Self {
            address,
            open,
            connections,
        }
    }

    /// Address for the agent.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.open.send_replace(true);
    }

    /// Connections forwarded so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(std::sync::atomic::Ordering::Relaxed)
    }
}

async fn forward(mut incoming: TcpStream, target: String, mut open: watch::Receiver<bool>) {
    let Ok(mut outgoing) = TcpStream::connect(&target).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut incoming, &mut outgoing) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
