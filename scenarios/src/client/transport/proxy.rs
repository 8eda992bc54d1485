//! Proxies: how a connection goes through one.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tower_service::Service;
use url::Url;

use super::connect::encrypt;
use super::dial::{dial, resolve};
use super::http1::{ForProxy, open_tunnel};
use super::stream::Stream;
use crate::client::failure::Failure;
use crate::client::target::{Origin, basic_authorization};

/// What is written where a proxy is not valid.
const FORMS: &str =
    "write http://, https://, socks4://, socks4a://, socks5:// or socks5h://, a host and a port";

/// A proxy that all connections go through.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    /// Of an HTTP proxy.
    authorization: Option<HeaderValue>,
    /// Of a SOCKS proxy: user and password.
    credentials: Option<(String, String)>,
}

/// Why a text is not a proxy. Never shows the text, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is not a URL.
    #[error("the proxy is not a URL: {FORMS}")]
    Url,
    /// Its scheme is not that of a proxy.
    #[error("the proxy has an unsupported scheme: {FORMS}")]
    Scheme,
    /// It names no host.
    #[error("the proxy has no host: {FORMS}")]
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http {
        is_https: bool,
    },
    /// With names resolved here or by the proxy.
    Socks4 {
        is_remote: bool,
    },
    Socks5 {
        is_remote: bool,
    },
}

impl Proxy {
    /// The proxy of a URL.
    ///
    /// # Errors
    ///
    /// See [`ProxyError`].
    pub(crate) fn parse(url: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(url).map_err(|_| ProxyError::Url)?;
        let (kind, usual_port) = match url.scheme() {
            "http" => (Kind::Http { is_https: false }, 80),
            "https" => (Kind::Http { is_https: true }, 443),
            "socks4" => (Kind::Socks4 { is_remote: false }, 1080),
            "socks4a" => (Kind::Socks4 { is_remote: true }, 1080),
            "socks5" => (Kind::Socks5 { is_remote: false }, 1080),
            "socks5h" => (Kind::Socks5 { is_remote: true }, 1080),
            _ => return Err(ProxyError::Scheme),
        };
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(ProxyError::Host)?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = (!url.username().is_empty()).then(|| {
            let password = decoded(url.password().unwrap_or_default());
            (decoded(url.username()), password)
        });
        Ok(Self {
            kind,
            host: host.to_owned(),
            port: url.port().unwrap_or(usual_port),
            authorization: basic_authorization(&url),
            credentials,
        })
    }

    /// Whether the proxy itself is spoken to over TLS.
    pub(in crate::client) fn is_encrypted(&self) -> bool {
        self.kind == Kind::Http { is_https: true }
    }

    /// A connection to `origin` through the proxy. Requests without TLS go to an HTTP proxy as they are, unless they
    /// are `tunnelled`, too; then what they need is in the second part.
    pub(in crate::client) async fn connect(
        &self,
        tls: &Arc<ClientConfig>,
        origin: &Origin,
        tunnelled: bool,
    ) -> Result<(Stream, Option<ForProxy>), Failure> {
        let mut stream = Stream::Tcp(dial(&self.host, self.port).await?);
        match self.kind {
            Kind::Http { is_https } => {
                if is_https {
                    stream = encrypt(stream, tls, &self.host).await?.0;
                }
                if !tunnelled {
                    let authorization = self.authorization.clone();
                    return Ok((stream, Some(ForProxy { authorization })));
                }
                let authority = format!("{}:{}", origin.host, origin.port);
                let said =
                    open_tunnel(&mut stream, &authority, self.authorization.as_ref()).await?;
                Ok((stream.after(said), None))
            }
            Kind::Socks4 { is_remote } => {
                let target = socks_target(origin, is_remote, |address| address.is_ipv4()).await?;
                let mut socks = SocksV4::new(self.uri()?, Connected(Some(stream)));
                let tunnel = socks.call(target).await.map_err(refused)?;
                Ok((tunnel.into_inner(), None))
            }
            Kind::Socks5 { is_remote } => {
                let target = socks_target(origin, is_remote, |_| true).await?;
                let mut socks = SocksV5::new(self.uri()?, Connected(Some(stream)));
                if let Some((user, password)) = &self.credentials {
                    socks = socks.with_auth(user.clone(), password.clone());
                }
                let tunnel = socks.call(target).await.map_err(refused)?;
                Ok((tunnel.into_inner(), None))
            }
        }
    }

    fn uri(&self) -> Result<Uri, Failure> {
        uri(&format!("{}:{}", self.host, self.port))
    }
}

fn uri(authority: &str) -> Result<Uri, Failure> {
    Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query("/")
        .build()
        .map_err(|_| Failure::new("This host cannot be reached through a SOCKS proxy"))
}

/// Where a SOCKS proxy is asked to connect to: the name, or an address that it can use.
async fn socks_target(
    origin: &Origin,
    is_remote: bool,
    usable: impl Fn(&std::net::SocketAddr) -> bool,
) -> Result<Uri, Failure> {
    if is_remote {
        return uri(&format!("{}:{}", origin.host, origin.port));
    }
    let addresses = resolve(&origin.host, origin.port).await?;
    let address = addresses.iter().find(|address| usable(address));
    match address {
        Some(address) => uri(&address.to_string()),
        None => Err(Failure::new("A SOCKS4 proxy can reach only IPv4 addresses")),
    }
}

fn refused(error: impl fmt::Display) -> Failure {
    Failure::owned(format!("The proxy refused the connection: {error}"))
}

/// A connector that has its connection already.
struct Connected(Option<Stream>);

impl Service<Uri> for Connected {
    type Response = TokioIo<Stream>;
    type Error = std::io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(match self.0.take() {
            Some(stream) => Ok(TokioIo::new(stream)),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        })
    }
}
