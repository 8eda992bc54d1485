//! A real nginx before the coordinator and before the target: Host and Origin, a path, TLS.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use futures_util::future::join_all;
use greylag_tests::{Answer, Api, Cluster, Nginx, START_TIMEOUT, answer, free_port};
use reqwest::{Method, StatusCode};
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

const TOKEN: &str = "correct-horse-battery-staple";

/// The port of `http://127.0.0.1:port`.
fn port_of(url: &str) -> &str {
    url.rsplit(':').next().expect("a port")
}

/// What the README says nginx needs, but for `location` and `proxy_pass`.
const HEADERS: &str = "proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_read_timeout 1h;
    client_max_body_size 2m;";

/// Signs in as a browser does that sees the coordinator at this origin.
async fn sign_in(base: &str, origin: &str) -> Answer {
    let api = Api::new(base.to_owned());
    let request = api
        .request(Method::POST, "/login")
        .header("origin", origin)
        .header("sec-fetch-site", "same-origin")
        .form(&[("token", TOKEN)]);
    answer("/login", request.send().await).await
}

#[tokio::test]
async fn plain_proxy_pass_works_with_a_public_url_and_says_so_without() {
    let port = free_port();
    let public = format!("http://127.0.0.1:{port}");
    for named in [false, true] {
        let mut options = vec!["--token", TOKEN];
        if named {
            options.extend(["--public-url", &public]);
        }
        let cluster = Cluster::start_with(&greylag(), &options).await;
        let upstream = cluster.api().url().to_owned();
        let location = format!("location / {{ proxy_pass {upstream}; }}");
        let _nginx = Nginx::start_server(port, "", &location).await;
        let answer = sign_in(&public, &public).await;
        if named {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        } else {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
            for words in ["proxy_set_header Host $http_host", "--public-url"] {
                assert!(answer.body.contains(words), "{}", answer.body);
            }
        }
        let evil = sign_in(&public, "http://evil.example").await;
        assert_eq!(evil.status, StatusCode::FORBIDDEN, "{evil:?}");
    }
}

#[tokio::test]
async fn a_host_without_its_port_works_with_a_public_url() {
    let port = free_port();
    let public = format!("http://127.0.0.1:{port}");
    let cluster =
        Cluster::start_with(&greylag(), &["--token", TOKEN, "--public-url", &public]).await;
    let upstream = cluster.api().url();
    let location = format!("location / {{ proxy_pass {upstream}; proxy_set_header Host $host; }}");
    let _nginx = Nginx::start_server(port, "", &location).await;
    let answer = sign_in(&public, &public).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
}

/// The configuration of the README: everything below a path, whether or not nginx takes the path away.
#[tokio::test]
async fn below_a_path_pages_agents_and_the_command_line_work() {
    let target = Nginx::start().await;
    for pass in ["", "/"] {
        let port = free_port();
        let public = format!("http://127.0.0.1:{port}/greylag");
        let mut cluster =
            Cluster::start_with(&greylag(), &["--token", TOKEN, "--base-path", "/greylag"]).await;
        let upstream = format!("http://127.0.0.1:{}", port_of(cluster.api().url()));
        let location = format!("location /greylag/ {{ proxy_pass {upstream}{pass}; {HEADERS} }}");
        let _nginx = Nginx::start_server(port, "", &location).await;
        let origin = format!("http://127.0.0.1:{port}");
        let signed_in = sign_in(&public, &origin).await;
        assert_eq!(signed_in.status, StatusCode::SEE_OTHER, "{signed_in:?}");

        cluster.start_agent_at(&public, "east", "lab", &["--token", TOKEN]);
        let api = Api::new(public.clone()).with_token(TOKEN);
        api.wait_for_agents("lab", 1, START_TIMEOUT).await;
        let ended = greylag()
            .run(
                &[
                    "run",
                    "--coordinator",
                    &public,
                    "--token",
                    TOKEN,
                    "--infrastructure",
                    "lab",
                    "--scenario",
                    "shop",
                    "--host",
                    &target.url(),
                    "--users",
                    "2",
                    "--duration",
                    "2s",
                ],
                RUN_TIMEOUT,
            )
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stdout.contains(&format!("{public}/runs/")),
            "{ended:?}"
        );
        let page = api.get("/").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("href=\"/greylag/runs/"), "{}", page.body);
        // The first event comes through before the stream ends.
        let mut events = api
            .request(Method::GET, "/api/v1/events")
            .send()
            .await
            .expect("an answer");
        let first = tokio::time::timeout(SOON, events.chunk()).await;
        let first = first.expect("an event in time").expect("a stream");
        assert!(first.is_some_and(|chunk| chunk.starts_with(b"event: change")));
    }
}

/// A wrong token from this address of this machine, sent by a client that says that it is somewhere else.
async fn send_wrong_token(url: &str, from: [u8; 4]) -> Answer {
    let client = reqwest::Client::builder().local_address(IpAddr::from(from));
    let request = client
        .build()
        .expect("a client")
        .get(format!("{url}/api/v1/runs"))
        .header("x-forwarded-for", "192.0.2.1")
        .bearer_auth("wrong");
    answer("/api/v1/runs", request.send().await).await
}

/// Wrong tokens of one sender wait in line for each other, at most five; whoever sends more hears that there were too many. So
/// senders behind a trusted proxy, five tokens each, are not in each other's way.
#[tokio::test]
async fn clients_behind_a_trusted_proxy_do_not_slow_each_other() {
    let options = ["--token", TOKEN, "--trusted-proxy", "127.0.0.1"];
    let mut cluster = Cluster::start_with(&greylag(), &options).await;
    let port = free_port();
    let upstream = cluster.api().url().to_owned();
    let location = format!("location / {{ proxy_pass {upstream}; {HEADERS} }}");
    let _nginx = Nginx::start_server(port, "", &location).await;
    let through = format!("http://127.0.0.1:{port}");
    let sent = (0..10).map(|number| send_wrong_token(&through, [127, 0, 0, 2 + number % 2]));
    for answer in join_all(sent).await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        assert!(!answer.body.contains("too many"), "{answer:?}");
    }
    let log = cluster.coordinator().output();
    assert!(log.contains("most recently from 127.0.0."), "{log}");
    assert!(!log.contains("192.0.2.1"), "{log}");
    assert!(!log.contains("from 127.0.0.1 "), "{log}");
}

/// Only a proxy's word is taken, and only that of one that was named.
#[tokio::test]
async fn a_forged_address_counts_for_nothing() {
    let trusted = [
        "--trusted-proxy",
        "127.0.0.1",
        "--trusted-proxy",
        "10.0.0.0/8",
    ];
    for (options, from) in [(&trusted[..], [127, 0, 0, 4]), (&[], [127, 0, 0, 1])] {
        let options = [&["--token", TOKEN], options].concat();
        let mut cluster = Cluster::start_with(&greylag(), &options).await;
        let url = cluster.api().url().to_owned();
        let answer = send_wrong_token(&url, from).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        let log = cluster.coordinator().output();
        let said = format!("most recently from {} ", IpAddr::from(from));
        assert!(log.contains(&said), "{log}");
    }
}

/// A self-signed certificate as `openssl req -x509` makes it: an authority's, used by a server.
fn self_signed(directory: &Path) {
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a valid name");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(directory.join("cert.pem"), certificate.pem()).expect("ours");
    fs::write(directory.join("key.pem"), key.serialize_pem()).expect("ours");
}

async fn tls_server(directory: &Path, location: &str) -> (Nginx, String) {
    self_signed(directory);
    let port = free_port();
    let directives = format!(
        "ssl_certificate {0}/cert.pem;\nssl_certificate_key {0}/key.pem;\n{location}",
        directory.display()
    );
    let nginx = Nginx::start_server(port, "ssl", &directives).await;
    (nginx, format!("https://127.0.0.1:{port}"))
}

#[tokio::test]
async fn a_private_certificate_before_the_coordinator_is_trusted_with_ca() {
    let target = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let mut cluster = Cluster::start_with(&greylag(), &["--token", TOKEN]).await;
    let upstream = cluster.api().url().to_owned();
    let location = format!("location / {{ proxy_pass {upstream}; {HEADERS} }}");
    let (_nginx, url) = tls_server(directory.path(), &location).await;
    let ca = directory.path().join("cert.pem").display().to_string();

    cluster.start_agent_at(&url, "east", "lab", &["--token", TOKEN, "--ca", &ca]);
    let api = cluster.api().clone().with_token(TOKEN);
    api.wait_for_agents("lab", 1, START_TIMEOUT).await;
    let run = async |more: &[&str]| {
        let flags = [
            "run",
            "--coordinator",
            &url,
            "--token",
            TOKEN,
            "--infrastructure",
            "lab",
            "--scenario",
            "shop",
            "--users",
            "2",
            "--duration",
            "2s",
        ];
        let target = target.url();
        let all = [&flags[..], &["--host", &target], more].concat();
        greylag().run(&all, RUN_TIMEOUT).await
    };
    let ended = run(&["--ca", &ca]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(&[]).await;
    assert_eq!(ended.code, Some(2), "not trusted without: {ended:?}");
}

/// What user types can say of the client, a test file says of declared requests.
#[tokio::test]
async fn a_test_file_says_which_certificates_are_trusted() {
    let directory = TempDir::new().expect("a directory");
    let (_nginx, url) = tls_server(directory.path(), "location / { return 200; }").await;
    let file = directory.path().join("test.toml");
    for (client, code) in [
        ("", 7),
        ("accept_invalid_certs = true", 0),
        ("root_certificate = \"cert.pem\"", 0),
        ("kind = \"full\"\nroot_certificate = \"cert.pem\"", 0),
    ] {
        let text = format!(
            "host = \"{url}\"\nusers = 1\nduration = \"1s\"\nwait_time = \"200ms\"\n\
             [client]\n{client}\n[[request]]\npath = \"/\"\n"
        );
        fs::write(&file, text).expect("ours");
        let flags = [
            "run",
            "test.toml",
            "--headless",
            "--exit-code-on-error",
            "7",
        ];
        let ended = greylag()
            .run_in(directory.path(), &flags, RUN_TIMEOUT)
            .await;
        assert_eq!(ended.code, Some(code), "{client}: {ended:?}");
    }
    fs::write(
        &file,
        "host = \"https://a\"\n[client]\nroot_certificate = \"none.pem\"\n",
    )
    .expect("ours");
    let ended = greylag()
        .run_in(directory.path(), &["run", "test.toml"], SOON)
        .await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("none.pem` ") || ended.stderr.contains("none.pem of"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("cannot be read"), "{ended:?}");
}
