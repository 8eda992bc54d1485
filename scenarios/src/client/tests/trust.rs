//! Certificates that a user trusts explicitly, and what is said of those that are not right.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::testing::{BOTH, Reply, Seen, Server, client_with, respond};
use crate::{TlsConfigError, tls_client_config};

fn ok(_: &Seen) -> Reply {
    Reply::Write(respond("200 OK", &[], b"fine"))
}

/// As `openssl req -x509` makes it: self-signed, and marked as an authority.
fn openssl_like(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "127.0.0.1");
    params
}

fn self_signed(params: &CertificateParams) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(std::sync::Arc::new(config))
}

/// What a request to a server with this certificate fails with, on each client, when `trusted` is trusted.
async fn failures(server: &TlsAcceptor, trusted: &str) -> Vec<Option<String>> {
    let mut failures = Vec::new();
    for kind in BOTH {
        let server = Server::start_tls(server.clone(), ok).await;
        let (mut client, memory) = client_with(kind, &server.url, |options| {
            options.tls.authorities.push(trusted.as_bytes().to_vec());
        });
        let _ = client.get("/").send().await;
        failures.push(memory.only().error);
    }
    failures
}

#[tokio::test]
async fn a_self_signed_authority_is_trusted_as_the_servers_own_certificate() {
    let (own, key) = self_signed(&openssl_like(&["127.0.0.1"]));
    let server = acceptor(vec![own.der().clone()], &key);
    assert_eq!(failures(&server, &own.pem()).await, [None, None]);

    // And only itself: one that looks the same is another certificate.
    let (other, _) = self_signed(&openssl_like(&["127.0.0.1"]));
    let refused =
        Some("TLS failure: certificate authority used as a server's certificate".to_owned());
    assert_eq!(
        failures(&server, &other.pem()).await,
        [refused.clone(), refused]
    );
}

#[tokio::test]
async fn what_a_self_signed_authority_signed_is_trusted() {
    let authority = openssl_like(&["the authority"]);
    let (root, root_key) = self_signed(&authority);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::from_params(&authority, &root_key))
        .unwrap();
    for chain in [
        vec![leaf.der().clone()],
        vec![leaf.der().clone(), root.der().clone()],
    ] {
        let server = acceptor(chain, &key);
        assert_eq!(failures(&server, &root.pem()).await, [None, None]);
        // A server's certificate that is trusted itself needs no authority at all.
        assert_eq!(failures(&server, &leaf.pem()).await, [None, None]);
    }
}

#[tokio::test]
async fn a_trusted_certificate_is_still_checked() {
    let dated = |from, to| {
        let mut params = openssl_like(&["127.0.0.1"]);
        params.not_before = from;
        params.not_after = to;
        params
    };
    let cases = [
        (
            dated(date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1)),
            "certificate has expired",
        ),
        (
            dated(date_time_ymd(2399, 1, 1), date_time_ymd(2400, 1, 1)),
            "certificate is not yet valid",
        ),
        (
            openssl_like(&["example.test", "10.0.0.1"]),
            "certificate is not for this host, it is for example.test, 10.0.0.1",
        ),
        (
            openssl_like(&[]),
            "certificate is not for this host: it has no subject alternative name (a common name is not enough)",
        ),
    ];
    for (params, reason) in cases {
        for is_ca in [params.is_ca, IsCa::NoCa] {
            let mut params = params.clone();
            params.is_ca = is_ca;
            let (own, key) = self_signed(&params);
            let server = acceptor(vec![own.der().clone()], &key);
            for failure in failures(&server, &own.pem()).await {
                let failure = failure.unwrap_or_default();
                assert!(failure.starts_with("TLS failure: "), "{failure}");
                assert!(failure.contains(reason), "{failure} is not {reason}");
            }
        }
    }
}

#[test]
fn a_configuration_for_other_connections_names_what_is_wrong() {
    let (own, _) = self_signed(&openssl_like(&["127.0.0.1"]));
    assert!(tls_client_config(&[own.pem().into_bytes()]).is_ok());
    let refused: TlsConfigError = tls_client_config(&[b"no PEM".to_vec()]).unwrap_err();
    assert!(
        refused.to_string().contains("BEGIN CERTIFICATE"),
        "{refused}"
    );
}
