//! What comes back: framing, encodings, limits.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn brotli(body: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncReadExt as _;
    let mut encoder = async_compression::tokio::bufread::BrotliEncoder::new(body);
    let mut encoded = Vec::new();
    encoder.read_to_end(&mut encoded).await.unwrap();
    encoded
}

#[tokio::test]
async fn bodies_are_decoded_and_their_decoded_length_is_recorded() {
    let text = "wild geese ".repeat(1_000);
    let plain = text.as_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("identity", plain.to_vec()),
        ("gzip", gzip(plain)),
        ("GZip", gzip(plain)),
        ("x-gzip", gzip(plain)),
        (
            "gzip",
            [gzip(&plain[..5_000]), gzip(&plain[5_000..])].concat(),
        ),
        ("deflate", zlib(plain)),
        ("deflate", deflate(plain)),
        ("br", brotli(plain).await),
        ("deflate, gzip", gzip(&zlib(plain))),
    ];
    for kind in BOTH {
        for (encoding, wire) in cases.clone() {
            let server = Server::start(move |_: &Seen| {
                Reply::Write(respond("200 OK", &[("content-encoding", encoding)], &wire))
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            let response = client.get("/").send().await.unwrap();
            assert!(response.text() == text, "{kind:?} {encoding}");
            assert_eq!(memory.only().length, plain.len() as u64);
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_is_a_failure() {
    for kind in BOTH {
        for encoding in ["gzip", "deflate", "br"] {
            let server = Server::start(move |_: &Seen| {
                Reply::Write(respond(
                    "200 OK",
                    &[("content-encoding", encoding)],
                    b"\xffgoose",
                ))
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            client.get("/").send().await.unwrap_err();
            let error = "GET / -> Response body cannot be decompressed";
            assert_eq!(memory.lines(), [error], "{kind:?} {encoding}");
        }
    }
}

#[tokio::test]
async fn encodings_inside_of_each_other_have_a_limit() {
    let mut wire = b"fine".to_vec();
    for _ in 0..5 {
        wire = gzip(&wire);
    }
    let refused = "GET / -> Response body cannot be decompressed: it has more than 5 encodings";
    for kind in BOTH {
        for (count, line) in [(5, "GET /"), (6, refused), (40_000, refused)] {
            let encodings = vec!["gzip"; count].join(",");
            let wire = wire.clone();
            let server = Server::start(move |_: &Seen| {
                Reply::Write(respond(
                    "200 OK",
                    &[("content-encoding", &encodings)],
                    &wire,
                ))
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            let _ = client.get("/").send().await;
            assert_eq!(memory.lines(), [line], "{kind:?} {count}");
        }
    }
}

#[tokio::test]
async fn a_body_that_takes_long_to_decode_ends_at_the_time_out() {
    // Two gigabytes in a few kilobytes, which are there with the head.
    let wire = gzip(&gzip(&vec![0; 64 << 20]).repeat(32));
    for kind in BOTH {
        let wire = wire.clone();
        let server = Server::start(move |_: &Seen| {
            Reply::Write(respond(
                "200 OK",
                &[("content-encoding", "gzip, gzip")],
                &wire,
            ))
        })
        .await;
        let (mut client, memory) = client_with(kind, &server.url, |options| options.max_body = 0);
        let request = client.get("/").timeout(Duration::from_millis(10));
        request.send().await.unwrap_err();
        let error = memory.only().error.unwrap();
        assert!(error.starts_with("Request timeout"), "{kind:?} {error}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_ignored() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| {
            Reply::Write(respond("200 OK", &[], b"\xef\xbb\xbf{\"id\": 7}"))
        })
        .await;
        let (mut client, _) = client(kind, &server.url);
        let page = client.get("/").send().await.unwrap();
        assert_eq!(page.pick::<u64>("/id").unwrap(), 7, "{kind:?}");
        let mut page = client.get("/").stream().send().await.unwrap();
        let streamed: serde_json::Value = page.json().await.unwrap();
        assert_eq!(streamed["id"], 7, "{kind:?}");
        let mut page = client.get("/").stream().send().await.unwrap();
        assert_eq!(page.pick::<u64>("/id").await.unwrap(), 7, "{kind:?}");
        let again = page.pick::<u64>("/id").await;
        assert_eq!(again.unwrap(), 7, "{kind:?}: it is read once");
        let error = page.pick::<u64>("/name").await.unwrap_err().to_string();
        assert!(
            error.starts_with("GET / : ") || error.starts_with("GET /: "),
            "{error}"
        );
        let page = client.rest(http::Method::GET, "/").send().await.unwrap();
        assert_eq!(page.js()["id"], 7, "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_counted_and_not_kept() {
    let body = "x".repeat(5_000);
    let cases = [
        ("identity", body.as_bytes().to_vec(), 4_999),
        ("gzip", gzip(body.as_bytes()), 4_999),
        ("br", brotli(body.as_bytes()).await, 0),
    ];
    for kind in BOTH {
        for (encoding, wire, limit) in cases.clone() {
            let server = Server::start(move |_: &Seen| {
                Reply::Write(respond("200 OK", &[("content-encoding", encoding)], &wire))
            })
            .await;
            let (mut client, memory) =
                client_with(kind, &server.url, |options| options.max_body = limit);
            let page = client.get("/").send().await.unwrap();
            assert_eq!(memory.lines(), ["GET /"], "{kind:?} {encoding}");
            assert_eq!(memory.only().length, 5_000);
            assert!(memory.task_errors().is_empty(), "it was not read");

            let error = format!(
                "the response body has 5000 bytes, more than the {limit} that are kept: raise the limit with max_body(bytes) of the user type, or stream the response"
            );
            assert_eq!(page.body().unwrap_err().to_string(), error);
            let json = page.json::<u8>().unwrap_err().to_string();
            assert_eq!(json, format!("GET /: {error}"));
            assert!(memory.task_errors().is_empty(), "the task has these errors");
            assert_eq!((page.text().len(), page.bytes().len()), (0, 0));
            assert_eq!(memory.task_errors(), [("/".to_owned(), error.clone())]);

            let page = client.rest(http::Method::GET, "/").send().await.unwrap();
            drop(page);
            assert_eq!(memory.lines()[1], format!("GET / -> {error}"));

            let mut stream = client.get("/").stream().send().await.unwrap();
            let mut length = 0;
            while let Some(chunk) = stream.chunk().await.unwrap() {
                length += chunk.len();
            }
            assert_eq!(length, 5_000, "streamed bodies have no limit");
        }
    }
}

#[tokio::test]
async fn what_follows_a_compressed_body_is_ignored() {
    let text = "wild geese ".repeat(1_000);
    let plain = text.as_bytes();
    let after: [&[u8]; 7] = [
        &[0; 16],
        b"\x1f",
        b"\x1fgarbage",
        b"\r\n",
        b"garbage",
        b"\x1f\x8bgarbage, not gzip",
        &[0; 70_000],
    ];
    let brotli = brotli(plain).await;
    for kind in BOTH {
        for after in after {
            for (encoding, wire) in [
                ("gzip", gzip(plain)),
                ("deflate", zlib(plain)),
                ("deflate", deflate(plain)),
                ("br", brotli.clone()),
            ] {
                let wire = [&wire, after].concat();
                let server = Server::start(move |_: &Seen| {
                    Reply::Write(respond("200 OK", &[("content-encoding", encoding)], &wire))
                })
                .await;
                let (mut client, memory) = client(kind, &server.url);
                let page = client.get("/").send().await.unwrap();
                assert!(page.text() == text, "{kind:?} {encoding}");
                client.get("/").send().await.unwrap();
                assert_eq!(memory.lines(), ["GET /"; 2]);
                assert_eq!(server.connections(), 1, "{kind:?} {encoding}");
            }
        }
    }
}

#[tokio::test]
async fn a_compressed_body_that_is_cut_off_is_a_failure() {
    let plain = "wild geese ".repeat(1_000).into_bytes();
    let cut = |wire: Vec<u8>| wire[..wire.len() - 9].to_vec();
    for kind in BOTH {
        for (status, shown) in [("200 OK", ""), ("404 Not Found", " (status 404 Not Found)")] {
            for (encoding, wire) in [
                ("gzip", cut(gzip(&plain))),
                ("gzip", [gzip(&plain), cut(gzip(&plain))].concat()),
                ("gzip", [gzip(&plain), b"\x1f\x8b".to_vec()].concat()),
                ("deflate", cut(zlib(&plain))),
                ("br", cut(brotli(&plain).await)),
                ("gzip", b"\xffgoose".to_vec()),
            ] {
                let server = Server::start(move |_: &Seen| {
                    Reply::Write(respond(status, &[("content-encoding", encoding)], &wire))
                })
                .await;
                let (mut client, memory) = client(kind, &server.url);
                client.get("/").send().await.unwrap_err();
                let error = format!("GET / -> Response body cannot be decompressed{shown}");
                assert_eq!(memory.lines(), [error], "{kind:?} {encoding}");
            }
        }
    }
}

#[tokio::test]
async fn every_framing_of_http_1_is_understood() {
    // name, bytes, body, whether the server closes, whether the connection serves again
    let cases: [(&str, &str, &str, bool, bool); 9] = [
        (
            "length",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
            false,
            true,
        ),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\nya!\r\n0\r\nx-trailer: 1\r\n\r\n",
            "hiya!",
            false,
            true,
        ),
        (
            "until close",
            "HTTP/1.1 200 OK\r\n\r\nhi",
            "hi",
            true,
            false,
        ),
        (
            "connection: close",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
            true,
            false,
        ),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", "hi", true, false),
        (
            "HTTP/1.0 kept",
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
            false,
            true,
        ),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n", "", false, true),
        (
            "304",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
            "",
            false,
            true,
        ),
        (
            "1xx first",
            "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
            false,
            true,
        ),
    ];
    for kind in BOTH {
        for (name, bytes, body, closes, serves_again) in cases {
            let server = Server::start(move |_: &Seen| {
                if closes {
                    Reply::WriteAndClose(bytes.as_bytes().to_vec())
                } else {
                    Reply::Write(bytes.as_bytes().to_vec())
                }
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            for _ in 0..3 {
                let response = client.get("/").send().await.unwrap();
                assert_eq!(response.text(), body, "{kind:?} {name}");
            }
            assert_eq!(memory.lines(), ["GET /"; 3], "{kind:?} {name}");
            let connections = if serves_again { 1 } else { 3 };
            assert_eq!(server.connections(), connections, "{kind:?} {name}");
        }
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let body: Vec<u8> = (0..300_000_u32).map(|byte| byte as u8).collect();
    for kind in BOTH {
        let wire = body.clone();
        let server =
            Server::start(move |_: &Seen| Reply::Write(respond("200 OK", &[], &wire))).await;
        let (mut client, _) = client(kind, &server.url);
        let response = client.get("/").send().await.unwrap();
        assert!(response.bytes().as_ref() == body.as_slice());
    }
}

#[tokio::test]
async fn json_and_text_are_read() {
    let server = Server::start(|_: &Seen| {
        Reply::Write(respond(
            "200 OK",
            &[("content-type", "application/json")],
            b"[1,2]",
        ))
    })
    .await;
    for kind in BOTH {
        let (mut client, memory) = client(kind, &server.url);
        let response = client.get("/").send().await.unwrap();
        assert_eq!(response.json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let error = response.json::<String>().unwrap_err().to_string();
        assert!(
            error.starts_with("GET /: the response is not the expected JSON: "),
            "{error}"
        );
        assert_eq!(
            memory.lines(),
            ["GET /"],
            "a failed parse is not a failed request"
        );
    }
}

#[tokio::test]
async fn the_time_ends_with_the_body() {
    // The head comes immediately, the body when the test has looked at the clock.
    for kind in BOTH {
        let server = Server::start(|_: &Seen| {
            Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal".to_vec())
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        let limit = Duration::from_millis(300);
        client.get("/").timeout(limit).send().await.unwrap_err();
        assert!(memory.only().response_time >= limit);
    }
}
