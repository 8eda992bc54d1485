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
pub(super) fn document(document: &impl Serialize) -> Result<String, WebError> {
    let json = serde_json::to_vec(document);
    in_page(&json.map_err(|error| WebError::internal("writing a file", &error))?)
}

/// Bytes. There may be some millions of them, which is not for async threads.
///
/// # Errors
/// They cannot be written.
pub(super) fn in_page(bytes: &[u8]) -> Result<String, WebError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let packed = written.map_err(|error| WebError::internal("compressing a file", &error))?;
    Ok(STANDARD.encode(packed))
}

/// Does what packs data off the async threads.
///
/// # Errors
/// It fails, or the process ends.
pub(super) async fn off_async<T: Send + 'static>(
    pack: impl FnOnce() -> Result<T, WebError> + Send + 'static,
) -> Result<T, WebError> {
    let packed = tokio::task::spawn_blocking(pack).await;
    packed.map_err(|error| WebError::internal("compressing a file", &error))?
}
