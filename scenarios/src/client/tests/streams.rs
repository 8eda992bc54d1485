//! Responses that are read while they come.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::client::{CaughtStreamedResponse, LARGEST_EVENT, LONGEST_LINE, StreamedResponse};
use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

#[test]
fn streams_can_be_read_by_tasks_that_move_between_threads() {
    fn moves(_: impl Send) {}
    let _read = |mut caught: CaughtStreamedResponse, mut plain: StreamedResponse| {
        moves(caught.line());
        moves(plain.chunk());
        moves((caught, plain));
    };
}

#[tokio::test]
async fn the_sample_ends_with_the_head() {
    for kind in BOTH {
        // The body never comes whole.
        let server = Server::start(|_: &Seen| {
            Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\none\ntw".to_vec())
        })
        .await;
        // The same limit is for the head, which a busy machine may not have by the first of them.
        let mut begun = None;
        for limit in [200, 2_000, 20_000].map(Duration::from_millis) {
            let (mut client, memory) = client(kind, &server.url);
            let sent = client.get("/").timeout(limit).stream().send().await;
            if let Ok(stream) = sent {
                begun = Some((client, stream, memory));
                break;
            }
        }
        let (_client, mut stream, memory) = begun.expect("the head comes");
        let kept = memory.only();
        assert_eq!((kept.length, kept.error), (99, None));
        assert_eq!(kept.time_to_first_byte, Some(kept.response_time));
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.line().await.unwrap().unwrap(), "one");
        let error = stream.line().await.unwrap_err().to_string();
        assert!(error.starts_with("Request timeout: "), "{error}");
        assert_eq!(memory.samples().len(), 1);
    }
}

#[tokio::test]
async fn lines_and_chunks_are_read_and_the_connection_serves_again() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let text = match seen.target.as_str() {
                "/chunked" => {
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\none\nt\r\n5\r\nwo\r\nl\r\n3\r\nast\r\n0\r\n\r\n"
                }
                "/from" => {
                    "HTTP/1.1 302 Found\r\nlocation: /chunked\r\nset-cookie: a=1\r\ncontent-length: 5\r\n\r\nmoved"
                }
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            };
            text.to_owned()
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        for path in ["/chunked", "/from"] {
            let mut stream = client.get(path).stream().send().await.unwrap();
            let mut lines = Vec::new();
            while let Some(line) = stream.line().await.unwrap() {
                lines.push(line);
            }
            assert_eq!(lines, ["one", "two", "last"]);
            assert_eq!(stream.line().await.unwrap(), None);
        }
        let mut stream = client.get("/chunked").stream().send().await.unwrap();
        assert_eq!(stream.line().await.unwrap().unwrap(), "one");
        let mut rest = Vec::new();
        while let Some(chunk) = stream.chunk().await.unwrap() {
            rest.extend_from_slice(&chunk);
        }
        assert_eq!(rest, b"two\r\nlast");
        let mut empty = client.get("/none").stream().send().await.unwrap();
        assert_eq!(empty.chunk().await.unwrap(), None);
        assert_eq!(
            memory.lines(),
            ["GET /chunked", "GET /from", "GET /chunked", "GET /none"]
        );
        assert!(memory.samples().iter().all(|kept| kept.length == 0));
        assert_eq!(server.connections(), 1, "{kind:?}");
        assert_eq!(client.cookie("a"), Some("1"));
    }
}

#[tokio::test]
async fn other_requests_may_be_made_meanwhile() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"fine"))).await;
        let (mut client, memory) = client(kind, &server.url);
        let mut stream = client.get("/1").stream().send().await.unwrap();
        client.get("/2").send().await.unwrap();
        assert_eq!(stream.chunk().await.unwrap().unwrap().as_ref(), b"fine");
        drop(stream);
        client.get("/3").send().await.unwrap();
        assert_eq!(memory.samples().len(), 3);
    }
}

#[tokio::test]
async fn encodings_are_undone_on_the_way() {
    let text = "wild geese\n".repeat(20_000);
    let plain = text.as_bytes();
    let encoded = |encoding: &str| -> Vec<u8> {
        match encoding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            _ => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
        }
    };
    for kind in BOTH {
        for (header, body) in [
            ("gzip", encoded("gzip")),
            ("deflate", encoded("deflate")),
            ("deflate", encoded("bare deflate")),
            ("identity", plain.to_vec()),
            ("unknown", plain.to_vec()),
        ] {
            let server = Server::start(move |_: &Seen| {
                Reply::Write(respond("200 OK", &[("content-encoding", header)], &body))
            })
            .await;
            let (mut client, _) = client(kind, &server.url);
            let mut stream = client.get("/").stream().send().await.unwrap();
            let mut lines = 0;
            while let Some(line) = stream.line().await.unwrap() {
                assert_eq!(line, "wild geese");
                lines += 1;
            }
            assert_eq!(lines, 20_000, "{kind:?} {header}");
            client.get("/").send().await.unwrap();
            assert_eq!(server.connections(), 1);
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_no_second_sample() {
    for kind in BOTH {
        for (bytes, reason) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal",
                "Connection closed before the whole response was received",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nhal",
                "Response body cannot be decompressed",
            ),
        ] {
            let server =
                Server::start(|_: &Seen| Reply::WriteAndClose(bytes.as_bytes().to_vec())).await;
            let (mut client, memory) = client(kind, &server.url);
            let mut stream = client.get("/").stream().send().await.unwrap();
            let error = loop {
                match stream.chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{kind:?}: it ends badly"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), reason);
            assert_eq!(stream.chunk().await.unwrap(), None);
            assert_eq!(memory.lines(), ["GET /"]);
        }
    }
}

#[tokio::test]
async fn a_line_has_its_limit() {
    for kind in BOTH {
        let body = vec![b'x'; LONGEST_LINE + 70_000];
        let server =
            Server::start(move |_: &Seen| Reply::Write(respond("200 OK", &[], &body))).await;
        let (mut client, _) = client(kind, &server.url);
        let mut stream = client.get("/").stream().send().await.unwrap();
        let error = stream.line().await.unwrap_err().to_string();
        assert_eq!(error, "A line of the response is longer than 1048576 bytes");
        assert_eq!(stream.line().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_caught_stream_is_judged_when_it_has_been_read() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let status = ["200 OK", "500 Oh"][usize::from(seen.target == "/bad")];
            Reply::Write(respond(status, &[], b"one\nerror\n"))
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        let mut stream = client.get("/").stream().catch().send().await.unwrap();
        assert!(memory.samples().is_empty());
        while let Some(line) = stream.line().await.unwrap() {
            if line == "error" {
                stream.mark_failure("an error event");
            }
        }
        stream.set_response_time(Duration::from_secs(5));
        drop(stream);
        drop(client.get("/bad").catch().stream().send().await.unwrap());
        let bad = "GET /bad -> 500 Server Error: Oh for url: /bad";
        assert_eq!(memory.lines(), ["GET / -> an error event", bad]);
        assert_eq!(memory.samples()[0].response_time, Duration::from_secs(5));
        assert_eq!(memory.samples()[0].length, 10);
    }
}

#[tokio::test]
async fn what_is_left_of_a_stream_is_read_as_a_whole() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| match seen.target.as_str() {
            "/cut" => {
                Reply::WriteAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1,".to_vec())
            }
            "/latin" => Reply::Write(respond("200 OK", &[], b"caf\xe9")),
            _ => Reply::Write(respond("200 OK", &[], b"[1,\n2]")),
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        let mut stream = client.get("/").stream().send().await.unwrap();
        assert_eq!(stream.json::<Vec<u8>>().await.unwrap(), [1, 2]);
        assert_eq!(stream.text().await.unwrap(), "", "it has been read");
        let mut stream = client.get("/").catch().stream().send().await.unwrap();
        assert_eq!(stream.line().await.unwrap().unwrap(), "[1,");
        assert_eq!(stream.bytes().await.unwrap().as_ref(), b"2]");
        drop(stream);
        let mut stream = client.get("/latin").stream().send().await.unwrap();
        assert_eq!(stream.text().await.unwrap(), "caf\u{fffd}");
        let request = client.get("/").name("numbers").stream();
        let error = request
            .send()
            .await
            .unwrap()
            .json::<u8>()
            .await
            .unwrap_err();
        let text = "GET numbers: the response is not the expected JSON: ";
        assert!(error.to_string().starts_with(text), "{error}");
        let mut stream = client.get("/cut").stream().send().await.unwrap();
        let error = stream.text().await.unwrap_err().to_string();
        assert!(error.starts_with("Connection closed before"), "{error}");
        assert_eq!(memory.samples().len(), 5);
        assert!(memory.samples().iter().all(|sample| sample.error.is_none()));
    }
}

#[tokio::test]
async fn server_sent_events_are_read_as_they_come() {
    for kind in BOTH {
        // The stream stays open: each event is there before the next one.
        let server = Server::start(|seen: &Seen| {
            let stream = "\u{feff}: hello\r\n\r\nevent: price\r\ndata: 7\r\ndata: EUR\r\nid: 4\r\n\r\ndata: late\n\ndata: cut off";
            match seen.target.as_str() {
                "/open" => Reply::Hang(format!("HTTP/1.1 200 OK\r\n\r\n{stream}").into_bytes()),
                "/long" => Reply::Hang(format!("HTTP/1.1 200 OK\r\n\r\ndata: {0}\n\ndata: {0}x", "x".repeat(LARGEST_EVENT)).into_bytes()),
                _ => Reply::Write(respond("200 OK", &[], stream.as_bytes())),
            }
        })
        .await;
        let (mut client, _) = client(kind, &server.url);
        for path in ["/open", "/whole"] {
            let mut stream = client.get(path).stream().send().await.unwrap();
            let first = stream.event().await.unwrap().unwrap();
            assert_eq!(
                (first.event(), first.data(), first.id()),
                ("price", "7\nEUR", "4")
            );
            let second = stream.event().await.unwrap().unwrap();
            assert_eq!(
                (second.event(), second.data(), second.id()),
                ("message", "late", "4")
            );
            if path == "/whole" {
                assert_eq!(stream.event().await.unwrap(), None);
                assert_eq!(stream.event().await.unwrap(), None);
            }
        }
        let mut stream = client.get("/long").stream().send().await.unwrap();
        // Longer than a line may be where lines are read.
        let long = stream.event().await.unwrap().unwrap();
        assert_eq!(long.data().len(), LARGEST_EVENT);
        let error = stream.event().await.unwrap_err().to_string();
        assert_eq!(error, "The data of an event is larger than 16777216 bytes");
    }
}
