//! Connections: kept, replaced, given up, encrypted.

use std::time::Duration;

use http::Method;

use super::certificates::self_signed;
use crate::client::ClientKind;
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};

fn ok() -> Reply {
    Reply::Write(respond("200 OK", &[], b"fine"))
}

#[tokio::test]
async fn one_connection_serves_a_user() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| ok()).await;
        let (mut client, _) = client(kind, &server.url);
        for _ in 0..20 {
            client.get("/").send().await.unwrap();
        }
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_failure_and_no_second_request() {
    for kind in BOTH {
        // Answers as if it would keep the connection, then closes it.
        let server =
            Server::start(|_: &Seen| Reply::WriteAndClose(respond("200 OK", &[], b"fine"))).await;
        let (mut client, memory) = client(kind, &server.url);
        for round in 0..20 {
            client.post("/").body("x").send().await.unwrap();
            server.has_closed(round + 1).await;
        }
        assert_eq!(memory.lines(), ["POST /"; 20], "{kind:?}");
        assert_eq!(server.seen().len(), 20);
        assert_eq!(server.connections(), 20);
    }
}

#[tokio::test]
async fn a_connection_dropped_under_a_request_is_replaced_once() {
    for kind in BOTH {
        // The first request on a connection is answered; the second one kills it.
        let server = Server::start(|seen: &Seen| match seen.target.as_str() {
            "/kill" => Reply::WriteAndClose(Vec::new()),
            _ => ok(),
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/").send().await.unwrap();
        client.get("/kill").send().await.unwrap_err();
        client.get("/").send().await.unwrap();
        client.post("/kill").body("x").send().await.unwrap_err();
        let gone = "RemoteDisconnected('Remote end closed connection without response')";
        assert_eq!(
            memory.lines(),
            [
                "GET /",
                &format!("GET /kill -> {gone}"),
                "GET /",
                // What may do harm when it is done twice is not sent again.
                "POST /kill -> Kept connection closed by the server",
            ]
        );
        let targets: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.target.clone())
            .collect();
        assert_eq!(targets, ["/", "/kill", "/kill", "/", "/kill"], "{kind:?}");
    }
}

#[tokio::test]
async fn methods_that_do_no_harm_twice_are_sent_again() {
    for kind in BOTH {
        // Each connection answers once; the next request on it finds it closing.
        let answered = std::sync::Mutex::new(std::collections::HashSet::new());
        let server = Server::start(move |seen: &Seen| {
            if answered.lock().unwrap().insert(seen.connection) {
                ok()
            } else {
                Reply::WriteAndClose(Vec::new())
            }
        })
        .await;
        for (method, failures) in [
            (Method::GET, 0),
            (Method::HEAD, 0),
            (Method::OPTIONS, 0),
            (Method::PUT, 0),
            (Method::DELETE, 0),
            (Method::POST, 1),
            (Method::PATCH, 1),
        ] {
            let (mut client, memory) = client(kind, &server.url);
            client.get("/").send().await.unwrap();
            let _ = client.request(method, "/").send().await;
            let samples = memory.samples();
            assert_eq!(
                samples.len(),
                2,
                "one sample per request, sent again or not"
            );
            let failed = samples.iter().filter(|kept| kept.error.is_some()).count();
            assert_eq!(failed, failures, "{kind:?} {samples:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_the_server_has_seen_is_not_sent_again() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| match seen.target.as_str() {
            "/hints" => Reply::WriteAndClose(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            _ => ok(),
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/").send().await.unwrap();
        client.get("/hints").send().await.unwrap_err();
        let gone = "RemoteDisconnected('Remote end closed connection without response')";
        assert_eq!(
            memory.lines(),
            ["GET /", &format!("GET /hints -> {gone}")],
            "{kind:?}"
        );
        assert_eq!(server.seen().len(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_closes_silently_costs_no_failure() {
    for kind in BOTH {
        // As if it would keep the connection: every other one is closed behind the answer, the rest just when the
        // next request has come.
        let answered = std::sync::Mutex::new(std::collections::HashSet::new());
        let server = Server::start(move |seen: &Seen| {
            let is_first = answered.lock().unwrap().insert(seen.connection);
            match (is_first, seen.connection % 2) {
                (true, 0) => Reply::WriteAndClose(respond("200 OK", &[], b"fine")),
                (true, _) => ok(),
                (false, _) => Reply::WriteAndClose(Vec::new()),
            }
        })
        .await;
        let users = (0..10).map(|_| {
            let (mut client, memory) = client(kind, &server.url);
            async move {
                for _ in 0..30 {
                    let _ = client.get("/").send().await;
                }
                memory.lines()
            }
        });
        for lines in futures_util::future::join_all(users).await {
            assert_eq!(lines, ["GET /"; 30], "{kind:?}");
        }
        assert!(server.seen().len() > 300, "{kind:?}: none was sent again");
    }
}

#[tokio::test]
async fn names_of_headers_go_out_as_they_were_written() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| ok()).await;
        let (mut client, _) = client_with(kind, &server.url, |options| {
            let value = http::HeaderValue::from_static("1");
            options.headers.insert("X-Client-ID", value);
        });
        let value = http::HeaderValue::from_static("1");
        client.headers_mut().insert("X-API-Key", value);
        client
            .post("/")
            .header("SOAPAction", "x")
            .header(http::header::ETAG, "y")
            .form(&[("a", "1")])
            .send()
            .await
            .unwrap();
        let names = &server.seen()[0].names;
        for name in [
            "Host",
            "User-Agent",
            "Accept-Encoding",
            "Content-Type",
            "Content-Length",
            "X-Client-ID",
            "X-API-Key",
            "SOAPAction",
            "Etag",
        ] {
            assert!(
                names.iter().any(|own| own == name),
                "{kind:?} {name}: {names:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_given_up_is_recorded_and_its_connection_is_not_used_again() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| match seen.target.as_str() {
            "/slow" => Reply::Hang(Vec::new()),
            _ => ok(),
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/").send().await.unwrap();
        tokio::select! {
            _ = client.get("/slow").name("/grouped").send() => panic!("the server does not answer"),
            () = server.has_seen(2) => {}
        }
        client.get("/").send().await.unwrap();
        let error = "Aborted: the task gave up before the response was complete";
        assert_eq!(
            memory.lines(),
            ["GET /", &format!("GET /grouped -> {error}"), "GET /"]
        );
        assert_eq!(server.seen().len(), 3);
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_caught_request_given_up_is_recorded_once() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| Reply::Hang(Vec::new())).await;
        let (mut client, memory) = client(kind, &server.url);
        let waiting = client.get("/").catch().send();
        assert!(
            tokio::time::timeout(Duration::from_millis(50), waiting)
                .await
                .is_err()
        );
        assert_eq!(memory.samples().len(), 1);
    }
}

#[tokio::test]
async fn more_origins_than_connections_are_kept() {
    let mut servers = Vec::new();
    for _ in 0..12 {
        servers.push(Server::start(|_: &Seen| ok()).await);
    }
    let (mut client, memory) = client(ClientKind::Fast, &servers[0].url);
    for _ in 0..2 {
        for server in &servers {
            client.get(server.url.as_str()).send().await.unwrap();
        }
    }
    assert!(memory.samples().iter().all(|kept| kept.error.is_none()));
}

#[tokio::test]
async fn certificates_are_checked_unless_asked_otherwise() {
    for kind in BOTH {
        let server = Server::start_tls(self_signed(), |_: &Seen| ok()).await;
        let (mut strict, memory) = client(kind, &server.url);
        strict.get("/").send().await.unwrap_err();
        let error = memory.only().error.unwrap();
        assert!(
            error.starts_with("TLS failure: certificate"),
            "{kind:?} {error}"
        );
        assert!(server.seen().is_empty());

        let (mut lax, memory) = client_with(kind, &server.url, |options| {
            options.accept_invalid_certs = true
        });
        for _ in 0..3 {
            assert_eq!(lax.get("/").send().await.unwrap().text(), "fine");
        }
        assert_eq!(memory.lines(), ["GET /"; 3]);
        assert_eq!(server.connections(), 2, "{kind:?}: one refused, one kept");
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_a_failure() {
    for kind in BOTH {
        let server =
            Server::start(|_: &Seen| Reply::WriteAndClose(b"HTTP/1.1 400 Bad\r\n\r\n".to_vec()))
                .await;
        let host = server.url.as_str().replace("http:", "https:");
        let (mut client, memory) = client(kind, &host.parse().unwrap());
        // The server answers a line of garbage; it sends nothing before it has read one.
        client
            .get("/")
            .timeout(Duration::from_millis(500))
            .send()
            .await
            .unwrap_err();
        assert_eq!(memory.samples().len(), 1);
    }
}
