//! TLS of the coordinator's port: certificate and key, which can be read anew while it serves, and handshakes.

mod certificate;
mod handshake;

pub use certificate::{Tls, TlsError, TlsFiles};
pub(super) use handshake::shake_hands;
