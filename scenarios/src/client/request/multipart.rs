//! Forms with files (`multipart/form-data`, RFC 7578).

use std::io;
use std::path::Path;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderValue;
use tokio::io::AsyncReadExt as _;

/// Largest file that is read for a form, in bytes.
pub const LARGEST_FILE: u64 = 64 << 20;

/// A form of text fields and files, to be sent by
/// [`Request::multipart`](crate::client::Request::multipart). Cheap to clone but for its names: read a
/// file once, in `on_start`, and send a clone each time.
#[derive(Debug, Clone, Default)]
pub struct Multipart {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    /// Everything between the boundary and the content.
    head: String,
    content: Bytes,
}

impl Multipart {
    /// A form without fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text field.
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parts.push(Part {
            head: disposition(name, None),
            content: value.into().into(),
        });
        self
    }

    /// Adds a file with this content. `content_type` is sent as it is, but for control characters; an
    /// empty one is left out.
    pub fn file(
        mut self,
        name: &str,
        file_name: &str,
        content_type: &str,
        content: impl Into<Bytes>,
    ) -> Self {
        let mut head = disposition(name, Some(file_name));
        let content_type: String = content_type.chars().filter(|c| !c.is_control()).collect();
        if !content_type.is_empty() {
            head.push_str("\r\nContent-Type: ");
            head.push_str(&content_type);
        }
        self.parts.push(Part {
            head,
            content: content.into(),
        });
        self
    }

    /// Adds a file that is read here, under its own file name.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is larger than [`LARGEST_FILE`].
    pub async fn file_at(
        self,
        name: &str,
        path: impl AsRef<Path>,
        content_type: &str,
    ) -> io::Result<Self> {
        let path = path.as_ref();
        let about = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("{} cannot be sent: {error}", path.display()),
            )
        };
        let file = tokio::fs::File::open(path).await.map_err(about)?;
        let mut content = Vec::new();
        file.take(LARGEST_FILE + 1)
            .read_to_end(&mut content)
            .await
            .map_err(about)?;
        if content.len() as u64 > LARGEST_FILE {
            return Err(about(io::Error::other(format!(
                "it is larger than {LARGEST_FILE} bytes"
            ))));
        }
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(self.file(name, &file_name, content_type, content))
    }

    /// The content type with its boundary, and the body.
    pub(in crate::client) fn encode(&self) -> (HeaderValue, Bytes) {
        // 128 random bits are in no content but by intent.
        let boundary = format!("{:032x}", rand::random::<u128>());
        let around = |part: &Part| part.head.len() + part.content.len() + boundary.len() + 8;
        let length: usize = self.parts.iter().map(around).sum();
        let mut body = BytesMut::with_capacity(length + boundary.len() + 6);
        for part in &self.parts {
            for text in ["--", &boundary, "\r\n", &part.head, "\r\n\r\n"] {
                body.put_slice(text.as_bytes());
            }
            body.put_slice(&part.content);
            body.put_slice(b"\r\n");
        }
        for text in ["--", &boundary, "--\r\n"] {
            body.put_slice(text.as_bytes());
        }
        let content_type =
            HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
                .expect("hexadecimal digits are valid in a header");
        (content_type, body.freeze())
    }
}

fn disposition(name: &str, file_name: Option<&str>) -> String {
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(name));
    if let Some(file_name) = file_name {
        head.push_str(&format!("; filename=\"{}\"", escaped(file_name)));
    }
    head
}

/// As browsers and python-requests write names (HTML, "multipart/form-data encoding").
fn escaped(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
