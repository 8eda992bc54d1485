//! The server on its socket: connections, their limits, and an orderly end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use greylag_infra::TestDraft;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::auth::Peer;
use super::listen::check_listen_address;
use super::public_address::PublicAddress;
use super::router::router;
use crate::coordinator::{Coordinator, Meter, MeteredStream};
use crate::token::Token;

/// Most connections at once, agents' sockets not counted; further ones wait in the kernel.
const MAX_CONNECTIONS: usize = 2_000;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of a request's line and headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Time in which a request's headers must have come, and for which an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that requests being answered have when the server ends.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
/// Pause after a connection could not be accepted (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How the server is to be run.
#[derive(Debug, Clone, Default)]
pub struct WebConfig {
    /// The secret that agents, API and pages need; without one the server listens on loopback addresses
    /// only.
    pub token: Option<Token>,
    /// Where browsers find the server when a proxy stands in front of it.
    pub public: PublicAddress,
    /// What the start form is filled in from at first.
    pub start_form: TestDraft,
}

/// Serves pages, API, live events and the agents' socket until `shutdown` is cancelled. Requests being
/// answered then have three seconds, live events end at once.
///
/// # Errors
/// The listener has no address, or one that is open to others while there is no token (the error is a
/// [`super::ListenRefused`]).
pub async fn serve(
    listener: TcpListener,
    coordinator: Coordinator,
    agents: Router,
    config: WebConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listen = listener.local_addr()?;
    check_listen_address(listen, config.token.as_ref())
        .map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
    let router = router(
        coordinator.clone(),
        agents,
        config,
        listen,
        shutdown.clone(),
    );
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Some(accepted) = shutdown
        .run_until_cancelled(accept(&listener, &places))
        .await
    {
        match accepted {
            Ok((stream, peer, place)) => {
                let meter = coordinator.meter();
                let connection =
                    serve_connection(stream, peer, meter, router.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (stream, address) = listener.accept().await?;
    // Events are small and must not wait for each other; a socket that cannot be told is slower, not wrong.
    let _ = stream.set_nodelay(true);
    Ok((stream, Peer(address.ip()), place))
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    meter: Arc<Meter>,
    router: Router,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let stream = MeteredStream::new(stream, Arc::clone(&meter));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(&meter));
        router.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(SHUTDOWN_GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
