//! Cookies as they cross the wire: the same bytes back, in the standard's order, until they end.

use crate::testing::{BOTH, Reply, Seen, Server, client};

/// An answer with these `Set-Cookie` headers, byte for byte.
fn setting(cookies: &[&[u8]]) -> Reply {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n".to_vec();
    for cookie in cookies {
        answer.extend([b"set-cookie: ", *cookie, b"\r\n"].concat());
    }
    answer.extend(b"\r\nfine");
    Reply::Write(answer)
}

fn last_cookie(server: &Server) -> Option<String> {
    server.seen().last()?.header("cookie").map(str::to_owned)
}

#[tokio::test]
async fn the_same_bytes_go_back() {
    for kind in BOTH {
        for (cookie, sent, text) in [
            (&b"a=caf\xc3\xa9; Path=/"[..], "a=café", "café"),
            (b"a=caf\xe9; Path=/", "a=caf\u{e9}", "caf\u{e9}"),
            (
                b"a=\xff\xfe\x80",
                "a=\u{ff}\u{fe}\u{80}",
                "\u{ff}\u{fe}\u{80}",
            ),
            (
                b"a=\"quoted, value\"",
                "a=\"quoted, value\"",
                "\"quoted, value\"",
            ),
            (b"a=x=y==", "a=x=y==", "x=y=="),
        ] {
            let server = Server::start(move |_: &Seen| setting(&[cookie])).await;
            let (mut client, memory) = client(kind, &server.url);
            client.get("/").send().await.unwrap();
            client.get("/").send().await.unwrap();
            assert_eq!(last_cookie(&server).as_deref(), Some(sent), "{kind:?}");
            assert_eq!(client.cookie("a"), Some(text));
            assert_eq!(client.cookies().collect::<Vec<_>>(), [("a", text)]);
            assert_eq!(memory.lines(), ["GET /"; 2]);
        }
    }
}

#[tokio::test]
async fn longer_paths_go_first_then_older_cookies() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| match seen.target.as_str() {
            "/first" => setting(&[
                b"a=root; Path=/",
                b"z=1; Path=/",
                b"m=2; Path=/",
                b"a=show; Path=/show",
            ]),
            "/again" => setting(&[b"z=3; Path=/"]),
            _ => setting(&[]),
        })
        .await;
        for _ in 0..20 {
            let (mut client, _) = client(kind, &server.url);
            client.get("/first").send().await.unwrap();
            client.get("/again").send().await.unwrap();
            client.get("/show/x").send().await.unwrap();
            assert_eq!(
                last_cookie(&server).as_deref(),
                Some("a=show; a=root; z=3; m=2")
            );
        }
    }
}

#[tokio::test]
async fn cookies_end_by_dates_in_any_spelling() {
    for kind in BOTH {
        for date in [
            "Thu, 1 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Thu, 01 Jan 1970 00:00:00",
            "Thursday, 01-Jan-1970 00:00:00 GMT",
            "thu, 01 jan 1970 00:00:00 gmt",
            "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
        ] {
            let end = format!("sid=deleted; Path=/; expires={date}");
            let server = Server::start(move |seen: &Seen| match seen.target.as_str() {
                "/login" => setting(&[b"sid=1; Path=/; expires=Fri, 31 Dec 2099 23:59:59 GMT"]),
                "/logout" => setting(&[end.as_bytes()]),
                _ => setting(&[]),
            })
            .await;
            let (mut client, _) = client(kind, &server.url);
            client.get("/login").send().await.unwrap();
            client.get("/logout").send().await.unwrap();
            assert_eq!(last_cookie(&server).as_deref(), Some("sid=1"));
            client.get("/").send().await.unwrap();
            assert_eq!(last_cookie(&server), None, "{date}");
            assert_eq!(client.cookie("sid"), None);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_set() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| setting(&[])).await;
        let (mut client, memory) = client(kind, &server.url);
        client.set_cookie("good", "grüße");
        client.set_cookie("bad", "x\r\nX-Injected: 1");
        client.get("/").send().await.unwrap();
        assert_eq!(last_cookie(&server).as_deref(), Some("good=grüße"));
        assert_eq!(memory.lines(), ["GET /"]);
    }
}
