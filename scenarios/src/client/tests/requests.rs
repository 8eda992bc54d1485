//! What goes out: methods, headers, queries, bodies, cookies, names.

use http::{HeaderValue, Method};
use serde_json::json;

use crate::client::ClientKind;
use crate::testing::{BOTH, Seen, Server, client, respond};

fn ok(_: &Seen) -> String {
    String::from_utf8(respond("200 OK", &[], b"fine")).unwrap()
}

/// Headers that every client may order and frame as it likes.
fn comparable(mut seen: Seen) -> Seen {
    seen.headers.sort();
    seen.connection = 0;
    seen
}

#[tokio::test]
async fn both_clients_send_the_same_requests() {
    let mut sent = Vec::new();
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, memory) = client(kind, &server.url);
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE",
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = client.request(method.clone(), "/any");
            if method == Method::HEAD {
                // Its answer has no body, whatever the server writes.
                continue;
            }
            request.send().await.unwrap();
        }
        client
            .get("/q?a=1")
            .query(&[("b", "x y"), ("c", "ü")])
            .send()
            .await
            .unwrap();
        client
            .post("/form")
            .form(&[("user", "ada & co")])
            .send()
            .await
            .unwrap();
        client
            .post("/json")
            .json(&json!({"a": [1, 2]}))
            .send()
            .await
            .unwrap();
        client
            .put("/text")
            .body("hello")
            .header("x-own", "1")
            .send()
            .await
            .unwrap();
        client
            .put("/bytes")
            .body(vec![1_u8, 2, 3])
            .send()
            .await
            .unwrap();
        client
            .get("/agent")
            .header("user-agent", "mine")
            .send()
            .await
            .unwrap();
        client
            .get("/basic")
            .basic_auth("ada", "pw")
            .send()
            .await
            .unwrap();
        client
            .get("/bearer")
            .bearer_auth("t0ken")
            .send()
            .await
            .unwrap();
        assert!(memory.samples().iter().all(|kept| kept.error.is_none()));
        let port = format!(":{}", server.url.port().unwrap());
        let seen: Vec<Seen> = server
            .seen()
            .into_iter()
            .map(|mut seen| {
                seen.names.clear();
                // As in Locust: what is asked for, and whether bodies say what they are, is up to the client.
                let is_full = kind == ClientKind::Full;
                let accepts = match seen.target.as_str() {
                    _ if is_full => Some("*/*"),
                    "/json" => Some("application/json"),
                    _ => None,
                };
                assert_eq!(seen.header("accept"), accepts, "{}", seen.target);
                seen.headers.retain(|(name, _)| name != "accept");
                let says = match seen.target.as_str() {
                    "/form" if is_full => Some("application/x-www-form-urlencoded"),
                    "/form" => Some("application/x-www-form-urlencoded; charset=utf-8"),
                    "/json" => Some("application/json"),
                    "/text" if !is_full => Some("text/plain; charset=utf-8"),
                    "/bytes" if !is_full => Some("application/octet-stream"),
                    _ => None,
                };
                assert_eq!(seen.header("content-type"), says, "{}", seen.target);
                seen.headers.retain(|(name, _)| name != "content-type");
                for (_, value) in &mut seen.headers {
                    *value = value.replace(&port, ":port");
                }
                comparable(seen)
            })
            .collect();
        sent.push(seen);
    }
    assert_eq!(sent[0], sent[1]);
    let seen = &sent[0];
    let by_target = |target: &str| seen.iter().find(|seen| seen.target == target).unwrap();

    let plain = &seen[0];
    assert_eq!(plain.header("host"), Some("127.0.0.1:port"));
    assert_eq!(plain.header("accept-encoding"), Some("gzip, deflate, br"));
    let agent = concat!("greylag/", env!("CARGO_PKG_VERSION"));
    assert_eq!(plain.header("user-agent"), Some(agent));
    assert_eq!(plain.header("content-length"), None);

    by_target("/q?a=1&b=x+y&c=%C3%BC");
    let form = by_target("/form");
    assert_eq!(form.body, "user=ada+%26+co");
    let json = by_target("/json");
    assert_eq!(json.body, r#"{"a": [1, 2]}"#);
    assert_eq!(by_target("/text").header("x-own"), Some("1"));
    assert_eq!(by_target("/text").header("content-length"), Some("5"));
    assert_eq!(by_target("/agent").header("user-agent"), Some("mine"));
    assert_eq!(
        by_target("/basic").header("authorization"),
        Some("Basic YWRhOnB3")
    );
    assert_eq!(
        by_target("/bearer").header("authorization"),
        Some("Bearer t0ken")
    );
}

#[tokio::test]
async fn head_and_bodiless_posts_are_alike() {
    let mut sent = Vec::new();
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let body: &[u8] = if seen.method == "HEAD" { b"" } else { b"x" };
            String::from_utf8(respond("200 OK", &[], body)).unwrap()
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        for _ in 0..2 {
            client.head("/").send().await.unwrap();
            client.post("/").send().await.unwrap();
            client.delete("/").send().await.unwrap();
        }
        let lengths: Vec<Option<String>> = server
            .seen()
            .iter()
            .map(|seen| seen.header("content-length").map(str::to_owned))
            .collect();
        assert_eq!(server.connections(), 1);
        sent.push((lengths, memory.lines()));
    }
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn paths_are_appended_to_the_host_text_to_text() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let cases = [
            // host's path, path, target on the wire
            ("", "/a", "/a"),
            ("", "", "/"),
            ("", "a", "/a"),
            ("", "?x=1", "/?x=1"),
            ("", "//a", "//a"),
            ("/", "/a", "/a"),
            ("/api", "/a", "/api/a"),
            ("/api", "v1", "/apiv1"),
            ("/api/", "/a", "/api//a"),
            ("/api/", "a", "/api/a"),
            ("/api", "?x=1", "/api?x=1"),
            ("/api", "", "/api"),
            ("", "/ü b", "/%C3%BC%20b"),
            ("", "/a#part", "/a"),
        ];
        for (base, path, target) in cases {
            let host = server.url.join(base).unwrap();
            let (mut client, _) = client(kind, &host);
            client.get(path).send().await.unwrap();
            assert_eq!(
                server.seen().last().unwrap().target,
                target,
                "{base} {path}"
            );
        }
        let (mut client, memory) = client(kind, &"http://host.invalid".parse().unwrap());
        let url = server.url.as_str().replace("http:", "HTTP:");
        client.get(format!("{url}there?x")).send().await.unwrap();
        assert_eq!(server.seen().last().unwrap().target, "/there?x");
        assert_eq!(memory.only().length, 4);
    }
}

#[tokio::test]
async fn user_and_password_of_a_url_are_sent_and_never_a_name() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, memory) = client(kind, &"http://host.invalid".parse().unwrap());
        let url = server.url.as_str().replace("http://", "http://ada:p%20w@");
        client.get(format!("{url}x?y")).send().await.unwrap();
        let seen = &server.seen()[0];
        assert_eq!(seen.header("authorization"), Some("Basic YWRhOnAgdw=="));
        assert_eq!(memory.lines(), ["GET /x?y"]);
    }
}

#[tokio::test]
async fn more_paths_than_are_remembered_do_no_harm() {
    let server = Server::start(ok).await;
    let (mut client, memory) = client(ClientKind::Fast, &server.url);
    for round in 0..3 {
        for path in 0..40 {
            client.get(format!("/{path}")).send().await.unwrap();
            let target = server.seen().last().unwrap().target.clone();
            assert_eq!(target, format!("/{path}"), "round {round}");
        }
    }
    assert_eq!(memory.samples().len(), 120);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn user_and_password_of_the_host_are_sent_as_basic_auth() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let mut host = server.url.clone();
        host.set_username("ada").unwrap();
        host.set_password(Some("p w")).unwrap();
        let (mut client, memory) = client(kind, &host);
        client.get("/x").send().await.unwrap();
        assert_eq!(
            server.seen()[0].header("authorization"),
            Some("Basic YWRhOnAgdw==")
        );
        assert_eq!(memory.only().name, "/x");
    }
}

#[tokio::test]
async fn headers_of_the_client_are_sent_until_changed() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, _) = client(kind, &server.url);
        client
            .headers_mut()
            .insert("x-token", HeaderValue::from_static("1"));
        client.get("/").send().await.unwrap();
        client.headers_mut().remove("x-token");
        client.get("/").send().await.unwrap();
        let tokens: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.header("x-token").is_some())
            .collect();
        assert_eq!(tokens, [true, false]);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_no_failed_request() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, memory) = client(kind, &server.url);
        let unserializable = std::collections::BTreeMap::from([(vec![1], 1)]);
        for error in [
            client
                .get("/")
                .header("bad name", "x")
                .send()
                .await
                .unwrap_err(),
            client
                .get("/")
                .header("x", "bad\nvalue")
                .send()
                .await
                .unwrap_err(),
            client
                .get("/")
                .json(&unserializable)
                .send()
                .await
                .unwrap_err(),
            client.get("http://").send().await.unwrap_err(),
            client.get("/").query(&"no pairs").send().await.unwrap_err(),
        ] {
            assert!(!error.is_recorded(), "{error}");
        }
        assert!(memory.samples().is_empty());
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_header_may_have_several_values() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, _) = client(kind, &server.url);
        client
            .headers_mut()
            .insert("x-many", HeaderValue::from_static("0"));
        let mut headers = http::HeaderMap::new();
        for value in ["1", "2"] {
            headers.append("x-many", HeaderValue::from_static(value));
        }
        client.get("/").headers(headers).send().await.unwrap();
        let seen = &server.seen()[0];
        let values = seen.headers.iter().filter(|(name, _)| name == "x-many");
        assert_eq!(
            values.map(|(_, value)| value).collect::<Vec<_>>(),
            ["1", "2"]
        );
    }
}

#[tokio::test]
async fn a_missing_body_has_a_length_where_one_is_expected() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, _) = client(kind, &server.url);
        for method in ["GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            client.request(method, "/").send().await.unwrap();
        }
        let lengths: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.header("content-length").map(str::to_owned))
            .collect();
        let nothing = Some("0".to_owned());
        let (with, without) = (nothing, None);
        let expected = [&without, &without, &with, &with, &with, &with];
        assert!(lengths.iter().eq(expected), "{kind:?}: {lengths:?}");
    }
}

#[tokio::test]
async fn secure_cookies_do_not_go_out_in_the_clear() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| {
            let cookies = [("set-cookie", "a=1; Secure"), ("set-cookie", "b=2")];
            String::from_utf8(respond("200 OK", &cookies, b"fine")).unwrap()
        })
        .await;
        let (mut client, _) = client(kind, &server.url);
        client.get("/").send().await.unwrap();
        client.get("/").send().await.unwrap();
        assert_eq!(server.seen()[1].header("cookie"), Some("b=2"), "{kind:?}");
    }
}

#[tokio::test]
async fn an_empty_query_is_not_sent() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, _) = client(kind, &server.url);
        client.get("/path?").send().await.unwrap();
        client
            .get("/path?#top")
            .query(&[("a", "1")])
            .send()
            .await
            .unwrap();
        let targets: Vec<_> = server.seen().into_iter().map(|seen| seen.target).collect();
        assert_eq!(targets, ["/path", "/path?a=1"], "{kind:?}");
    }
}

#[test]
fn default_headers_that_are_none_are_refused_before_load() {
    use crate::prelude::*;
    async fn nothing(_: &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }
    let with = |name: &str, value: &str| {
        let user = FastHttpUser::<()>::new("User").task(1, nothing);
        UserType::from(user.default_header(name, value)).check()
    };
    assert!(with("X-Client", "editor").is_ok());
    for (name, value) in [("X Client", "editor"), ("X-Client", "a\nb")] {
        let message = with(name, value).unwrap_err().to_string();
        assert!(message.contains("default header"), "{message}");
    }
}

/// What a request under way may take, in bytes: it is moved a few times, and every user whose request is under way
/// holds one. The trace of a request is 48 of them.
const REQUEST_BYTES: usize = 2_880;

#[tokio::test]
async fn a_request_under_way_is_small() {
    let server = Server::start(ok).await;
    let (mut client, _) = client(ClientKind::Fast, &server.url);
    let bytes = size_of_val(&client.get("/").send());
    assert!(bytes <= REQUEST_BYTES, "{bytes} bytes");
}
