//! Proxies: the full client's own, and never the environment's.

use std::process::Command;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::transport::http1::open_tunnel;
use crate::client::transport::stream::Stream;
use crate::client::{ClientKind, ClientProxy, ClientShared};
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};
use crate::user::{HttpUser, UserType};

/// Says to the test in the child process where to send requests.
const TARGET: &str = "GREYLAG_TEST_TARGET";

#[tokio::test]
async fn the_full_client_sends_by_its_proxy() {
    let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"fine"))).await;
    let host = "http://host.invalid".parse().unwrap();
    let (mut client, memory) = client_with(ClientKind::Full, &host, |options| {
        let url = server.url.as_str().replace("http://", "http://ada:pw@");
        options.proxy = Some(ClientProxy::parse(&url).unwrap());
    });
    client.get("/x?y").send().await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "http://host.invalid/x?y");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic YWRhOnB3"));
    assert_eq!(memory.lines(), ["GET /x?y"]);
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel() {
    let (certificate, target) = tls_target().await;
    let authority = target.url.authority().to_owned();
    let (proxy_url, asked) = tunnelling_proxy("HTTP/1.1 200 Connection established\r\n\r\n").await;
    let (mut client, memory) = client_with(ClientKind::Full, &target.url, |options| {
        options.proxy =
            Some(ClientProxy::parse(&proxy_url.replace("http://", "http://ada:pw@")).unwrap());
        options.tls.authorities.push(certificate.clone());
    });
    client.get("/x").send().await.unwrap();
    client.get("/x").send().await.unwrap();
    assert_eq!(memory.lines(), ["GET /x"; 2]);
    assert_eq!(target.seen()[0].header("proxy-authorization"), None);
    let asked = asked.lock().unwrap();
    let expected = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: Basic YWRhOnB3\r\n\r\n"
    );
    assert_eq!(*asked, [expected], "one tunnel serves both");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_reported() {
    let (certificate, target) = tls_target().await;
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let (proxy_url, _) = tunnelling_proxy(answer).await;
    let (mut client, memory) = client_with(ClientKind::Full, &target.url, |options| {
        options.proxy = Some(ClientProxy::parse(&proxy_url).unwrap());
        options.tls.authorities.push(certificate.clone());
    });
    client.get("/x").send().await.unwrap_err();
    let error = "The proxy refused the connection: 407 Proxy Authentication Required";
    assert_eq!(memory.lines(), [format!("GET /x -> {error}")]);
}

#[tokio::test]
async fn socks_proxies_pass_requests_on() {
    let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"fine"))).await;
    for (scheme, credentials) in [
        ("socks5", ""),
        ("socks5h", "ada:pw@"),
        ("socks4", ""),
        ("socks4a", ""),
    ] {
        let socks = socks_proxy(server.url.port().unwrap()).await;
        let (mut client, memory) = client_with(ClientKind::Full, &server.url, |options| {
            let url = format!("{scheme}://{credentials}127.0.0.1:{socks}");
            options.proxy = Some(ClientProxy::parse(&url).unwrap());
        });
        client.get("/").send().await.unwrap();
        assert_eq!(memory.lines(), ["GET /"], "{scheme}");
    }
}

/// A server that speaks first (HTTP/2 without TLS) may do so in the same packet as the proxy's answer.
#[tokio::test]
async fn what_comes_with_the_proxys_answer_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = async {
        let (mut client, _) = listener.accept().await.unwrap();
        read_head(&mut client).await;
        let answer = b"HTTP/1.1 200 OK\r\n\r\nfirst";
        client.write_all(answer).await.unwrap();
        client.write_all(b", second").await.unwrap();
    };
    let user = async {
        let mut stream = Stream::Tcp(TcpStream::connect(address).await.unwrap());
        let said = open_tunnel(&mut stream, "host:1", None).await.unwrap();
        let mut stream = stream.after(said);
        let mut start = [0; 2];
        stream.read_exact(&mut start).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&start, rest.as_str()), (b"fi", "rst, second"));
    };
    tokio::join!(proxy, user);
}

/// The usual ports of a host are reached by a proxy that takes its place.
#[tokio::test]
async fn credentials_follow_a_host_to_https() {
    let (certificate, target) = tls_target_named("host.invalid").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_url = format!("http://{}", listener.local_addr().unwrap());
    let port = target.url.port().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            if !read_head(&mut client).await.starts_with("CONNECT ") {
                let answer = "HTTP/1.1 302 Found\r\nLocation: https://host.invalid/to\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                client.write_all(answer.as_bytes()).await.unwrap();
                continue;
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    });
    let host = "http://host.invalid".parse().unwrap();
    let (mut client, memory) = client_with(ClientKind::Full, &host, |options| {
        options.proxy = Some(ClientProxy::parse(&proxy_url).unwrap());
        options.tls.authorities.push(certificate.clone());
    });
    client
        .get("/from")
        .bearer_auth("secret")
        .send()
        .await
        .unwrap();
    assert_eq!(memory.lines(), ["GET /from"]);
    let seen = &target.seen()[0];
    assert_eq!(seen.target, "/to");
    assert_eq!(seen.header("authorization"), Some("Bearer secret"));
}

async fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A target over TLS, and the certificate that it is trusted by.
async fn tls_target() -> (Vec<u8>, Server) {
    tls_target_named("127.0.0.1").await
}

async fn tls_target_named(host: &str) -> (Vec<u8>, Server) {
    let own = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let server = Server::start_tls(super::certificates::acceptor(&own, None), |_: &Seen| {
        Reply::Write(respond("200 OK", &[], b"fine"))
    });
    (own.cert.pem().into_bytes(), server.await)
}

/// A proxy that answers CONNECT with this, and then passes on; its URL, and what it was asked.
async fn tunnelling_proxy(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let head = read_head(&mut client).await;
            let target = head.split(' ').nth(1).unwrap().to_owned();
            heard.lock().unwrap().push(head);
            client.write_all(answer.as_bytes()).await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (url, asked)
}

/// A SOCKS proxy of both versions that connects to this port of 127.0.0.1 whatever it is asked for; its own port.
async fn socks_proxy(target: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        if client.read_u8().await.unwrap() == 4 {
            // Command, port, address; then texts that end with a zero: the user, with 4a the host, too.
            let mut fixed = [0; 7];
            client.read_exact(&mut fixed).await.unwrap();
            let texts = if fixed[3..6] == [0, 0, 0] { 2 } else { 1 };
            for _ in 0..texts {
                while client.read_u8().await.unwrap() != 0 {}
            }
            client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).await.unwrap();
        } else {
            let mut methods = vec![0; usize::from(client.read_u8().await.unwrap())];
            client.read_exact(&mut methods).await.unwrap();
            client.write_all(&[5, methods[0]]).await.unwrap();
            if methods[0] == 2 {
                assert_eq!(client.read_u8().await.unwrap(), 1);
                for expected in [&b"ada"[..], b"pw"] {
                    let mut text = vec![0; usize::from(client.read_u8().await.unwrap())];
                    client.read_exact(&mut text).await.unwrap();
                    assert_eq!(text, expected);
                }
                client.write_all(&[1, 0]).await.unwrap();
            }
            let mut request = [0; 4];
            client.read_exact(&mut request).await.unwrap();
            let length = match request[3] {
                1 => 4,
                4 => 16,
                _ => usize::from(client.read_u8().await.unwrap()),
            };
            let mut address = vec![0; length + 2];
            client.read_exact(&mut address).await.unwrap();
            client
                .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                .await
                .unwrap();
        }
        let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    port
}

#[test]
fn a_proxy_that_is_none_is_refused_with_a_message() {
    for url in ["", "proxy:3128", "ftp://proxy", "http://"] {
        let user_type = UserType::from(HttpUser::<()>::new("u").proxy(url));
        let host = "http://localhost".parse().unwrap();
        let refused = ClientShared::new(&host, Arc::clone(user_type.client_options())).err();
        let message = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("the proxy "), "{url:?} {message}");
    }
    for url in [
        "http://p:1",
        "https://a:b@p",
        "socks5://p:1",
        "socks5h://p",
        "socks4://p:1",
    ] {
        assert!(ClientProxy::parse(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"fine"))).await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "--ignored"])
        .arg("client::tests::proxies::requests_of_a_process_with_proxies")
        .env(TARGET, server.url.as_str());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:9");
    }
    let ended = tokio::task::spawn_blocking(move || child.output()).await;
    let output = ended.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(server.seen().len(), 2, "{text}");
}

#[tokio::test]
#[ignore = "runs in a child process of another test"]
async fn requests_of_a_process_with_proxies() {
    let host = std::env::var(TARGET).unwrap().parse().unwrap();
    for kind in BOTH {
        client(kind, &host).0.get("/").send().await.unwrap();
    }
}
