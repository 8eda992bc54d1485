//! For tests: a server whose certificate only those trust that were given it.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// It speaks nothing but one protocol.
pub(super) struct PrivateServer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    certificate: tempfile::NamedTempFile,
}

impl PrivateServer {
    /// `alpn`: the protocol.
    pub(super) async fn start(alpn: &[u8]) -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key);
        let mut config = config.unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(certificate.path(), own.cert.pem()).unwrap();
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
        }
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        let port = self.listener.local_addr().unwrap().port();
        format!("https://localhost:{port}")
    }

    /// The file with its certificate.
    pub(super) fn certificate(&self) -> &std::path::Path {
        self.certificate.path()
    }

    /// The next connection, if its client trusts this server.
    pub(super) async fn accept(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await?;
        self.acceptor.accept(stream).await
    }
}
