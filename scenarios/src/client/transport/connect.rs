//! Making connections: to the target or a proxy, TLS included.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::ConnectionSettings;
use super::dial::dial;
use super::http1::Http1;
use super::http2::Http2;
use super::pool::{Connection, Protocol};
use super::stream::Stream;
use crate::client::failure::{CONNECT_TIMED_OUT, Failure};
use crate::client::kind::HttpVersion;
use crate::client::target::Origin;

/// HTTP/2 in the handshake of TLS.
pub(in crate::client) const ALPN_HTTP_2: &[u8] = b"h2";

/// Makes a connection, TLS included, within the user type's timeout.
pub(in crate::client) async fn connect(
    settings: &ConnectionSettings,
    origin: &Origin,
) -> Result<Connection, Failure> {
    let opening = open(settings, origin);
    match tokio::time::timeout(settings.timeout, opening).await {
        Ok(connected) => connected,
        Err(_) => Err(CONNECT_TIMED_OUT),
    }
}

async fn open(settings: &ConnectionSettings, origin: &Origin) -> Result<Connection, Failure> {
    let only_http_2 = settings.versions == HttpVersion::Http2;
    let (mut stream, for_proxy) = match &settings.proxy {
        None => (Stream::Tcp(dial(&origin.host, origin.port).await?), None),
        Some(proxy) => {
            let tunnelled = origin.https || only_http_2;
            proxy
                .connect(&settings.proxy_tls, origin, tunnelled)
                .await?
        }
    };
    let mut is_http_2 = only_http_2;
    if origin.https {
        let chosen;
        (stream, chosen) = encrypt(stream, &settings.tls, &origin.host).await?;
        if only_http_2 && !chosen {
            return Err(Failure::new(
                "The server does not speak HTTP/2: choose HttpVersion::Auto or HttpVersion::Http1",
            ));
        }
        is_http_2 = chosen;
    }
    let protocol = if is_http_2 {
        Protocol::Http2(Http2::handshake(stream, origin.https).await?)
    } else {
        Protocol::Http1(Box::new(Http1::new(stream, for_proxy)))
    };
    Ok(Connection {
        origin: origin.clone(),
        protocol,
    })
}

/// TLS on a connection, and whether HTTP/2 was chosen in its handshake.
pub(in crate::client) async fn encrypt(
    stream: Stream,
    tls: &Arc<ClientConfig>,
    host: &str,
) -> Result<(Stream, bool), Failure> {
    let host = host.trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::new("TLS failure: this host name cannot have a certificate"))?;
    let encrypted = TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
        .map_err(|error| Failure::handshake(&error))?;
    let is_http_2 = encrypted.get_ref().1.alpn_protocol() == Some(ALPN_HTTP_2);
    Ok((Stream::Tls(Box::new(encrypted)), is_http_2))
}
