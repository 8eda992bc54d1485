//! Failures and the texts they are counted under.

use std::time::Duration;

use http::StatusCode;

use crate::client::ClientKind;
use crate::client::failure::status_failure;
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond, until};

#[tokio::test]
async fn a_failing_status_is_a_failure_and_no_error() {
    // status line, failure text; the reason phrase is the server's, as in python-requests
    let on_both = [
        ("200 OK", None),
        ("226 IM Used", None),
        (
            "400 Bad Request",
            Some("400 Client Error: Bad Request for url: /x?y"),
        ),
        (
            "405 Method Not Allowed",
            Some("405 Client Error: Method Not Allowed for url: /x?y"),
        ),
        (
            "405 Not Allowed",
            Some("405 Client Error: Not Allowed for url: /x?y"),
        ),
        (
            "500 Internal Server Error",
            Some("500 Server Error: Internal Server Error for url: /x?y"),
        ),
        ("599 Odd", Some("599 Server Error: Odd for url: /x?y")),
        // Tomcat sends no reason: the usual one is shown.
        (
            "500 ",
            Some("500 Server Error: Internal Server Error for url: /x?y"),
        ),
        ("404", Some("404 Client Error: Not Found for url: /x?y")),
        ("599 ", Some("599 Server Error:  for url: /x?y")),
    ];
    let on_one = |kind| match kind {
        ClientKind::Full => [
            ("209 Odd", None),
            ("300 Multiple Choices", None),
            ("399 Odd", None),
            ("600 Odd", None),
            ("999 Odd", None),
        ],
        ClientKind::Fast => [
            ("209 Odd", Some("209 Unexpected Status: Odd for url: /x?y")),
            (
                "300 Multiple Choices",
                Some("300 Unexpected Status: Multiple Choices for url: /x?y"),
            ),
            ("399 Odd", Some("399 Unexpected Status: Odd for url: /x?y")),
            ("600 Odd", Some("600 Unexpected Status: Odd for url: /x?y")),
            ("999 Odd", Some("999 Unexpected Status: Odd for url: /x?y")),
        ],
    };
    for kind in BOTH {
        for (status, failure) in on_both.into_iter().chain(on_one(kind)) {
            let server =
                Server::start(move |_: &Seen| Reply::Write(respond(status, &[], b"body"))).await;
            let (mut client, memory) = client(kind, &server.url);
            let response = client.get("/x?y").send().await.unwrap();
            assert_eq!(response.text(), "body");
            assert_eq!(response.is_ok(), failure.is_none());
            let sample = memory.only();
            assert_eq!(sample.error.as_deref(), failure, "{kind:?} {status}");
            assert_eq!(sample.length, 4);
        }
    }
}

#[tokio::test]
async fn a_reason_phrase_may_be_latin_1() {
    for kind in BOTH {
        for (reason, text) in [
            (&b"D\xe9fendu"[..], "Défendu"),
            ("Défendu".as_bytes(), "Défendu"),
        ] {
            let answer = [b"HTTP/1.1 403 ", reason, b"\r\ncontent-length: 0\r\n\r\n"].concat();
            let server = Server::start(move |_: &Seen| Reply::Write(answer.clone())).await;
            let (mut client, memory) = client(kind, &server.url);
            client.get("/").send().await.unwrap();
            let line = format!("GET / -> 403 Client Error: {text} for url: /");
            assert_eq!(memory.lines(), [line], "{kind:?}");
        }
    }
}

#[test]
fn every_status_is_judged_as_locust_does() {
    let fast: Vec<u16> = (200..=208)
        .chain([226, 301, 302, 303, 304, 307, 308])
        .collect();
    for code in 100..1000 {
        let status = StatusCode::from_u16(code).unwrap();
        let fails = |kind| status_failure(kind, status, None, "/").is_some();
        assert_eq!(
            fails(ClientKind::Full),
            (400..600).contains(&code),
            "{code}"
        );
        assert_eq!(fails(ClientKind::Fast), !fast.contains(&code), "{code}");
    }
}

#[tokio::test]
async fn the_name_stands_for_the_url() {
    let server = Server::start(|_: &Seen| Reply::Write(respond("404 Not Found", &[], b""))).await;
    for kind in BOTH {
        let (mut client, memory) = client(kind, &server.url);
        client.get("/p/7").name("/p/[id]").send().await.unwrap();
        let line = "GET /p/[id] -> 404 Client Error: Not Found for url: /p/[id]";
        assert_eq!(memory.lines(), [line]);
    }
}

#[tokio::test]
async fn broken_answers_are_failures_with_stable_texts() {
    let gone = "RemoteDisconnected('Remote end closed connection without response')";
    let early = "Connection closed before the whole response was received";
    let cases: [(&str, &[u8], &str); 7] = [
        ("no answer", b"", gone),
        ("half a head", b"HTTP/1.1 200 OK\r\nx: ", early),
        (
            "half a body",
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            early,
        ),
        (
            "half a chunk",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
            early,
        ),
        (
            "no HTTP",
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            "Malformed response: this is not an HTTP/1 status line: \"SSH-2.0-OpenSSH_9.6\"",
        ),
        (
            "bad chunk",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "Malformed response: this is not the size of a chunk: \"zz\"",
        ),
        (
            "half a body of a failure",
            b"HTTP/1.1 500 Oops\r\ncontent-length: 10\r\n\r\nhalf",
            "Connection closed before the whole response was received (status 500 Internal Server Error)",
        ),
    ];
    for kind in BOTH {
        for (name, bytes, error) in cases {
            let server = Server::start(move |_: &Seen| Reply::WriteAndClose(bytes.to_vec())).await;
            let (mut client, memory) = client(kind, &server.url);
            let returned = client.get("/").send().await.unwrap_err();
            assert_eq!(
                memory.lines(),
                [format!("GET / -> {error}")],
                "{kind:?} {name}"
            );
            assert_eq!(returned.to_string(), error);
            assert!(returned.is_recorded());
            assert_eq!(server.seen().len(), 1, "{kind:?} {name}: sent once");
        }
    }
}

#[tokio::test]
async fn no_listener_and_no_such_host() {
    let unreachable = Server::unreachable();
    for kind in BOTH {
        let (mut client, memory) = client(kind, &unreachable);
        client.get("/").send().await.unwrap_err();
        client
            .get("http://no-such-host.invalid/x")
            .send()
            .await
            .unwrap_err();
        let lines = memory.lines();
        let name = match kind {
            ClientKind::Fast => "http://no-such-host.invalid/x",
            ClientKind::Full => "/x",
        };
        assert_eq!(
            lines[0],
            "GET / -> ConnectionRefusedError(111, 'Connection refused')"
        );
        assert!(
            lines[1].starts_with(&format!(
                "GET {name} -> Load generator: name does not resolve: "
            )),
            "{lines:?}"
        );
        let limits = memory.generator_limits();
        assert_eq!(limits.len(), 1, "{kind:?} {limits:?}");
        assert!(limits[0].starts_with("NameResolution"), "{limits:?}");
        let limits = memory.generator_limits();
        assert_eq!(limits.len(), 1, "{kind:?} {limits:?}");
        assert!(limits[0].starts_with("NameResolution"), "{limits:?}");
    }
}

#[tokio::test]
async fn a_request_ends_at_its_time_out() {
    let text = "Request timeout: the response was not complete within the time allowed";
    for kind in BOTH {
        for partial in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            let server =
                Server::start(move |_: &Seen| Reply::Hang(partial.as_bytes().to_vec())).await;
            let quick = Duration::from_millis(100);
            let (mut client, memory) =
                client_with(kind, &server.url, |options| options.request_timeout = quick);
            client.get("/of-the-client").send().await.unwrap_err();
            let longer = Duration::from_millis(200);
            client.get("/own").timeout(longer).send().await.unwrap_err();
            let samples = memory.samples();
            assert_eq!(samples.len(), 2);
            assert!(
                samples
                    .iter()
                    .all(|kept| kept.error.as_deref() == Some(text))
            );
            assert!(samples[0].response_time >= quick && samples[1].response_time >= longer);
            // A connection with a request on it is not used again.
            until(|| server.connections() == 2).await;
        }
    }
}

#[tokio::test]
async fn connecting_ends_at_its_own_time_out() {
    // A server that accepts and never shakes hands.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("https://{}", listener.local_addr().unwrap());
    for kind in BOTH {
        let (mut client, memory) = client_with(kind, &host.parse().unwrap(), |options| {
            options.connect_timeout = Duration::from_millis(100);
        });
        client.get("/").send().await.unwrap_err();
        let line = "GET / -> Connect timeout: no connection within the time allowed";
        assert_eq!(memory.lines(), [line], "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_reported_in_one_way() {
    let plain = Server::start(|_: &Seen| Reply::WriteAndClose(Vec::new())).await;
    let mut url = plain.url.clone();
    url.set_scheme("https").unwrap();
    for kind in BOTH {
        let (mut client, memory) = client(kind, &url);
        client.get("/").send().await.unwrap_err();
        let error = memory.only().error.unwrap();
        assert!(error.starts_with("TLS failure: "), "{kind:?}: {error}");
    }
}
