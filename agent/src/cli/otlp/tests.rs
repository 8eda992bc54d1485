use std::sync::Mutex;

use axum::Router;
use axum::routing::post;
use clap::Parser;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::cli::private_server::PrivateServer;
use crate::cli::settings::{Origin, Rank};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    otlp: OtlpOptions,
}

fn collector(arguments: &[&str]) -> Collector {
    collector_from("--otlp", arguments)
}

/// A collector whose address was given by this name.
fn collector_from(name: &str, arguments: &[&str]) -> Collector {
    let command = Command::parse_from([&["greylag"], arguments].concat());
    let origin = Origin::new(Rank::SharedVariable, name);
    let sources = Sources::new([("otlp".to_owned(), origin)]);
    collector_of(command.otlp, &sources).unwrap().unwrap()
}

#[test]
fn a_certificate_is_refused_where_nothing_is_encrypted() {
    let arguments = [
        "greylag",
        "--otlp",
        "http://collector:4317",
        "--otlp-certificate",
        "none.pem",
    ];
    let from = |rank| {
        let command = Command::parse_from(arguments);
        let origin = Origin::new(rank, "any");
        let sources = Sources::new([("otlp_certificate".to_owned(), origin)]);
        collector_of(command.otlp, &sources)
    };
    let message = from(Rank::Flag).unwrap_err().to_string();
    assert!(message.contains("write https://"), "{message}");
    // Set for all programs of a machine, of which others use TLS.
    assert!(from(Rank::SharedVariable).unwrap().is_some());
}

/// Why a push fails, and whether it may succeed later.
async fn refused(collector: &Collector, message: &str) -> (String, bool) {
    let error = (collector.send)(message.as_bytes().to_vec())
        .await
        .unwrap_err();
    (error.reason, error.may_pass)
}

#[test]
fn headers_are_pairs_and_are_not_shown() {
    let headers: OtlpHeaders = "authorization=Bearer%20geheim, x-tenant=a=b,"
        .parse()
        .unwrap();
    assert_eq!(headers.0["authorization"], "Bearer geheim");
    assert_eq!(headers.0["x-tenant"], "a=b");
    assert!(!format!("{headers:?} {:?}", headers.0).contains("geheim"));
    for wrong in ["authorization", "a b=c", "a=%2", "a=%zz", "a=%+5", "a=%0a"] {
        assert!(wrong.parse::<OtlpHeaders>().is_err(), "{wrong}");
    }
    for wrong in ["collector:4317", "ftp://c", "http://c?x=1", ""] {
        assert!(wrong.parse::<OtlpUrl>().is_err(), "{wrong}");
    }
}

#[test]
fn only_whole_messages_are_read() {
    assert_eq!(unframed(&framed(b"answer")), b"answer");
    for wrong in [&b""[..], b"\0\0\0", b"\0\0\0\0\x02a", b"\x01\0\0\0\x01a"] {
        assert_eq!(unframed(wrong), b"", "{wrong:?}");
    }
}

#[test]
fn a_port_of_the_other_protocol_is_pointed_out() {
    let of = |url: &str, protocol| advice(&url.parse().unwrap(), protocol);
    let said = of("http://collector:4318", OtlpProtocol::Grpc);
    assert!(
        said.ends_with("try --otlp-protocol http/protobuf"),
        "{said}"
    );
    let said = of("http://collector:4317", OtlpProtocol::Http);
    assert!(said.ends_with("try --otlp-protocol grpc"), "{said}");
    assert_eq!(of("http://collector:4317", OtlpProtocol::Grpc), "");
    assert_eq!(of("http://collector", OtlpProtocol::Grpc), "");
}

#[tokio::test]
async fn a_push_by_http_is_the_message() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&got);
    let take = move |headers: HeaderMap, body: Bytes| {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let said = (
            header("content-type"),
            header("authorization"),
            body.to_vec(),
        );
        keep.lock().unwrap().push(said);
        async { "taken" }
    };
    let endless = || async { vec![b'x'; MAX_ANSWER_BYTES + 1] };
    let router = Router::new()
        .route("/otel/v1/metrics", post(take))
        .route("/long/v1/metrics", post(endless))
        .route(
            "/busy/v1/metrics",
            post(|| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]) }),
        )
        .route("/push", post(|| async { "pushed" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    let url = format!("http://{address}/otel/");
    let header = "authorization=Bearer%20geheim";
    let protocol = ["--otlp-protocol", "http/protobuf", "--otlp-headers", header];
    let right = collector(&[&["--otlp", &url][..], &protocol[..]].concat());
    assert_eq!(
        (right.send)(b"counts".to_vec()).await,
        Ok(b"taken".to_vec())
    );
    let said = (
        "application/x-protobuf".to_owned(),
        "Bearer geheim".to_owned(),
        b"counts".to_vec(),
    );
    assert_eq!(*got.lock().unwrap(), [said]);
    let at = |path: &str| {
        let url = format!("http://{address}{path}");
        collector(&[&["--otlp", &url][..], &protocol[..]].concat())
    };
    let too_long = ("its answer is longer than 64 KiB".to_owned(), true);
    assert_eq!(refused(&at("/long/v1/metrics"), "").await, too_long);
    let unknown = ("it answered with status 404".to_owned(), false);
    assert_eq!(refused(&at("/"), "").await, unknown);
    let busy = (at("/busy").send)(Vec::new()).await.unwrap_err();
    assert_eq!(
        (busy.may_pass, busy.pause),
        (true, Some(Duration::from_secs(120)))
    );
    // An address for metrics alone is whole.
    let url = format!("http://{address}/push");
    let whole = collector_from(
        WHOLE_ADDRESS,
        &[&["--otlp", &url][..], &protocol[..]].concat(),
    );
    assert_eq!((whole.send)(Vec::new()).await, Ok(b"pushed".to_vec()));
    server.abort();
    let _ = server.await;
    let (away, may_pass) = refused(&right, "").await;
    assert!(!away.contains("http://") && may_pass, "{away}");
}

#[tokio::test]
async fn a_push_by_grpc_is_one_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Answers with one status after the other: after a message, without one, none.
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut got = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let number = got.len();
            let (head, mut body) = request.into_parts();
            got.push((head, Vec::new()));
            let call = async {
                let mut bytes = Vec::new();
                while let Some(Ok(chunk)) = body.data().await {
                    bytes.extend_from_slice(&chunk);
                }
                let answer = http::Response::builder().header("content-type", "application/grpc");
                match number {
                    0 => {
                        let mut sent = respond
                            .send_response(answer.body(()).unwrap(), false)
                            .unwrap();
                        sent.send_data(framed(b"answer").into(), false).unwrap();
                        let mut trailers = HeaderMap::new();
                        trailers.insert("grpc-status", HeaderValue::from_static("0"));
                        sent.send_trailers(trailers).unwrap();
                    }
                    1 => {
                        let answer = answer
                            .header("grpc-status", "16")
                            .header("grpc-message", "no%20token%0a%1b[31mhere");
                        respond
                            .send_response(answer.body(()).unwrap(), true)
                            .unwrap();
                    }
                    _ => drop(
                        respond
                            .send_response(answer.body(()).unwrap(), true)
                            .unwrap(),
                    ),
                }
                bytes
            };
            let bytes = tokio::select! {
                bytes = call => bytes,
                _ = std::future::poll_fn(|context| connection.poll_closed(context)) => break,
            };
            got[number].1 = bytes;
            if number == 2 {
                connection.graceful_shutdown();
            }
        }
        got
    });
    let collector = collector(&[
        "--otlp",
        &format!("http://{address}"),
        "--otlp-headers",
        "x-tenant=7",
    ]);
    assert_eq!(
        (collector.send)(b"counts".to_vec()).await,
        Ok(b"answer".to_vec())
    );
    let no_token = (
        "it answered with gRPC status 16 no tokenhere".to_owned(),
        false,
    );
    assert_eq!(refused(&collector, "again").await, no_token);
    let (strange, may_pass) = refused(&collector, "").await;
    assert!(
        strange.contains("--otlp-protocol http/protobuf") && !may_pass,
        "{strange}"
    );
    let got = server.await.unwrap();
    let (head, body) = &got[0];
    assert_eq!(
        head.uri.path(),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    );
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-tenant", "7"),
    ] {
        assert_eq!(head.headers[name], value);
    }
    assert_eq!(body[..], *b"\0\0\0\0\x06counts");
}

/// A collector of a private authority that is pushed to, with its certificate and without.
fn collectors(server: &PrivateServer, protocol: &str) -> (Collector, Collector) {
    let url = server.url();
    let usual = ["--otlp", &url, "--otlp-protocol", protocol];
    let file = server.certificate().to_str().unwrap();
    let trusting = [&usual[..], &["--otlp-certificate", file]].concat();
    (collector(&trusting), collector(&usual))
}

/// Waits for a client that does not trust the collector.
async fn is_refused(server: &PrivateServer, stranger: Collector) {
    let push = tokio::spawn((stranger.send)(b"counts".to_vec()));
    server.accept().await.unwrap_err();
    let refused = push.await.unwrap().unwrap_err();
    assert!(refused.reason.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn a_collector_of_a_private_authority_is_pushed_to_by_grpc() {
    let server = PrivateServer::start(b"h2").await;
    let (trusting, stranger) = collectors(&server, "grpc");
    let push = tokio::spawn((trusting.send)(b"counts".to_vec()));
    let stream = server.accept().await.unwrap();
    // Servers of gRPC close connections that did not agree on it.
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    assert_eq!(request.uri().scheme_str(), Some("https"));
    let answer = http::Response::builder().header("grpc-status", "0");
    let answer = answer.body(()).unwrap();
    respond.send_response(answer, true).unwrap();
    tokio::select! {
        pushed = push => assert_eq!(pushed.unwrap(), Ok(Vec::new())),
        _ = std::future::poll_fn(|context| connection.poll_closed(context)) => panic!("it was closed"),
    }
    is_refused(&server, stranger).await;
}

#[tokio::test]
async fn a_collector_of_a_private_authority_is_pushed_to_by_http() {
    let server = PrivateServer::start(b"http/1.1").await;
    let (trusting, stranger) = collectors(&server, "http/protobuf");
    let push = tokio::spawn((trusting.send)(b"counts".to_vec()));
    let mut stream = server.accept().await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\ncounts") {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
    }
    assert!(got.starts_with(b"POST /v1/metrics HTTP/1.1\r\n"));
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ntaken";
    stream.write_all(answer).await.unwrap();
    assert_eq!(push.await.unwrap(), Ok(b"taken".to_vec()));
    is_refused(&server, stranger).await;
}
