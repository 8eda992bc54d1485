//! A proxy that tunnels what it is asked to with CONNECT, as companies have them before what is outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest request that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// A running proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    tunnels: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl ConnectProxy {
    /// Listens on a free port.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let tunnels = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&tunnels);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, Arc::clone(&counter)));
            }
        });
        Self {
            address,
            tunnels,
            task,
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections have gone through it.
    pub fn tunnels(&self) -> u64 {
        self.tunnels.load(Ordering::Relaxed)
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nothing but CONNECT is understood; whoever says something else is hung up on.
async fn tunnel(mut client: TcpStream, tunnels: Arc<AtomicU64>) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() == MAX_REQUEST_BYTES {
            return None;
        }
        request.push(client.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).ok()?;
    let target = request.strip_prefix("CONNECT ")?.split(' ').next()?;
    let mut server = TcpStream::connect(target).await.ok()?;
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    client.write_all(established).await.ok()?;
    tunnels.fetch_add(1, Ordering::Relaxed);
    // Either may end it at any time.
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Some(())
}
