//! Certificates: those of servers, those of clients.

use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::client::{ClientKind, ClientOptions, ClientShared};
use crate::testing::{BOTH, Reply, Seen, Server, client_with, respond};
use crate::user::{FastHttpUser, HttpUser, UserType};

fn ok(_: &Seen) -> Reply {
    Reply::Write(respond("200 OK", &[], b"fine"))
}

/// A server that there is no reason to trust.
pub(super) fn self_signed() -> TlsAcceptor {
    acceptor(&certificate("127.0.0.1"), None)
}

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

pub(super) fn acceptor(
    own: &CertifiedKey<KeyPair>,
    client: Option<&CertifiedKey<KeyPair>>,
) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.cert.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_single_cert(vec![own.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

#[tokio::test]
async fn a_server_of_an_additional_authority_is_trusted() {
    for kind in BOTH {
        let own = certificate("127.0.0.1");
        let server = Server::start_tls(acceptor(&own, None), ok).await;
        let (mut client, memory) = client_with(kind, &server.url, |options| {
            options.tls.authorities.push(own.cert.pem().into_bytes());
        });
        client.get("/").send().await.unwrap();
        assert_eq!(memory.lines(), ["GET /"]);
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    for kind in BOTH {
        let (own, ada) = (certificate("127.0.0.1"), certificate("ada"));
        let server = Server::start_tls(acceptor(&own, Some(&ada)), ok).await;
        let identity = (
            ada.cert.pem().into_bytes(),
            ada.signing_key.serialize_pem().into_bytes(),
        );
        for identity in [None, Some(identity)] {
            let shown = identity.is_some();
            let (mut client, memory) = client_with(kind, &server.url, |options| {
                options.tls.authorities.push(own.cert.pem().into_bytes());
                options.tls.identity = identity;
            });
            let answered = client.get("/").send().await.is_ok();
            assert_eq!(answered, shown, "{kind:?} {:?}", memory.lines());
        }
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn certificates_that_are_none_are_refused_with_a_message() {
    let message = |user_type: UserType| {
        // Found before a run begins, and by one that begins all the same.
        let found = user_type.check().unwrap_err().to_string();
        let host = "https://localhost".parse().unwrap();
        let options = Arc::clone(user_type.client_options());
        let refused = ClientShared::new(&host, options).err().unwrap();
        assert_eq!(found, format!("user type `u`: {refused}"));
        refused
    };
    let ada = certificate("ada");
    let fast = || FastHttpUser::<()>::new("u");
    let cases = [
        (
            message(fast().root_certificate("").into()),
            "contains no certificate",
        ),
        (
            message(fast().client_certificate(ada.cert.pem(), "").into()),
            "not a private key",
        ),
        (
            message(fast().client_certificate("x", "y").into()),
            "contains no certificate",
        ),
        (
            message(
                HttpUser::<()>::new("u")
                    .client_certificate(
                        ada.cert.pem(),
                        certificate("other").signing_key.serialize_pem(),
                    )
                    .into(),
            ),
            "the client certificate cannot be used",
        ),
    ];
    for (error, part) in cases {
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
    }
    assert!(ClientOptions::new(ClientKind::Fast).invalid.is_none());
}
