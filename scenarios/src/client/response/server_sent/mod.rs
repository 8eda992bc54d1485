//! Server-sent events, read from a body's bytes by the rules of the WHATWG's HTML standard (9.2.5 and 9.2.6).

use std::time::Duration;

use bytes::{Buf as _, BytesMut};

/// Largest data of one event, in bytes. A larger one ends the stream with an error.
pub const LARGEST_EVENT: usize = 16 << 20;
/// What a line of data begins with.
pub(super) const DATA_FIELD: &str = "data: ";
/// The bytes that may stand at the start of UTF-8 and do not belong to it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A server-sent event: [`StreamedResponse::event`](crate::client::StreamedResponse::event).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSentEvent {
    pub(in crate::client) event: String,
    pub(in crate::client) data: String,
    pub(in crate::client) id: String,
    pub(in crate::client) retry: Option<Duration>,
}

impl ServerSentEvent {
    /// Its type: what the server wrote as `event:`, else `message`.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Its data; several `data:` lines are joined by line feeds.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The last `id:` that the stream had until here, empty before the first.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How long the stream asks clients to wait before they connect again (`retry:`), if it said so until here.
    /// Nothing is connected again by itself.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }
}

/// The data of an event was larger than [`LARGEST_EVENT`].
#[derive(Debug)]
pub(in crate::client) struct TooLarge;

/// What was read of a stream of events.
#[derive(Debug, Default)]
pub(in crate::client) struct Parser {
    /// Whether the first bytes of the stream have been looked at.
    begun: bool,
    /// Whether the last line ended with a carriage return, to which a line feed may belong.
    after_return: bool,
    event: String,
    data: String,
    id: String,
    retry: Option<Duration>,
}

impl Parser {
    /// Takes lines from `bytes` until one ends an event. `None`: more bytes are needed, and `bytes` holds the
    /// start of a line. The first `seen` bytes are known to hold no end of a line.
    pub(in crate::client) fn next(
        &mut self,
        bytes: &mut BytesMut,
        mut seen: usize,
    ) -> Result<Option<ServerSentEvent>, TooLarge> {
        if !self.begun {
            if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) {
                return Ok(None);
            }
            self.begun = true;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.advance(BYTE_ORDER_MARK.len());
                seen = 0;
            }
        }
        loop {
            if self.after_return && !bytes.is_empty() {
                self.after_return = false;
                if bytes[0] == b'\n' {
                    bytes.advance(1);
                    seen = 0;
                }
            }
            let unseen = bytes.get(seen..).unwrap_or_default();
            let Some(end) = unseen.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return Ok(None);
            };
            let line = bytes.split_to(seen + end + 1);
            seen = 0;
            self.after_return = line.ends_with(b"\r");
            if let Some(event) = self.line(&String::from_utf8_lossy(&line[..line.len() - 1]))? {
                return Ok(Some(event));
            }
        }
    }

    /// A line without its end.
    fn line(&mut self, line: &str) -> Result<Option<ServerSentEvent>, TooLarge> {
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.data.len() + value.len() > LARGEST_EVENT {
                    return Err(TooLarge);
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number beyond all waiting is taken for none.
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            // A comment (its field is empty) or a field that means nothing.
            _ => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<ServerSentEvent> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // Without any data there is no event; each line of it ended with a line feed.
        data.pop()?;
        Some(ServerSentEvent {
            event: if event.is_empty() {
                "message".to_owned()
            } else {
                event
            },
            data,
            id: self.id.clone(),
            retry: self.retry,
        })
    }
}

#[cfg(test)]
mod tests;
