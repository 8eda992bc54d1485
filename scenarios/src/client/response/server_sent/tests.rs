//! The parser of server-sent events against the standard's own examples and a plain model of its rules.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Feeds the stream in these pieces.
fn parse<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<ServerSentEvent> {
    let (mut parser, mut bytes, mut events) = (Parser::default(), BytesMut::new(), Vec::new());
    for piece in pieces {
        let seen = bytes.len();
        bytes.extend_from_slice(piece);
        let mut seen = seen;
        while let Some(event) = parser.next(&mut bytes, seen).unwrap() {
            events.push(event);
            seen = 0;
        }
    }
    events
}

/// The rules as the standard has them, read at leisure: the whole stream is there, decoded, and its line ends are
/// made one.
fn model(stream: &[u8]) -> Vec<ServerSentEvent> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut event_type, mut data, mut id) = (String::new(), String::new(), String::new());
    let (mut retry, mut events) = (None, Vec::new());
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What follows the last line end is not a line.
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if data.is_empty() {
                event_type.clear();
                continue;
            }
            if data.ends_with('\n') {
                data.pop();
            }
            let event = match event_type.as_str() {
                "" => "message",
                other => other,
            };
            events.push(ServerSentEvent {
                event: event.to_owned(),
                data: data.clone(),
                id: id.clone(),
                retry,
            });
            data.clear();
            event_type.clear();
        } else if line.starts_with(':') {
            continue;
        } else {
            let (field, value) = match line.find(':') {
                Some(colon) => {
                    let value = &line[colon + 1..];
                    (&line[..colon], value.strip_prefix(' ').unwrap_or(value))
                }
                None => (line, ""),
            };
            if field == "event" {
                event_type = value.to_owned();
            } else if field == "data" {
                data += value;
                data += "\n";
            } else if field == "id" && !value.contains('\0') {
                id = value.to_owned();
            } else if field == "retry"
                && !value.is_empty()
                && value.chars().all(|digit| digit.is_ascii_digit())
            {
                retry = value.parse().ok().map(Duration::from_millis);
            }
        }
    }
    events
}

fn event(event: &str, data: &str, id: &str) -> ServerSentEvent {
    ServerSentEvent {
        event: event.to_owned(),
        data: data.to_owned(),
        id: id.to_owned(),
        retry: None,
    }
}

#[test]
fn the_examples_of_the_standard() {
    for (stream, events) in [
        (
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            vec![event("message", "YHOO\n+2\n10", "")],
        ),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            vec![
                event("message", "first event", "1"),
                event("message", "second event", ""),
                event("message", " third event", ""),
            ],
        ),
        (
            "data\n\ndata\ndata\n\ndata:",
            vec![event("message", "", ""), event("message", "\n", "")],
        ),
        (
            "data:test\n\ndata: test\n\n",
            vec![event("message", "test", ""), event("message", "test", "")],
        ),
        (
            "event: add\r\ndata: 7\r\n\r\nevent: remove\r\n\r\ndata: x\r\rdata: cut off",
            vec![event("add", "7", ""), event("message", "x", "")],
        ),
        (
            "\u{feff}data: marked\n\n\u{feff}data: not a field\n\nid: a\0b\ndata: y\n\n",
            vec![event("message", "marked", ""), event("message", "y", "")],
        ),
    ] {
        assert_eq!(parse([stream.as_bytes()]), events, "{stream:?}");
        assert_eq!(model(stream.as_bytes()), events, "the model: {stream:?}");
    }
    let [first, kept] =
        &parse([b"retry: 2500\nretry: soon\ndata: a\n\ndata: b\n\n".as_slice()])[..]
    else {
        panic!("two events");
    };
    let waits = Some(Duration::from_millis(2_500));
    assert_eq!((first.retry(), kept.retry()), (waits, waits));
}

#[test]
fn an_event_is_there_with_the_return_that_ends_it() {
    assert_eq!(parse([b"data: x\r\r".as_slice()]).len(), 1);
    let halves = [b"data: x\r\n\r".as_slice(), b"\ndata: y\r\n\r\n"];
    assert_eq!(
        parse(halves),
        [event("message", "x", ""), event("message", "y", "")]
    );
}

#[test]
fn the_data_of_an_event_is_bounded() {
    let (mut parser, mut bytes) = (Parser::default(), BytesMut::new());
    let line = format!("data: {}\n", "x".repeat(1 << 20));
    for _ in 0..LARGEST_EVENT >> 20 {
        bytes.extend_from_slice(line.as_bytes());
        if parser.next(&mut bytes, 0).is_err() {
            return;
        }
        assert!(parser.data.len() <= LARGEST_EVENT);
    }
    panic!("{} bytes were kept", parser.data.len());
}

/// Pieces that streams of events are made of, in every order.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop_oneof![
            Just("data"), Just("event"), Just("id"), Just("retry"), Just(""), Just("other"), Just("Data"),
        ].prop_map(|field| field.as_bytes().to_vec()),
        8 => prop_oneof![Just(":"), Just(": "), Just(":  ")].prop_map(|colon| colon.as_bytes().to_vec()),
        8 => prop_oneof![Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n")]
            .prop_map(|end| end.as_bytes().to_vec()),
        4 => prop_oneof![Just("x"), Just("12"), Just("\0"), Just("ü€"), Just("\u{feff}"), Just("99999999999999999999")]
            .prop_map(|value| value.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces_gives_what_the_model_gives(
        pieces in vec(piece(), 0..60),
        cuts in vec(1_usize..9, 1..40),
    ) {
        let stream = pieces.concat();
        let (mut rest, mut fed) = (stream.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            fed.push(piece);
            rest = after;
        }
        prop_assert_eq!(parse(fed), model(&stream));
    }
}
