//! Redirects: followed as python-requests does, one sample, named by the first request.

use crate::client::ClientKind;
use crate::client::target::Origin;
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};

fn redirect(status: &'static str, location: String) -> impl Fn(&Seen) -> String {
    move |seen| {
        let bytes = if seen.target == "/from" {
            respond(
                status,
                &[("location", &location), ("set-cookie", "step=1")],
                b"moved",
            )
        } else {
            respond("200 OK", &[], b"arrived")
        };
        String::from_utf8(bytes).unwrap()
    }
}

#[tokio::test]
async fn the_method_changes_as_in_python_requests() {
    // status, method, method of the second request, whether the body is kept
    let cases = [
        ("301 Moved Permanently", "POST", "GET", false),
        ("301 Moved Permanently", "PUT", "PUT", false),
        ("302 Found", "POST", "GET", false),
        ("302 Found", "PUT", "GET", false),
        ("303 See Other", "POST", "GET", false),
        ("303 See Other", "DELETE", "GET", false),
        ("307 Temporary Redirect", "POST", "POST", true),
        ("308 Permanent Redirect", "PUT", "PUT", true),
    ];
    for kind in BOTH {
        for (status, method, then, body_kept) in cases {
            let server = Server::start(redirect(status, "/to?x=1".to_owned())).await;
            let (mut client, memory) = client(kind, &server.url);
            let method_value = http::Method::from_bytes(method.as_bytes()).unwrap();
            let response = client
                .request(method_value, "/from")
                .form(&[("a", "b")])
                .send()
                .await
                .unwrap();
            assert_eq!(response.text(), "arrived");
            assert_eq!(response.url().path(), "/to");
            assert_eq!(response.redirects(), 1);
            let seen = server.seen();
            assert_eq!(seen.len(), 2);
            assert_eq!(
                (seen[1].method.as_str(), seen[1].target.as_str()),
                (then, "/to?x=1")
            );
            assert_eq!(
                seen[1].body,
                if body_kept { "a=b" } else { "" },
                "{status} {method}"
            );
            assert_eq!(seen[1].header("content-type").is_some(), body_kept);
            assert_eq!(seen[1].header("cookie"), Some("step=1"));
            let sample = memory.only();
            assert_eq!(
                (sample.method.as_str(), sample.name.as_str()),
                (method, "/from")
            );
            assert_eq!((sample.length, sample.error), (7, None));
            assert_eq!(server.connections(), 1);
        }
    }
}

#[tokio::test]
async fn what_is_no_redirect_is_not_followed() {
    for kind in BOTH {
        for status in ["300 Multiple Choices", "304 Not Modified", "201 Created"] {
            let server = Server::start(redirect(status, "/to".to_owned())).await;
            let (mut client, memory) = client(kind, &server.url);
            if status.starts_with("304") {
                // No body goes with it; our server writes one, so this connection is not used again.
                let _ = client.get("/from").send().await;
            } else {
                client.get("/from").send().await.unwrap();
            }
            assert_eq!(server.seen().len(), 1, "{status}");
            let judged_by_status = kind == ClientKind::Fast && status.starts_with("300");
            assert_eq!(memory.only().error.is_some(), judged_by_status);
        }
        let server = Server::start(redirect("302 Found", "/to".to_owned())).await;
        let (mut client, memory) = client(kind, &server.url);
        let response = client
            .get("/from")
            .allow_redirects(false)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(memory.only().error, None);
    }
}

#[tokio::test]
async fn the_full_client_follows_head_only_when_asked() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let text = if seen.target == "/from" {
                "HTTP/1.1 302 Found\r\nlocation: /to\r\ncontent-length: 5\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
            };
            text.to_owned()
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        let plain = client.head("/from").send().await.unwrap();
        if kind == ClientKind::Fast {
            assert_eq!(plain.status(), 200);
            continue;
        }
        assert_eq!(plain.status(), 302);
        let followed = client
            .head("/from")
            .allow_redirects(true)
            .send()
            .await
            .unwrap();
        assert_eq!(followed.status(), 200);
        let methods: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, ["HEAD"; 3]);
        assert_eq!(memory.samples().len(), 2);
    }
}

#[tokio::test]
async fn too_many_redirects_are_a_failure() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| {
            String::from_utf8(respond("302 Found", &[("location", "/from")], b"")).unwrap()
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        let error = client.get("/from").send().await.unwrap_err();
        assert!(error.is_recorded());
        assert_eq!(server.seen().len(), 31);
        assert_eq!(
            memory.lines(),
            ["GET /from -> TooManyRedirects('Exceeded 30 redirects.')"]
        );

        let (mut client, _) = client_with(kind, &server.url, |options| options.max_redirects = 2);
        client.get("/from").send().await.unwrap_err();
        assert_eq!(server.seen().len(), 31 + 3);
    }
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    for kind in BOTH {
        let target = Server::start(redirect("200 OK", String::new())).await;
        let server = Server::start(redirect("302 Found", format!("{}to", target.url))).await;
        let mut host = server.url.clone();
        host.set_username("ada").unwrap();
        let (mut client, memory) = client(kind, &host);
        client.get("/from").send().await.unwrap();
        client
            .get("/from")
            .bearer_auth("secret")
            .header("host", "own")
            .header("cookie", "own=1")
            .send()
            .await
            .unwrap();
        assert!(
            server
                .seen()
                .iter()
                .all(|seen| seen.header("authorization").is_some())
        );
        assert!(
            target
                .seen()
                .iter()
                .all(|seen| seen.header("authorization").is_none())
        );
        // The jar's cookie is of this machine, whatever the port; the request's own is for its origin.
        assert!(
            target
                .seen()
                .iter()
                .all(|seen| seen.header("cookie") == Some("step=1"))
        );
        let own_host = format!("127.0.0.1:{}", target.url.port().unwrap());
        assert!(
            target
                .seen()
                .iter()
                .all(|seen| seen.header("host") == Some(&own_host))
        );
        assert_eq!(memory.lines(), ["GET /from"; 2]);
    }
}

#[test]
fn credentials_go_along_as_by_each_of_locusts_clients() {
    let origin = |https, host: &str, port| Origin {
        https,
        host: host.to_owned(),
        port,
    };
    let from = origin(false, "host", 80);
    // where to, whether python-requests takes credentials there, whether geventhttpclient does
    let cases = [
        (from.clone(), true, true),
        (origin(true, "host", 443), true, false),
        (origin(true, "host", 8443), false, false),
        (origin(true, "other", 443), false, false),
        (origin(false, "host", 8080), false, false),
    ];
    for (to, full, fast) in cases {
        let trusted = BOTH.map(|kind| (kind, to.is_trusted_after(&from, kind)));
        let expected = BOTH.map(|kind| (kind, if kind == ClientKind::Full { full } else { fast }));
        assert_eq!(trusted, expected, "{to:?}");
    }
    let (encrypted, plain) = (origin(true, "host", 443), origin(false, "host", 80));
    assert!(!plain.is_trusted_after(&encrypted, ClientKind::Full));
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_a_failure_of_the_first_request() {
    for kind in BOTH {
        let gone = Server::unreachable();
        for (location, error) in [
            (
                "ftp://x/".to_owned(),
                "Redirect to an address that cannot be requested",
            ),
            (
                "http://".to_owned(),
                "Redirect to an address that cannot be requested",
            ),
            (
                gone.to_string(),
                "ConnectionRefusedError(111, 'Connection refused')",
            ),
        ] {
            let server = Server::start(redirect("302 Found", location)).await;
            let (mut client, memory) = client(kind, &server.url);
            client.get("/from").send().await.unwrap_err();
            assert_eq!(memory.lines(), [format!("GET /from -> {error}")]);
        }
    }
}

#[tokio::test]
async fn the_response_time_covers_the_chain() {
    let server = Server::start(redirect("302 Found", "/to".to_owned())).await;
    let (mut client, memory) = client(ClientKind::Fast, &server.url);
    let response = client.get("/from").send().await.unwrap();
    let sample = memory.only();
    assert_eq!(sample.response_time, response.elapsed());
    assert_eq!(
        sample.time_to_first_byte,
        Some(response.time_to_first_byte())
    );
    assert!(response.time_to_first_byte() <= response.elapsed());
}

/// Where to go is in the head: what its body lacks is nothing to the request, as for Locust's clients and browsers.
#[tokio::test]
async fn a_redirect_with_a_broken_body_is_followed() {
    let head = "HTTP/1.1 302 Found\r\nlocation: /to\r\n";
    for kind in BOTH {
        for broken in [
            "content-length: 50\r\n\r\nshort",
            "transfer-encoding: chunked\r\n\r\nzz\r\n",
            "content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone",
        ] {
            let server = Server::start(move |seen: &Seen| {
                if seen.target == "/from" {
                    Reply::WriteAndClose(format!("{head}{broken}").into_bytes())
                } else {
                    Reply::Write(respond("200 OK", &[], b"arrived"))
                }
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            let response = client.get("/from").send().await.unwrap();
            assert_eq!(response.text(), "arrived", "{kind:?} {broken}");
            assert_eq!(memory.only().error, None);
        }
    }
}

#[tokio::test]
async fn a_host_set_for_all_requests_is_for_the_tests_own_host() {
    for kind in BOTH {
        let other = Server::start(redirect("200 OK", String::new())).await;
        let server = Server::start(redirect("302 Found", "/to".to_owned())).await;
        let of_type = client_with(kind, &server.url, |options| {
            let virtual_host = http::HeaderValue::from_static("a.test");
            options.headers.insert("Host", virtual_host);
        });
        let mut of_user = client(kind, &server.url);
        let virtual_host = http::HeaderValue::from_static("a.test");
        of_user.0.headers_mut().insert("Host", virtual_host);
        for (mut client, memory) in [of_type, of_user] {
            client.get("/from").send().await.unwrap();
            client.get(other.url.as_str()).send().await.unwrap();
            assert!(memory.samples().iter().all(|kept| kept.error.is_none()));
        }
        let hosts = |server: &Server| -> Vec<_> {
            let seen = server.seen().into_iter();
            seen.map(|seen| seen.header("host").unwrap().to_owned())
                .collect()
        };
        assert_eq!(hosts(&server), ["a.test"; 4], "{kind:?}");
        let own = format!("127.0.0.1:{}", other.url.port().unwrap());
        assert_eq!(hosts(&other), [own.as_str(); 2], "{kind:?}");
    }
}
