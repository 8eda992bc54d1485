//! Certificate and key of the server.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use greylag_infra::MAX_CERTIFICATE_BYTES;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// All that is spoken inside: WebSockets and browsers need no more here.
const PROTOCOL: &[u8] = b"http/1.1";

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate's chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. Each is a message for whoever named the files.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TlsError {
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is larger than {MAX_CERTIFICATE_BYTES} bytes", .path.display())]
    TooLarge { path: PathBuf },
    #[error("{} has no certificate in it; it must be PEM (`-----BEGIN CERTIFICATE-----`)", .path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} has no private key in it; it must be PEM without a password (`-----BEGIN PRIVATE KEY-----`)", .path.display())]
    NoKey { path: PathBuf },
    #[error("the certificate in {} and the key in {} cannot be used together: {source}", .files.certificate.display(), .files.key.display())]
    Unusable {
        files: TlsFiles,
        source: rustls::Error,
    },
}

/// The certificate that connections are served with. Clones are the same.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Mutex<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(Mutex::new(Arc::new(read(&files)?)));
        Ok(Self { files, current })
    }

    /// Reads them again. Connections that are there go on with what they have; new ones get the new certificate, or the
    /// old one if the new one cannot be used.
    ///
    /// # Errors
    /// See [`TlsError`]; nothing has changed.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(read(&self.files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What a new connection is served with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.lock();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let unusable = |source| TlsError::Unusable {
        files: files.clone(),
        source,
    };
    let chain = CertificateDer::pem_slice_iter(&read_file(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        let path = files.certificate.clone();
        return Err(TlsError::NoCertificate { path });
    }
    warn_if_open(&files.key);
    let key = PrivateKeyDer::from_pem_slice(&read_file(&files.key)?);
    let key = key.map_err(|_| TlsError::NoKey {
        path: files.key.clone(),
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_CERTIFICATE_BYTES as u64 {
        let path = path.to_owned();
        return Err(TlsError::TooLarge { path });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Says that others can read a key, who could then pass for the coordinator.
fn warn_if_open(key: &Path) {
    let mode = std::fs::metadata(key).map(|known| known.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o007 != 0) {
        tracing::warn!(
            key = %key.display(),
            "everyone on this machine may read the private key; `chmod o= FILE` takes that away"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes a self-signed certificate and its key, and returns the certificate.
    fn write(files: &TlsFiles) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    }

    #[test]
    fn a_bad_new_certificate_keeps_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let missing = Tls::load(files.clone()).unwrap_err().to_string();
        assert!(missing.contains("cert.pem cannot be read"), "{missing}");
        write(&files);
        let tls = Tls::load(files.clone()).unwrap();
        let first = tls.config();

        let key = fs::read(&files.key).unwrap();
        for (name, content, says) in [
            ("cert.pem", "nonsense".as_bytes(), "has no certificate"),
            ("key.pem", b"nonsense", "has no private key"),
        ] {
            write(&files);
            fs::write(directory.path().join(name), content).unwrap();
            let error = tls.reload().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        write(&files);
        fs::write(&files.key, key).unwrap();
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains("cannot be used together"), "{error}");
        assert!(Arc::ptr_eq(&first, &tls.config()), "the old one stays");

        write(&files);
        tls.reload().unwrap();
        assert!(!Arc::ptr_eq(&first, &tls.config()));
    }
}
