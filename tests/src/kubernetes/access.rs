//! The way to the cluster: what a kubeconfig says, and TLS with an authority of the cluster's own.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::NAMESPACE;

/// What a kubeconfig says.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) server: String,
    /// Further fields of the cluster, in YAML's flow style, each with its comma before it.
    pub(super) cluster: String,
    /// Fields of the user.
    pub(super) user: String,
}

impl Access {
    pub(super) fn kubeconfig(&self) -> String {
        let Self {
            server,
            cluster,
            user,
        } = self;
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: stand-in\n\
             clusters: [{{ name: c, cluster: {{ server: '{server}'{cluster} }} }}]\n\
             users: [{{ name: u, user: {{ {user} }} }}]\n\
             contexts: [{{ name: stand-in, context: {{ cluster: c, user: u, namespace: {NAMESPACE} }} }}]\n",
        )
    }
}

/// An authority that signs certificates of servers.
pub(super) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let pem = certificate.pem();
        Self { params, key, pem }
    }

    /// The field by which a kubeconfig trusts it.
    pub(super) fn field(&self) -> String {
        let data = STANDARD.encode(&self.pem);
        format!(", certificate-authority-data: {data}")
    }

    /// For a server on 127.0.0.1.
    fn server_config(&self) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a valid name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key as it was made");
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("its defaults")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("the key is the certificate's")
    }
}

/// Speaks TLS before a server that does not. Its address, and the task that serves.
pub(super) async fn encrypt(
    authority: &Authority,
    server: SocketAddr,
) -> (SocketAddr, JoinHandle<()>) {
    let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()));
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust it hangs up.
                let mut client = acceptor.accept(client).await.ok()?;
                let mut plain = TcpStream::connect(server).await.ok()?;
                copy_bidirectional(&mut client, &mut plain).await.ok()
            });
        }
    });
    (address, task)
}
