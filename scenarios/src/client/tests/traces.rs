//! Traces: each request carries the header, and what is recorded of it is what the server got.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use crate::client::transport::http1::LONGEST_HEAD;
use crate::client::{Client, ClientKind, ClientOptions, ClientShared, HttpVersion, RequestTrace};
use crate::run::{RunSettings, UserContext};
use crate::testing::{BOTH, Memory, Reply, Seen, Server, respond};

const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn traced(
    kind: ClientKind,
    host: &url::Url,
    share: Option<f64>,
    change: impl FnOnce(&mut ClientOptions),
) -> (Client, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let settings = RunSettings {
        trace_share: share,
        ..RunSettings::default()
    };
    let user = UserContext::outside_a_run(settings, memory.clone());
    let mut options = ClientOptions::new(kind);
    change(&mut options);
    let shared = ClientShared::new(host, Arc::new(options)).unwrap();
    (Client::new(Arc::new(shared), Arc::new(user)), memory)
}

async fn server() -> Server {
    Server::start(|seen: &Seen| {
        let (status, location) = match seen.target.as_str() {
            "/moved" => ("307 Temporary Redirect", "/there"),
            "/bad" => ("404 Not Found", ""),
            _ => ("200 OK", ""),
        };
        Reply::Write(respond(status, &[("location", location)], b"fine"))
    })
    .await
}

/// Trace id and flags of a header.
fn read(header: &str) -> (String, bool) {
    let parts: Vec<_> = header.split('-').collect();
    let [version, id, span, flags] = parts[..] else {
        panic!("{header}");
    };
    assert_eq!((version, id.len(), span.len()), ("00", 32, 16), "{header}");
    assert!(span.contains(|digit| digit != '0'), "{header}");
    assert!(matches!(flags, "00" | "01"), "{header}");
    (id.to_owned(), flags == "01")
}

fn recorded(memory: &Memory) -> Vec<Option<(String, bool)>> {
    let said = |trace: RequestTrace| (trace.id.to_string(), trace.is_sampled);
    let samples = memory.samples().into_iter();
    samples.map(|kept| kept.trace.map(said)).collect()
}

#[tokio::test]
async fn each_request_carries_what_is_recorded_of_it() {
    for kind in BOTH {
        for (share, sampled) in [(0.0, 0..=0), (0.5, 50..=150), (1.0, 200..=200)] {
            let server = server().await;
            let (mut client, memory) = traced(kind, &server.url, Some(share), |_| {});
            for _ in 0..100 {
                client.get("/").send().await.unwrap();
                let last = client.last_trace().unwrap();
                // What is judged by the scenario is recorded elsewhere.
                client
                    .get("/bad")
                    .catch()
                    .send()
                    .await
                    .unwrap()
                    .success()
                    .unwrap();
                assert_ne!(client.last_trace().unwrap().id, last.id);
            }
            let seen: Vec<_> = server.seen();
            let sent: Vec<_> = seen
                .iter()
                .map(|seen| read(seen.header("traceparent").unwrap()))
                .collect();
            assert!(seen[0].names.contains(&"traceparent".to_owned()));
            assert_eq!(
                recorded(&memory),
                sent.iter().cloned().map(Some).collect::<Vec<_>>()
            );
            let count = sent.iter().filter(|(_, is_sampled)| *is_sampled).count();
            assert!(
                sampled.contains(&count),
                "{kind:?}: {count} of 200 at {share}"
            );
            let last = client.last_trace().unwrap().id.to_string();
            assert_eq!(last, sent.last().unwrap().0);
            let ids: std::collections::HashSet<_> = sent.into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), 200);
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_unless_it_is_asked_for() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = traced(kind, &server.url, None, |_| {});
        client.get("/").send().await.unwrap();
        client
            .get("/")
            .header("traceparent", OWN)
            .send()
            .await
            .unwrap();
        let sent = server.seen();
        assert_eq!(sent[0].header("traceparent"), None);
        assert_eq!(sent[1].header("traceparent"), Some(OWN));
        assert_eq!(recorded(&memory), [None, None]);
        assert_eq!(client.last_trace(), None);
    }
}

#[tokio::test]
async fn the_scenarios_own_header_wins() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = traced(kind, &server.url, Some(0.0), |_| {});
        let own = Some((OWN[3..35].to_owned(), true));
        client
            .get("/")
            .header("Traceparent", OWN)
            .send()
            .await
            .unwrap();
        client
            .headers_mut()
            .insert("traceparent", OWN.parse().unwrap());
        client.get("/").send().await.unwrap();
        let wrong = "what I like";
        client
            .get("/")
            .header("traceparent", wrong)
            .send()
            .await
            .unwrap();
        let sent = server.seen();
        let of = |seen: &Seen| {
            let all = seen
                .headers
                .iter()
                .filter(|(name, _)| name == "traceparent");
            all.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let sent: Vec<_> = sent.iter().map(of).collect();
        assert_eq!(sent, [[OWN], [OWN], [wrong]]);
        assert_eq!(recorded(&memory), [own.clone(), own, None]);
    }
}

#[tokio::test]
async fn redirects_and_repeated_requests_are_of_the_same_trace() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = traced(kind, &server.url, Some(1.0), |_| {});
        client.get("/moved").send().await.unwrap();
        let sent = server.seen();
        let ids: Vec<_> = sent
            .iter()
            .map(|seen| read(seen.header("traceparent").unwrap()))
            .collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(recorded(&memory), [Some(ids[0].clone())]);

        // The kept connection is closed under the second request, which is sent again on a new one.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let keep = Arc::clone(&seen);
        let closing = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            for answers in [1, 2] {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answered in 1.. {
                    let mut head = vec![0; LONGEST_HEAD];
                    let length = stream.read(&mut head).await.unwrap();
                    if length == 0 {
                        break;
                    }
                    let head = String::from_utf8(head[..length].to_vec()).unwrap();
                    let line = head
                        .lines()
                        .find_map(|line| line.strip_prefix("traceparent: "));
                    keep.lock().unwrap().push(line.unwrap().to_owned());
                    if answered > answers {
                        break;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            }
        });
        let (mut client, memory) = traced(kind, &host, Some(1.0), |_| {});
        for _ in 0..2 {
            client.get("/").send().await.unwrap();
        }
        closing.abort();
        let sent: Vec<_> = seen
            .lock()
            .unwrap()
            .iter()
            .map(|header| read(header))
            .collect();
        assert_eq!(sent.len(), 3);
        assert_eq!(sent[1], sent[2]);
        assert_eq!(
            recorded(&memory),
            [Some(sent[0].clone()), Some(sent[1].clone())]
        );
    }
}

#[tokio::test]
async fn http_2_carries_it_too() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let keep = Arc::clone(&seen);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let headers = request.headers().get_all("traceparent").iter();
            let headers: Vec<_> = headers
                .map(|value| value.to_str().unwrap().to_owned())
                .collect();
            keep.lock().unwrap().push(headers.join(","));
            respond
                .send_response(http::Response::new(()), true)
                .unwrap();
        }
    });
    let (mut client, memory) = traced(ClientKind::Full, &host, Some(1.0), |options| {
        options.http_version = HttpVersion::Http2;
    });
    client.get("/").send().await.unwrap();
    client
        .get("/")
        .header("traceparent", OWN)
        .send()
        .await
        .unwrap();
    server.abort();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[1], OWN);
    let sent = [Some(read(&seen[0])), Some(read(OWN))];
    assert_eq!(recorded(&memory), sent);
    assert!(sent[0].as_ref().unwrap().1);
}
