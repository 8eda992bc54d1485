//! TLS: one configuration for all users of the process.
//!
//! Building one loads the system's root certificates (milliseconds, and some 100 kB each), so
//! there is one per choice of versions and way of checking, made when it is first needed.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::connect::ALPN_HTTP_2;
use crate::client::failure::is_authority;
use crate::client::kind::HttpVersion;

/// What a user type says about TLS beside whether certificates are checked.
#[derive(Debug, Default, Clone)]
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

    /// Why nothing can be encrypted with them.
    pub(in crate::client) fn problem(
        &self,
        version: HttpVersion,
        accept_invalid: bool,
    ) -> Option<TlsConfigError> {
        if self.is_empty() {
            return None;
        }
        build(version, accept_invalid, self).err()
    }
}

/// The process's configuration for versions of HTTP; with `accept_invalid` certificates go unchecked. A user
/// type with certificates of its own gets a configuration of its own.
pub(crate) fn config(
    version: HttpVersion,
    accept_invalid: bool,
    extras: &TlsExtras,
) -> Result<Arc<ClientConfig>, TlsConfigError> {
    static CONFIGS: [OnceLock<Result<Arc<ClientConfig>, TlsConfigError>>; 6] =
        [const { OnceLock::new() }; 6];
    if !extras.is_empty() {
        return build(version, accept_invalid, extras).map(Arc::new);
    }
    let of_version = match version {
        HttpVersion::Auto => 0,
        HttpVersion::Http1 => 1,
        HttpVersion::Http2 => 2,
    };
    let slot = of_version * 2 + usize::from(accept_invalid);
    CONFIGS[slot]
        .get_or_init(|| build(version, accept_invalid, extras).map(Arc::new))
        .clone()
}

fn build(
    version: HttpVersion,
    accept_invalid: bool,
    extras: &TlsExtras,
) -> Result<ClientConfig, TlsConfigError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsConfigError::SetUp(error.to_string()))?;
    let verifier = if accept_invalid {
        Checked::not_at_all(provider)
    } else {
        Checked::trusting(authorities(&extras.authorities)?, provider)?
    };
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &extras.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "the client certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| TlsConfigError::NotAKey(error.to_string()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                TlsConfigError::NotUsable {
                    what: "the client certificate",
                    reason: error.to_string(),
                }
            })?
        }
    };
    let (http_1, http_2) = (b"http/1.1".to_vec(), ALPN_HTTP_2.to_vec());
    config.alpn_protocols = match version {
        HttpVersion::Auto => vec![http_2, http_1],
        HttpVersion::Http1 => vec![http_1],
        HttpVersion::Http2 => vec![http_2],
    };
    Ok(config)
}

/// A configuration for connections to a coordinator or any other server: trusts the system's authorities and
/// the certificates in these PEM texts, each as an authority and as a server's own certificate (a self-signed
/// one, for example). Offers no application protocol.
///
/// # Errors
///
/// When a text has no certificate in it that can be used.
pub fn tls_client_config(authorities_pem: &[Vec<u8>]) -> Result<ClientConfig, TlsConfigError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Checked::trusting(authorities(authorities_pem)?, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsConfigError::SetUp(error.to_string()))?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Why certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A text is not PEM.
    #[error("{what} is not valid PEM: {reason}")]
    NotPem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A text has no certificate.
    #[error("{what} contains no certificate: use the text of a PEM file with BEGIN CERTIFICATE")]
    NoCertificate {
        /// Which text.
        what: &'static str,
    },
    /// The private key cannot be read.
    #[error("the client certificate's key is not a private key in PEM: {0}")]
    NotAKey(String),
    /// What was read cannot be used.
    #[error("{what} cannot be used: {reason}")]
    NotUsable {
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    SetUp(String),
}

fn authorities(texts: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let mut all = Vec::new();
    for pem in texts {
        all.extend(certificates(pem, "the additional root certificate")?);
    }
    Ok(all)
}

/// The certificates of a PEM text, at least one.
fn certificates(
    pem: &[u8],
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsConfigError::NotPem {
            what,
            reason: error.to_string(),
        })?;
    if all.is_empty() {
        return Err(TlsConfigError::NoCertificate { what });
    }
    Ok(all)
}

/// How certificates of servers are checked. Signatures are checked against them in any case.
#[derive(Debug)]
struct Checked {
    /// Nothing where every certificate is accepted.
    trusting: Option<Trusting>,
    provider: Arc<CryptoProvider>,
}

/// Checks certificates as usual, and accepts one that is itself among the trusted ones: it needs no issuer, and
/// may be marked as an authority, as `openssl req -x509` marks those it makes.
#[derive(Debug)]
struct Trusting {
    /// An error where the system has no authorities, as in small images: connections without TLS need none.
    usual: Result<Verifier, rustls::Error>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Checked {
    fn trusting(
        trusted: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsConfigError> {
        let roots = trusted.iter().cloned();
        let usual = Verifier::new_with_extra_roots(roots, Arc::clone(&provider));
        if let Err(error) = &usual
            && !trusted.is_empty()
        {
            return Err(TlsConfigError::NotUsable {
                what: "the root certificates",
                reason: error.to_string(),
            });
        }
        Ok(Self {
            trusting: Some(Trusting { usual, trusted }),
            provider,
        })
    }

    fn not_at_all(provider: Arc<CryptoProvider>) -> Self {
        Self {
            trusting: None,
            provider,
        }
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Trusting { usual, trusted }) = &self.trusting else {
            return Ok(ServerCertVerified::assertion());
        };
        let usual = usual.as_ref().map_err(Clone::clone)?;
        let usual = usual.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        match &usual {
            Err(rustls::Error::InvalidCertificate(reason))
                if trusted.iter().any(|one| one == end_entity) && lacks_only_issuer(reason) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Whether a certificate was refused for its issuer or for being an authority. Both are looked at after its dates,
/// so they are right; its names are looked at last, so they are still to be checked.
fn lacks_only_issuer(reason: &CertificateError) -> bool {
    *reason == CertificateError::UnknownIssuer || is_authority(reason)
}
