//! Heads as almost all servers write them: what decides about an answer is found without a map of its headers.

use super::framing::Framing;
use super::head::Lines;
use crate::client::transport::answer_headers::Noted;

/// Most lines of a head that is read here.
const MOST_LINES: usize = 64;
/// Most digits of a length that is read here: so many always fit.
const MOST_DIGITS: usize = 18;

/// What a head says about its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlainHead {
    /// Where a body ends, if the answer has one.
    pub(super) framing: Framing,
    /// What `Connection` says: whether to keep it.
    pub(super) keeps: Option<bool>,
    pub(super) noted: Noted,
}

impl PlainHead {
    /// Reads the lines after the status line. `None` for a head with anything out of the ordinary in what decides: that
    /// is for a careful reader, who must come to the same for all others.
    pub(super) fn read(lines: Lines<'_>) -> Option<Self> {
        let bytes = lines.bytes();
        let (mut length, mut is_chunked, mut keeps) = (None, false, None);
        let mut noted = Noted::default();
        for (number, (start, end)) in lines.enumerate() {
            let line = &bytes[start..end];
            if number == MOST_LINES {
                return None;
            }
            match line[0] {
                // A folded line.
                b' ' | b'\t' => return None,
                b'C' | b'c' => {
                    if let Some(value) = value_of(line, b"content-length")? {
                        if length.replace(parse_length(value)?).is_some() {
                            return None;
                        }
                    } else if let Some(value) = value_of(line, b"connection")? {
                        if keeps.replace(parse_connection(value)?).is_some() {
                            return None;
                        }
                    } else if let Some(value) = value_of(line, b"content-encoding")? {
                        noted.encoding |= is_valid(value)?;
                    }
                }
                b'T' | b't' => {
                    if let Some(value) = value_of(line, b"transfer-encoding")? {
                        if is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                            return None;
                        }
                        is_chunked = true;
                    }
                }
                b'S' | b's' => {
                    if let Some(value) = value_of(line, b"set-cookie")? {
                        noted.cookies |= is_valid(value)?;
                    }
                }
                b'L' | b'l' => {
                    if let Some(value) = value_of(line, b"location")? {
                        noted.location |= is_valid(value)?;
                    }
                }
                _ => {}
            }
        }
        let framing = if is_chunked {
            Framing::Chunked
        } else {
            length.map_or(Framing::UntilClose, Framing::Length)
        };
        Some(Self {
            framing,
            keeps,
            noted,
        })
    }
}

/// The value of the header `name` (in lower case), if the line has it: `Some(None)` if not, `None` if it is not written
/// as usual.
fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<Option<&'l [u8]>> {
    let Some((start, rest)) = line.split_at_checked(name.len()) else {
        return Some(None);
    };
    if !start.eq_ignore_ascii_case(name) {
        return Some(None);
    }
    match rest {
        [b':', value @ ..] => Some(Some(value.trim_ascii())),
        [byte, ..] if byte.is_ascii_whitespace() => None,
        _ => Some(None),
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > MOST_DIGITS {
        return None;
    }
    value.iter().try_fold(0, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(length * 10 + digit)
    })
}

fn parse_connection(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(true)
    } else if value.eq_ignore_ascii_case(b"close") {
        Some(false)
    } else {
        None
    }
}

/// Whether it is valid in a header; always, if it is.
fn is_valid(value: &[u8]) -> Option<bool> {
    let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    (!value.iter().any(is_control)).then_some(true)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;
    use proptest::prelude::*;

    use super::super::head::Head;
    use super::*;
    use crate::client::transport::answer_headers::AnswerHeaders;

    fn line() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            4 => prop::sample::select(vec![
                "Content-Length", "content-length", "Connection", "Transfer-Encoding", "Content-Encoding", "Set-Cookie",
                "Location", "Server", "Connection-Id", "content-type",
            ]).prop_map(str::to_owned),
            1 => "[ -~\t]{0,4}",
        ];
        let value = prop_oneof![
            prop::sample::select(vec![
                "5",
                "05",
                "+5",
                "5, 5",
                "1234567890123456789012",
                "chunked",
                "Chunked",
                "gzip, chunked",
                "close",
                "Close",
                "keep-alive",
                "Keep-Alive, x",
                "",
                "a\u{1}b",
                "text",
            ])
            .prop_map(str::to_owned),
            "[ -~\t]{0,6}",
        ];
        (name, "[ \t]{0,1}:?[ \t]{0,1}", value, "\r?\n")
            .prop_map(|(name, colon, value, end)| format!("{name}{colon}{value}{end}"))
    }

    fn written_as_usual() -> impl Strategy<Value = String> {
        let pair = prop::sample::select(vec![
            "Content-Length: 5",
            "content-length:7",
            "Connection: keep-alive",
            "connection: Close",
            "Transfer-Encoding: chunked",
            "Content-Encoding: gzip",
            "Set-Cookie: a=b",
            "set-cookie: c=d",
            "Location: /next",
            "Server: nginx",
            "Date: today",
            "Content-Type: text/plain",
        ]);
        pair.prop_map(|pair| format!("{pair}\r\n"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// The careful reader comes to the same.
        #[test]
        fn it_says_what_a_map_says(
            protocol in prop::sample::select(vec!["HTTP/1.1", "HTTP/1.0"]),
            status in prop::sample::select(vec![200u16, 204, 302, 304, 101]),
            lines in prop::collection::vec(prop_oneof![line(), written_as_usual()], 0..6),
            method in prop::sample::select(vec![Method::GET, Method::HEAD]),
        ) {
            let bytes = Bytes::from(format!("{protocol} {status} X\r\n{}\r\n", lines.concat()));
            let Ok(quick) = Head::parse(&bytes) else {
                return Ok(());
            };
            if !quick.is_plain() {
                return Ok(());
            }
            let careful = Head::parse_carefully(&bytes).unwrap();
            let framing = |head: &Head| head.framing(&method).ok();
            prop_assert_eq!(framing(&quick), framing(&careful));
            prop_assert_eq!(quick.keeps_connection(), careful.keeps_connection());
            let noted = AnswerHeaders::from(careful.headers.map().clone()).noted();
            prop_assert_eq!(quick.headers.noted(), noted);
            prop_assert_eq!(quick.headers.map(), careful.headers.map());
        }
    }

    #[test]
    fn usual_heads_are_plain() {
        for lines in [
            "Server: nginx\r\nDate: today\r\nContent-Type: text/plain\r\nContent-Length: 100\r\nConnection: keep-alive\r\n",
            "content-type: text/html\r\ntransfer-encoding: chunked\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n",
            "Location: /next\r\nContent-Length: 0\r\nConnection: close\r\n",
        ] {
            let head = Bytes::from(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
            assert!(Head::parse(&head).unwrap().is_plain(), "{lines}");
        }
        let many = "X: y\r\n".repeat(MOST_LINES + 1);
        let head = Bytes::from(format!("HTTP/1.1 200 OK\r\n{many}\r\n"));
        assert!(!Head::parse(&head).unwrap().is_plain());
    }
}
