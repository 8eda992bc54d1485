//! What a user keeps between two requests: cookies, a name, context; and its forks.

use std::sync::Arc;

use crate::client::ClientKind;
use crate::testing::{BOTH, Memory, Reply, Seen, Server, client, respond};

fn ok(_: &Seen) -> Reply {
    Reply::Write(respond("200 OK", &[], b"fine"))
}

#[tokio::test]
async fn cookies_are_kept_per_user() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let headers: &[(&str, &str)] = match seen.target.as_str() {
                "/login" => &[
                    ("set-cookie", "session=abc; Path=/"),
                    ("set-cookie", "admin=1; Path=/admin"),
                    ("set-cookie", "elsewhere=1; Domain=example.com"),
                    ("set-cookie", "gone=1; Max-Age=0"),
                ],
                "/logout" => &[("set-cookie", "session=; Max-Age=0; Path=/")],
                _ => &[],
            };
            String::from_utf8(respond("200 OK", headers, b"")).unwrap()
        })
        .await;
        let (mut one, _) = client(kind, &server.url);
        let (mut other, _) = client(kind, &server.url);
        one.get("/login").send().await.unwrap();
        assert_eq!(one.cookie("session"), Some("abc"));
        let cookie_of = |server: &Server| {
            let seen = server.seen();
            seen.last().unwrap().header("cookie").map(str::to_owned)
        };
        one.get("/").send().await.unwrap();
        assert_eq!(cookie_of(&server).as_deref(), Some("session=abc"));
        one.get("/admin").send().await.unwrap();
        let both = cookie_of(&server).unwrap();
        assert!(
            both.contains("session=abc") && both.contains("admin=1"),
            "{both}"
        );
        other.get("/").send().await.unwrap();
        assert_eq!(cookie_of(&server), None);
        one.get("/").header("cookie", "own=1").send().await.unwrap();
        assert_eq!(cookie_of(&server).as_deref(), Some("own=1"));
        one.get("/logout").send().await.unwrap();
        one.set_cookie("mine", "2");
        one.get("/").send().await.unwrap();
        assert_eq!(cookie_of(&server).as_deref(), Some("mine=2"));
        let mut all: Vec<_> = one.cookies().collect();
        all.sort_unstable();
        assert_eq!(all, [("admin", "1"), ("mine", "2")]);
        one.remove_cookie("admin");
        one.remove_cookie("no such cookie");
        assert_eq!(one.cookies().collect::<Vec<_>>(), [("mine", "2")]);
        one.clear_cookies();
        one.get("/").send().await.unwrap();
        assert_eq!(cookie_of(&server), None);
    }
}

#[tokio::test]
async fn names_are_those_of_locusts_clients() {
    let server = Server::start(ok).await;
    let whole = format!("{}there?x", server.url);
    let lists = ["/ü b", "", whole.as_str(), "/a#part"];
    let full = ["GET /%C3%BC%20b", "GET /", "GET /there?x", "GET /a"];
    let fast = ["GET /ü b", "GET /", &format!("GET {whole}"), "GET /a#part"];
    for (kind, names) in [(ClientKind::Full, full), (ClientKind::Fast, fast)] {
        let (mut client, memory) = client(kind, &server.url);
        for path in lists {
            client.get(path).send().await.unwrap();
        }
        assert_eq!(memory.lines(), names, "{kind:?}");
    }
}

#[tokio::test]
async fn a_query_reaches_the_name_on_the_full_client_only() {
    let server = Server::start(ok).await;
    for (kind, name) in [
        (ClientKind::Full, "GET /p?n=1"),
        (ClientKind::Fast, "GET /p"),
    ] {
        let (mut client, memory) = client(kind, &server.url);
        client.get("/p").query(&[("n", 1)]).send().await.unwrap();
        let named = client.get("/p/7").name("/p/[id]").query(&[("n", 1)]);
        named.send().await.unwrap();
        assert_eq!(memory.lines(), [name, "GET /p/[id]"]);
        assert_eq!(server.seen().last().unwrap().target, "/p/7?n=1");
    }
}

#[tokio::test]
async fn a_block_of_requests_has_one_name() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, memory) = client(kind, &server.url);
        client.set_request_name(Some("outer"));
        client.get("/1").send().await.unwrap();
        {
            let mut client = client.renamed("block");
            client.get("/2").send().await.unwrap();
            client.get("/3").name("own").send().await.unwrap();
            client.renamed("inner").get("/4").send().await.unwrap();
            client.get("/5").send().await.unwrap();
        }
        client.get("/6").send().await.unwrap();
        client.set_request_name(None);
        client.get("/7").send().await.unwrap();
        let names = ["outer", "block", "own", "inner", "block", "outer", "/7"];
        assert_eq!(memory.lines(), names.map(|name| format!("GET {name}")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_makes_requests_at_the_same_time() {
    for kind in BOTH {
        // Neither is answered before both have asked.
        let both = Arc::new(std::sync::Barrier::new(2));
        let server = Server::start(move |seen: &Seen| {
            if seen.target == "/wait" {
                tokio::task::block_in_place(|| both.wait());
            }
            let cookie = format!("c{}=1; Path=/", seen.connection);
            Reply::Write(respond("200 OK", &[("set-cookie", &cookie)], b"fine"))
        });
        let server = server.await;
        let (mut client, memory) = client(kind, &server.url);
        client.set_cookie("before", "1");
        for _ in 0..3 {
            let mut beside = client.fork();
            if memory.samples().len() >= 2 {
                let (one, two) = tokio::join!(client.get("/").send(), beside.get("/").send());
                one.and(two).unwrap();
            } else {
                let (one, two) =
                    tokio::join!(client.get("/wait").send(), beside.get("/wait").send());
                one.and(two).unwrap();
            }
            client.join(beside);
        }
        assert_eq!(memory.samples().len(), 6);
        assert_eq!(
            server.connections(),
            2,
            "{kind:?}: connections are used again"
        );
        let seen = server.seen();
        assert!(
            seen.iter()
                .all(|seen| seen.header("cookie").unwrap().contains("before=1"))
        );
        let mut names: Vec<_> = client.cookies().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert!(names.starts_with(&["before", "c0", "c1"]), "{names:?}");
    }
}

#[tokio::test]
async fn forks_use_the_connections_that_others_left() {
    for kind in BOTH {
        let server = Server::start(ok).await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/").send().await.unwrap();
        for _ in 0..3 {
            let mut forks: Vec<_> = (0..6).map(|_| client.fork()).collect();
            let requests = forks.iter_mut().map(|fork| fork.get("/").send());
            for answered in futures_util::future::join_all(requests).await {
                answered.unwrap();
            }
            for fork in forks {
                client.join(fork);
            }
        }
        assert_eq!(memory.samples().len(), 19);
        assert_eq!(server.connections(), 6, "{kind:?}");
    }
}

#[tokio::test]
async fn a_fork_is_the_same_user() {
    let server = Server::start(ok).await;
    let (mut client, memory) = client(ClientKind::Fast, &server.url);
    client.set_request_name(Some("grouped"));
    client
        .headers_mut()
        .insert("x-token", http::HeaderValue::from_static("1"));
    let mut fork = client.fork();
    let elsewhere = tokio::spawn(async move { fork.get("/").send().await.map(drop) });
    elsewhere.await.unwrap().unwrap();
    assert_eq!(memory.lines(), ["GET grouped"]);
    assert_eq!(server.seen()[0].header("x-token"), Some("1"));
}

#[tokio::test]
async fn a_client_outside_of_any_run_records_what_it_does() {
    let server = Server::start(ok).await;
    let memory = Arc::new(Memory::default());
    let recorder = memory.clone();
    let client = crate::client::Client::outside_a_run(ClientKind::Fast, &server.url, recorder);
    client.unwrap().get("/").send().await.unwrap();
    assert_eq!(memory.lines(), ["GET /"]);
}
