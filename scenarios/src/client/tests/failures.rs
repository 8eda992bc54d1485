//! Failures and the texts they are counted under.

use std::time::Duration;

use http::StatusCode;

use crate::client::failure::status_failure;
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};

#[tokio::test]
async fn a_status_of_400_or_above_is_a_failure_and_no_error() {
    // status line, failure text; the reason phrase is the server's, as in python-requests
    let cases = [
        ("200 OK", None),
        ("300 Multiple Choices", None),
        ("399 Odd", None),
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
        ("600 Odd", None),
    ];
    for kind in BOTH {
        for (status, failure) in cases {
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

#[test]
fn every_status_is_judged_as_python_requests_does() {
    for code in 100..1000 {
        let status = StatusCode::from_u16(code).unwrap();
        let failure = status_failure(status, None, "/");
        assert_eq!(failure.is_some(), (400..600).contains(&code), "{code}");
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
        ("half a head", b"HTTP/1.1 200 OK\r\nx: ", gone),
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
            "Malformed response: this is not HTTP/1",
        ),
        (
            "bad chunk",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "Malformed response: the chunks are not valid",
        ),
        (
            "bad header",
            b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
            "Malformed response: this is not HTTP/1",
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
async fn nobody_there_and_no_such_host() {
    let nobody = Server::nobody().await;
    for kind in BOTH {
        let (mut client, memory) = client(kind, &nobody);
        client.get("/").send().await.unwrap_err();
        client
            .get("http://no-such-host.invalid/x")
            .send()
            .await
            .unwrap_err();
        let lines = memory.lines();
        assert_eq!(
            lines[0],
            "GET / -> ConnectionRefusedError(111, 'Connection refused')"
        );
        assert!(
            lines[1].starts_with("GET /x -> Host name not resolved: "),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn a_request_ends_at_its_time_out() {
    let text = "Request time-out: the response was not complete within the time allowed";
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
            assert_eq!(
                server.connections(),
                2,
                "a connection with a request on it is not used again"
            );
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
        let line = "GET / -> Connect time-out: no connection within the time allowed";
        assert_eq!(memory.lines(), [line], "{kind:?}");
    }
}
