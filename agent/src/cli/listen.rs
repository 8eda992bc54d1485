//! Addresses to listen on: what a text names, and why one cannot be used.

use std::net::SocketAddr;

use tokio::net::{TcpListener, lookup_host};

use super::failure::Failure;

/// The address that was asked for, or any other port there if that will do.
pub(super) async fn listen(address: SocketAddr, may_move: bool) -> Result<TcpListener, Failure> {
    let first = TcpListener::bind(address).await;
    let bound = match first {
        Err(_) if may_move => TcpListener::bind(SocketAddr::new(address.ip(), 0)).await,
        other => other,
    };
    bound.map_err(|error| cannot_listen(address, &error))
}

/// The message about an address that cannot be listened on.
pub(super) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let cure = match error.kind() {
        std::io::ErrorKind::AddrInUse => "; stop what is using it or choose another port",
        _ => "",
    };
    Failure::bad_input(format!("cannot listen on {address}: {error}{cure}"))
}

/// The address that a text such as `127.0.0.1:8089` names.
pub(super) async fn resolve(listen: &str) -> Result<SocketAddr, Failure> {
    let resolved = lookup_host(listen)
        .await
        .map(|mut addresses| addresses.next());
    match resolved {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(Failure::bad_input(format!(
            "`{listen}` does not resolve to an address"
        ))),
        Err(error) => Err(Failure::bad_input(format!(
            "`{listen}` is not a valid listen address ({error}); write it as 127.0.0.1:8089"
        ))),
    }
}
