//! Messages as frames: how they are encoded, and how large they may be.

use serde::{Deserialize, Serialize};

use super::PROTOCOL_VERSION;

/// Largest message either side accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// Largest WebSocket frame that the coordinator accepts, in bytes: agents send longer messages in several, because a
/// connection keeps memory for its largest frame as long as it lasts.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Largest hello, in bytes.
pub const MAX_HELLO_BYTES: usize = MAX_FRAME_BYTES;

/// Why a message is not understood. The connection it came on is closed; others are not affected.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Larger than [`MAX_MESSAGE_BYTES`].
    #[error("the message has {0} bytes; the maximum is {MAX_MESSAGE_BYTES}")]
    TooLarge(usize),
    /// No valid message.
    #[error("the frame is not a message of protocol version {PROTOCOL_VERSION}: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
}

/// Encodes a message as a frame.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect(
        "messages hold only maps with string keys, sequences and scalars, which always encode",
    )
}

/// Whether a frame is a snapshot, as [`encode`] begins it, so that whoever receives it need not read it to know.
pub fn is_snapshot(frame: &[u8]) -> bool {
    // A map of one entry, whose key is a text of 8 bytes.
    frame.starts_with(b"\x81\xa8Snapshot")
}

/// Decodes a message.
///
/// # Errors
/// See [`FrameError`].
pub fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, FrameError> {
    if frame.len() > MAX_MESSAGE_BYTES {
        return Err(FrameError::TooLarge(frame.len()));
    }
    Ok(rmp_serde::from_slice(frame)?)
}
