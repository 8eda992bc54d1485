//! Targets as they cross the wire, and where redirects lead.

use crate::client::ClientKind;
use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

fn fine(_: &Seen) -> Reply {
    Reply::Write(respond("200 OK", &[], b"fine"))
}

#[tokio::test]
async fn strict_servers_get_only_what_they_take() {
    for kind in BOTH {
        let server = Server::start(fine).await;
        let (mut client, memory) = client(kind, &server.url);
        for (path, sent) in [
            (
                "/concepts?ecl=<250637003|Plasma level|",
                "/concepts?ecl=%3C250637003%7CPlasma%20level%7C",
            ),
            (r#"/?filter={"a":1}"#, "/?filter=%7B%22a%22:1%7D"),
            ("/x[1]/{z}/~me?ids[]=1", "/x%5B1%5D/%7Bz%7D/~me?ids%5B%5D=1"),
            ("/100%/x?y=%", "/100%25/x?y=%25"),
            ("/a%20b?c=%C3%A9+d", "/a%20b?c=%C3%A9+d"),
            ("/back\\slash?x=\\", "/back%5Cslash?x=%5C"),
            ("/`^|\"<>", "/%60%5E%7C%22%3C%3E"),
            ("/ü?ü", "/%C3%BC?%C3%BC"),
            (
                "/o'neil?$filter=name eq 'x'",
                "/o'neil?$filter=name%20eq%20'x'",
            ),
            ("/a/%2e%2e/b", "/a/../b"),
            ("//twice", "//twice"),
            ("/a;b=c,d/(e)*f!$&'@:", "/a;b=c,d/(e)*f!$&'@:"),
        ] {
            client.get(path).send().await.unwrap();
            let seen = server.seen();
            assert_eq!(seen.last().unwrap().target, sent, "{kind:?}");
            let sample = memory.samples().pop().unwrap();
            // Locust's FastHttpUser names requests as they were written.
            let name = if kind == ClientKind::Fast { path } else { sent };
            assert_eq!(sample.name, name);
        }
    }
}

#[tokio::test]
async fn parameters_and_forms_are_written_as_by_python() {
    for kind in BOTH {
        let server = Server::start(fine).await;
        let (mut client, _) = client(kind, &server.url);
        let fields = [("q", "a b~c*d%7E"), ("ü", "&=/")];
        client.get("/").query(&fields).send().await.unwrap();
        client.post("/").form(&fields).send().await.unwrap();
        let seen = server.seen();
        let encoded = "q=a+b~c%2Ad%257E&%C3%BC=%26%3D%2F";
        assert_eq!(seen[0].target, format!("/?{encoded}"));
        assert_eq!(seen[1].body, encoded);
    }
}

#[tokio::test]
async fn credentials_are_latin1_where_they_can_be() {
    for kind in BOTH {
        let server = Server::start(fine).await;
        let mut host = server.url.clone();
        host.set_username("jürgen").unwrap();
        host.set_password(Some("p%E4ss")).unwrap();
        let (mut client, _) = client(kind, &host);
        client.get("/").send().await.unwrap();
        client
            .get("/")
            .basic_auth("jürgen", "paß")
            .send()
            .await
            .unwrap();
        client.get("/").basic_auth("ada", "€").send().await.unwrap();
        let sent: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.header("authorization").unwrap().to_owned())
            .collect();
        // base64 of j\xfcrgen:p\xe4ss, of j\xfcrgen:pa\xdf and of ada:\xe2\x82\xac
        assert_eq!(
            sent,
            [
                "Basic avxyZ2VuOnDkc3M=",
                "Basic avxyZ2VuOnBh3w==",
                "Basic YWRhOuKCrA=="
            ]
        );
    }
}

/// A redirect to `location`, byte for byte; everything else is fine.
async fn redirecting(location: &'static [u8]) -> Server {
    Server::start(move |seen: &Seen| {
        if seen.target != "/dir/from" {
            return fine(seen);
        }
        let head = b"HTTP/1.1 302 Found\r\ncontent-length: 5\r\n";
        Reply::Write([head, location, b"\r\nmoved"].concat())
    })
    .await
}

#[tokio::test]
async fn a_redirect_to_nothing_is_the_response() {
    for kind in BOTH {
        for location in [
            &b"location:\r\n"[..],
            b"location: \r\n",
            b"location: \t \r\n",
            b"x-no-location: /x\r\n",
        ] {
            let server = redirecting(location).await;
            let (mut client, memory) = client(kind, &server.url);
            let response = client.get("/dir/from").send().await.unwrap();
            assert_eq!(response.status(), 302);
            assert_eq!(response.text(), "moved");
            assert_eq!(server.seen().len(), 1);
            assert_eq!(memory.lines(), ["GET /dir/from"]);
        }
    }
}

#[tokio::test]
async fn locations_are_read_as_bytes_and_encoded() {
    for kind in BOTH {
        for (location, target) in [
            (&b"location: next?x=|\r\n"[..], "/dir/next?x=%7C"),
            (b"location: /caf\xc3\xa9 {z}\r\n", "/caf%C3%A9%20%7Bz%7D"),
            (b"location: /caf\xe9\r\n", "/caf%E9"),
            (b"location: ../up#part\r\n", "/up"),
            (b"location: ?own=1\r\n", "/dir/from?own=1"),
            (b"location: /kept%2Fas?it=%20is\r\n", "/kept%2Fas?it=%20is"),
        ] {
            let server = redirecting(location).await;
            let (mut client, _) = client(kind, &server.url);
            client.get("/dir/from").send().await.unwrap();
            let seen = server.seen();
            assert_eq!(seen.len(), 2);
            assert_eq!(seen[1].target, target, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn several_locations_are_followed_as_by_locusts_clients() {
    let two = b"location: /a\r\nlocation: /b\r\n";
    let server = redirecting(two).await;
    let (mut full, _) = client(ClientKind::Full, &server.url);
    full.get("/dir/from").send().await.unwrap();
    assert_eq!(server.seen()[1].target, "/a,%20/b");
    let server = redirecting(two).await;
    let (mut fast, _) = client(ClientKind::Fast, &server.url);
    assert_eq!(fast.get("/dir/from").send().await.unwrap().status(), 302);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_fragment_alone_leads_round_in_circles() {
    for kind in BOTH {
        let server = redirecting(b"location: #part\r\n").await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/dir/from").send().await.unwrap_err();
        assert_eq!(server.seen().len(), 31);
        assert_eq!(
            memory.lines(),
            ["GET /dir/from -> TooManyRedirects('Exceeded 30 redirects.')"]
        );
    }
}
