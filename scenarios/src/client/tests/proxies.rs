//! Proxies: the full client's own, and never the environment's.

use std::process::Command;
use std::sync::Arc;

use crate::client::ClientShared;
use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};
use crate::user_builder::HttpUser;
use crate::user_client_options::proxy;
use crate::user_type::UserType;

/// Says to the test in the child process where to send requests.
const TARGET: &str = "GREYLAG_TEST_TARGET";

#[tokio::test]
async fn the_full_client_sends_by_its_proxy() {
    let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"fine"))).await;
    let host = "http://host.invalid".parse().unwrap();
    let (mut client, memory) = client_with(crate::client::ClientKind::Full, &host, |options| {
        let url = server.url.as_str().replace("http://", "http://ada:pw@");
        options.proxy = Some(proxy(&url).unwrap());
    });
    client.get("/x?y").send().await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "http://host.invalid/x?y");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic YWRhOnB3"));
    assert_eq!(memory.lines(), ["GET /x?y"]);
}

#[test]
fn a_proxy_that_is_none_is_refused_with_a_sentence() {
    for url in ["", "proxy:3128", "ftp://proxy", "http://"] {
        let user_type = UserType::from(HttpUser::<()>::new("u").proxy(url));
        let host = "http://localhost".parse().unwrap();
        let refused = ClientShared::new(&host, Arc::clone(user_type.client_options())).err();
        let sentence = refused.unwrap_or_default();
        assert!(sentence.starts_with("the proxy "), "{url:?} {sentence}");
    }
    for url in [
        "http://p:1",
        "https://a:b@p",
        "socks5://p:1",
        "socks5h://p",
        "socks4://p:1",
    ] {
        assert!(proxy(url).is_ok(), "{url}");
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
