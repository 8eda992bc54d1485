//! The server on its socket: connections, their limits, and an orderly end.

use std::convert::Infallible;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::auth::Peer;
use super::access::places::{Place, Places};
use super::access::public_address::PublicAddress;
use super::access::trusted_proxies::TrustedProxies;
use super::listen::check_listen_address;
use super::router::router;
use super::tls::{Tls, shake_hands};
use crate::coordinator::{Coordinator, Meter, MeteredStream};
use crate::tokens::Token;
use crate::trace_url::TraceUrl;

/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of a request's line and headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Time in which the first byte of a connection must have come.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time in which a request's headers must have come, and for which an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
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
    /// The certificate of the server; without one it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Where browsers find the server when a proxy stands in front of it.
    pub public: PublicAddress,
    /// The proxies that say where requests come from.
    pub trusted_proxies: TrustedProxies,
    /// Whether programs may be uploaded, and run by agents.
    pub accept_uploads: bool,
    /// What the start form is filled in from at first.
    pub start_form: TestDraft,
    /// Where traces are shown, for links from requests; without it their ids are shown as text.
    pub trace_url: Option<TraceUrl>,
}

/// Serves pages, API, live events and the agents' socket until `shutdown` is cancelled. Requests being
/// answered then have three seconds, live events end immediately.
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
    let tls = config.tls.clone();
    let proxies = Arc::new(config.trusted_proxies.clone());
    let router = router(
        coordinator.clone(),
        agents,
        config,
        listen,
        shutdown.clone(),
    );
    let places = Arc::<Places>::default();
    let mut connections = JoinSet::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, address)) => {
                let peer = Peer(address.ip());
                // All places are taken by peers who have proved who they are: the client tries again.
                let Some(place) = places.enter(peer) else {
                    continue;
                };
                let accepted = Accepted {
                    peer,
                    place,
                    meter: coordinator.meter(),
                    proxies: Arc::clone(&proxies),
                };
                let (tls, router) = (tls.clone(), router.clone());
                connections.spawn(begin(stream, accepted, tls, router, shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; closing one that is idle");
                places.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// What is known of a connection.
struct Accepted {
    peer: Peer,
    place: Place,
    meter: Arc<Meter>,
    proxies: Arc<TrustedProxies>,
}

/// Waits for the connection's first byte, and for its handshake where there is one, then serves it.
async fn begin(
    stream: TcpStream,
    accepted: Accepted,
    tls: Option<Tls>,
    router: Router,
    shutdown: CancellationToken,
) {
    // Events are small and must not wait for each other; a socket that refuses the option is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let conduct = Arc::clone(&accepted.place.conduct);
    let first_byte = tokio::time::timeout(FIRST_BYTE_TIMEOUT, stream.readable());
    tokio::select! {
        readable = first_byte => if !matches!(readable, Ok(Ok(()))) {
            return;
        },
        () = conduct.displaced() => return,
        () = shutdown.cancelled() => return,
    }
    let Some(tls) = tls else {
        return serve_connection(stream, accepted, router, shutdown).await;
    };
    let shaken = tokio::select! {
        shaken = shake_hands(&tls, stream) => shaken,
        () = conduct.displaced() => return,
        () = shutdown.cancelled() => return,
    };
    match shaken {
        Ok(stream) => serve_connection(stream, accepted, router, shutdown).await,
        Err(error) => tracing::debug!(%error, peer = %accepted.peer.0, "no encrypted connection"),
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    accepted: Accepted,
    router: Router,
    shutdown: CancellationToken,
) {
    let Accepted {
        peer,
        place,
        meter,
        proxies,
    } = accepted;
    let conduct = Arc::clone(&place.conduct);
    let router = TowerToHyperService::new(router);
    let stream = MeteredStream::new(stream, Arc::clone(&meter));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = Peer(proxies.client(peer.0, request.headers()));
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(Arc::clone(&meter));
        request.extensions_mut().insert(Arc::clone(&place.conduct));
        let answering = place.conduct.begin_answer();
        let answer = router.call(request);
        async move {
            let response = answer.await?;
            Ok::<_, Infallible>(response.map(|body| answering.until_sent(body)))
        }
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
        () = conduct.displaced() => return,
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
