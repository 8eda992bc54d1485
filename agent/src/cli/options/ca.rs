//! `--ca`: certificates to trust when speaking to a coordinator by https.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use greylag_infra::MAX_CERTIFICATE_BYTES;
use greylag_scenarios::tls_client_config;
use rustls::ClientConfig;

use crate::cli::failure::Failure;

/// The option, for every subcommand that speaks to a coordinator.
#[derive(Debug, Args)]
pub(crate) struct CaOption {
    /// Certificates (PEM) to trust in addition to the system's when the coordinator's address is https: of a private
    /// authority, or self-signed.
    #[arg(long, env = "GREYLAG_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// The TLS configuration that trusts the certificates in this file of `option` beside the system's authorities, each
/// as an authority and as a server's own certificate.
///
/// # Errors
/// The file cannot be read, or has no certificate.
pub(crate) fn trusting(option: &str, file: &Path) -> Result<ClientConfig, Failure> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Failure::bad_input(format!("the file {} of {option} {reason}", file.display()))
    };
    let cannot_read = |error: std::io::Error| wrong(&format_args!("cannot be read: {error}"));
    let mut pem = Vec::new();
    // What a pipe holds has no length that could be asked for.
    let mut bounded = File::open(file)
        .map_err(cannot_read)?
        .take(MAX_CERTIFICATE_BYTES as u64 + 1);
    bounded.read_to_end(&mut pem).map_err(cannot_read)?;
    if pem.len() > MAX_CERTIFICATE_BYTES {
        return Err(wrong(&format_args!(
            "is larger than {MAX_CERTIFICATE_BYTES} bytes"
        )));
    }
    tls_client_config(&[pem]).map_err(|error| wrong(&format_args!("cannot be used: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_trusted_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let refused = || format!("{:?}", trusting("--ca", &file).unwrap_err());
        assert!(refused().contains("ca.pem") && refused().contains("cannot be read"));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(refused().contains("no certificate"), "{}", refused());
        let long = trusting("--ca", Path::new("/dev/zero")).unwrap_err();
        assert!(format!("{long:?}").contains("is larger than"), "{long:?}");
    }
}
