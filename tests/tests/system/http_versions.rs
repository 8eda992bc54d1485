//! Both kinds of users against real servers of HTTP/2: counts equal the servers' logs, virtual hosts are those asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use greylag_scenarios::client::Client;
use greylag_scenarios::{
    FastHttpUser, HttpUser, HttpVersion, Recorder, RequestSample, TaskResult, UserType,
};
use greylag_tests::{Http2Server, ServerKind, Witnessed, heavy};

/// Makes a user type that trusts a certificate.
type MakeUserType = Box<dyn Fn(String) -> UserType>;

/// Rounds of each user.
const ROUNDS: usize = 10;

/// Method, name and error of every request.
#[derive(Default)]
struct Recorded(Mutex<Vec<(String, String, Option<String>)>>);

impl Recorder for Recorded {
    fn request(&self, sample: &RequestSample<'_>) {
        self.0
            .lock()
            .expect("no test panics while it holds it")
            .push((
                sample.method.to_owned(),
                sample.name.to_owned(),
                sample.error.map(str::to_owned),
            ));
    }
    fn user_started(&self) {}
    fn user_stopped(&self) {}
    fn task_error(&self, _: &str, _: &str) {}
}

async fn nothing(_: &mut (), _: &mut Client) -> TaskResult {
    Ok(())
}

/// What a round sends: the virtual hosts, and what only HTTP/1 has.
async fn round(client: &mut Client) {
    assert_eq!(
        client
            .get("/plain")
            .send()
            .await
            .expect("an answer")
            .text()
            .trim(),
        "a"
    );
    let other = client.get("/virtual").header("Host", "b.test");
    assert_eq!(other.send().await.expect("an answer").text().trim(), "b");
    let form = client.post("/form").form(&[("a", "1")]);
    let form = form
        .header("Connection", "keep-alive")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "trailers, deflate");
    assert_eq!(form.send().await.expect("an answer").text().trim(), "a");
    let chunked = client.post("/chunked").body("abc");
    let chunked = chunked.header("Transfer-Encoding", "chunked");
    assert_eq!(chunked.send().await.expect("an answer").text().trim(), "a");
}

async fn rounds(user_type: &UserType, host: &str) -> Vec<(String, String, Option<String>)> {
    let recorded = Arc::new(Recorded::default());
    let mut client = Client::of_type(
        user_type,
        &host.parse().expect("the server's URL"),
        recorded.clone(),
    )
    .expect("a client");
    for _ in 0..ROUNDS {
        round(&mut client).await;
    }
    drop(client);
    let recorded = recorded.0.lock().expect("no test panics while it holds it");
    recorded.clone()
}

fn counted<T: Ord>(all: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

/// Compares what was recorded with what a server saw.
fn compare(recorded: &[(String, String, Option<String>)], seen: &[Witnessed], version: &str) {
    assert!(
        recorded.iter().all(|(.., error)| error.is_none()),
        "{recorded:?}"
    );
    assert!(
        seen.iter()
            .all(|one| one.status == 200 && one.version == version),
        "{seen:?}"
    );
    assert_eq!(
        counted(
            recorded
                .iter()
                .map(|(method, name, _)| (method.as_str(), name.as_str()))
        ),
        counted(
            seen.iter()
                .map(|one| (one.method.as_str(), one.path.as_str()))
        )
    );
    for one in seen {
        let asked = if one.path == "/virtual" {
            "b.test"
        } else {
            "127.0.0.1"
        };
        assert_eq!(one.host, asked, "{one:?}");
    }
}

#[tokio::test]
async fn counts_and_virtual_hosts_are_those_of_the_servers() {
    let _turn = heavy().await;
    for kind in ServerKind::ALL {
        let full = |version| {
            move |pem: String| {
                UserType::from(
                    HttpUser::<()>::new("full")
                        .root_certificate(pem)
                        .http_version(version)
                        .task(1, nothing),
                )
            }
        };
        let users: [(&str, MakeUserType); 4] = [
            ("HTTP/2.0", Box::new(full(HttpVersion::Auto))),
            ("HTTP/2.0", Box::new(full(HttpVersion::Http2))),
            ("HTTP/1.1", Box::new(full(HttpVersion::Http1))),
            (
                "HTTP/1.1",
                Box::new(|pem: String| {
                    FastHttpUser::<()>::new("fast")
                        .root_certificate(pem)
                        .task(1, nothing)
                        .into()
                }),
            ),
        ];
        for (version, user_type) in users {
            let server = Http2Server::start(kind).await;
            let recorded = rounds(&user_type(server.certificate()), &server.url()).await;
            let seen = server.finish(recorded.len()).await;
            compare(&recorded, &seen, version);
        }
    }
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_where_it_is_known_to_be() {
    let _turn = heavy().await;
    let server = Http2Server::start(ServerKind::Node).await;
    let user_type = HttpUser::<()>::new("full")
        .http_version(HttpVersion::Http2)
        .task(1, nothing)
        .into();
    let recorded = rounds(&user_type, &server.cleartext_url()).await;
    let seen = server.finish(recorded.len()).await;
    compare(&recorded, &seen, "HTTP/2.0");
}

#[tokio::test]
async fn what_http_2_cannot_say_is_refused_with_a_message() {
    let _turn = heavy().await;
    let server = Http2Server::start(ServerKind::Node).await;
    let user_type = HttpUser::<()>::new("full")
        .root_certificate(server.certificate())
        .task(1, nothing)
        .into();
    let recorded = Arc::new(Recorded::default());
    let host = server.url().parse().expect("the server's URL");
    let mut client = Client::of_type(&user_type, &host, recorded).expect("a client");
    let upgrade = client.get("/").header("Upgrade", "websocket").send().await;
    let error = upgrade.expect_err("it is refused").to_string();
    assert!(error.contains("HttpVersion::Http1"), "{error}");
    let host = client.get("/").header("Host", "not a host").send().await;
    let error = host.expect_err("it is refused").to_string();
    assert!(error.contains("Host header"), "{error}");
}
