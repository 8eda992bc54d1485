//! TLS: one configuration for all users of the process.
//!
//! Building one loads the system's root certificates (milliseconds, and some 100 kB each), so
//! there is one per transport and way of checking, made when it is first needed.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::ClientKind;

/// What a user type says about TLS beside whether certificates are checked.
#[derive(Debug, Default)]
pub(crate) struct TlsExtras {
    /// A certificate chain and its private key in PEM, to show to servers that ask for one.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Certificates in PEM of authorities to trust beside the system's.
    pub(crate) authorities: Vec<Vec<u8>>,
}

impl TlsExtras {
    fn is_empty(&self) -> bool {
        self.identity.is_none() && self.authorities.is_empty()
    }

    /// Why nothing can be encrypted with them, in one sentence.
    pub(super) fn problem(&self, kind: ClientKind, accept_invalid: bool) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        build(kind, accept_invalid, self).err()
    }
}

/// The process's configuration for a transport; with `accept_invalid` certificates go unchecked. A user
/// type with certificates of its own gets a configuration of its own.
pub(crate) fn config(
    kind: ClientKind,
    accept_invalid: bool,
    extras: &TlsExtras,
) -> Result<Arc<ClientConfig>, String> {
    static CONFIGS: [OnceLock<Result<Arc<ClientConfig>, String>>; 4] =
        [const { OnceLock::new() }; 4];
    if !extras.is_empty() {
        return build(kind, accept_invalid, extras).map(Arc::new);
    }
    let slot = usize::from(kind == ClientKind::Full) * 2 + usize::from(accept_invalid);
    CONFIGS[slot]
        .get_or_init(|| build(kind, accept_invalid, extras).map(Arc::new))
        .clone()
}

fn build(
    kind: ClientKind,
    accept_invalid: bool,
    extras: &TlsExtras,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let verifier: Arc<dyn ServerCertVerifier> = if accept_invalid {
        Arc::new(AcceptAny(provider))
    } else {
        let verifier = Verifier::new_with_extra_roots(authorities(extras)?, provider)
            .map_err(|error| format!("the root certificates cannot be used: {error}"))?;
        Arc::new(verifier)
    };
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &extras.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "the client certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
                format!("the client certificate's key is no private key in PEM: {error}")
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate cannot be used: {error}"))?
        }
    };
    config.alpn_protocols = match kind {
        ClientKind::Fast => vec![b"http/1.1".to_vec()],
        ClientKind::Full => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn authorities(extras: &TlsExtras) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut all = Vec::new();
    for pem in &extras.authorities {
        all.extend(certificates(pem, "the additional root certificate")?);
    }
    Ok(all)
}

/// The certificates of a PEM text, at least one.
fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what} is not valid PEM: {error}"))?;
    if all.is_empty() {
        return Err(format!(
            "{what} has no certificate in it: give the text of a PEM file with BEGIN CERTIFICATE"
        ));
    }
    Ok(all)
}

/// Accepts every certificate; signatures are still checked against it.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
