//! Data as it stands in the page: compressed by gzip, whose checksum tells a damaged file, as base64.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::web::error::WebError;

/// A document.
///
/// # Errors
/// It cannot be written.
pub(super) async fn document(document: &impl Serialize) -> Result<String, WebError> {
    let json = serde_json::to_vec(document);
    let json = json.map_err(|error| WebError::internal("writing a file", &error))?;
    packed(move || json).await
}

/// The bytes that the function gives, off the async threads: there are some millions of them.
///
/// # Errors
/// The process ends.
pub(super) async fn packed(
    bytes: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Result<String, WebError> {
    let pack = move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes())?;
        Ok::<_, std::io::Error>(STANDARD.encode(encoder.finish()?))
    };
    let packed = tokio::task::spawn_blocking(pack).await;
    let packed = packed.map_err(|error| WebError::internal("compressing a file", &error))?;
    packed.map_err(|error| WebError::internal("compressing a file", &error))
}
