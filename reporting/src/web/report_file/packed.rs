//! Data as it stands in the page: compressed by gzip, whose checksum tells a damaged file, as base64.

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
pub(super) fn json(document: &impl Serialize) -> Result<String, WebError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut encoder, document)
        .map_err(|error| WebError::internal("writing a file", &error))?;
    let compressed = encoder.finish();
    Ok(STANDARD.encode(compressed.expect("writing to memory cannot fail")))
}
