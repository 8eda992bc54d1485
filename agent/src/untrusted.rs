//! What to do about a connection that cannot be encrypted.

use std::error::Error;
use std::io;

use rustls::{CertificateError, InvalidMessage};

/// What is wrong with a server's certificate, or with its address, and how to mend it, if that is why something failed.
pub(crate) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let cause = match tls_error(error)? {
        rustls::Error::InvalidCertificate(cause) => cause,
        // What it sent is not a record of TLS.
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return Some(
                "it does not speak HTTPS on this port; use an address that begins with http://"
                    .to_owned(),
            );
        }
        _ => return None,
    };
    Some(match cause {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name ({cause}); use an address that it names")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired ({cause}); renew it")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet ({cause}); check both clocks")
        }
        _ => format!(
            "its certificate is not trusted ({cause}); if it is of a private authority or self-signed, name the file with --ca FILE"
        ),
    })
}

/// The error of TLS among the causes of an error. An I/O error does not list what it wraps among them.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cure_fits_the_certificate() {
        let wrapped = |cause| {
            let tls = rustls::Error::InvalidCertificate(cause);
            io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls))
        };
        for (cause, says) in [
            (CertificateError::UnknownIssuer, "--ca FILE"),
            (CertificateError::Expired, "renew it"),
            (CertificateError::NotValidForName, "another name"),
        ] {
            let message = untrusted(&wrapped(cause)).unwrap();
            assert!(message.contains(says), "{message}");
        }
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        let message = untrusted(&io::Error::other(plain)).unwrap();
        assert!(message.contains("begins with http://"), "{message}");
        assert_eq!(untrusted(&io::Error::other("reset")), None);
        assert_eq!(untrusted(&rustls::Error::DecryptError), None);
    }
}
