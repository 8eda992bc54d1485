//! Server-sent events as they go over the wire: encoded once, whoever and however many they are for.

use axum::body::Bytes;
use serde::Serialize;

use crate::web::error::WebError;

/// An event of this name with a value as JSON.
///
/// # Errors
/// The value cannot be written as JSON.
pub(super) fn frame(name: &str, value: &impl Serialize) -> Result<Bytes, WebError> {
    // JSON has no line breaks, which would end the data.
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    serde_json::to_writer(&mut text, value)
        .map_err(|error| WebError::internal("writing a live update", &error))?;
    text.extend_from_slice(b"\n\n");
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_two_lines_whatever_is_in_it() {
        let frame = frame("run", &"a\nb\r\n\nc").expect("a frame");
        assert_eq!(&frame[..], b"event: run\ndata: \"a\\nb\\r\\n\\nc\"\n\n");
    }
}
