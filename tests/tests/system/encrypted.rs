//! The coordinator's own TLS: page, API and agents on one port, and a certificate that is read again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use greylag_tests::{Cluster, Greylag, Nginx, Process, START_TIMEOUT, heavy, wait};
use reqwest::{Certificate, Client};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

/// What a connection over TLS begins with.
const HANDSHAKE_RECORD: u8 = 22;
const TOKEN: &str = "correct-horse-battery-staple";

/// Writes a self-signed certificate for 127.0.0.1 and its key.
fn self_signed(directory: &Path) -> Vec<u8> {
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a valid name");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(directory.join("key.pem"), key.serialize_pem()).expect("ours");
    fs::write(directory.join("cert.pem"), certificate.pem()).expect("ours");
    certificate.pem().into_bytes()
}

/// A coordinator with the certificate in this directory, and its address.
async fn coordinator(greylag: &Greylag, directory: &Path) -> (Process, String) {
    let arguments = [
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--token",
        TOKEN,
        "--tls-cert",
        "cert.pem",
        "--tls-key",
        "key.pem",
    ];
    let mut coordinator = greylag.start_in(directory, &arguments);
    let address = |text: &str| {
        let (_, rest) = text.split_once("https://127.0.0.1:")?;
        let (port, _) = rest.split_once(|c: char| !c.is_ascii_digit())?;
        Some(format!("https://127.0.0.1:{port}"))
    };
    let url = coordinator.wait_for_output("its URL", START_TIMEOUT, address);
    let url = url.await;
    (coordinator, url)
}

fn client(pem: &[u8]) -> Client {
    let trusted = Certificate::from_pem(pem).expect("a certificate");
    let redirects = reqwest::redirect::Policy::none();
    let client = Client::builder().no_proxy().redirect(redirects);
    let client = client.tls_certs_only([trusted]);
    client.build().expect("a client")
}

async fn status(client: &Client, url: &str) -> Option<u16> {
    let asked = client.get(format!("{url}/api/v1/runs")).bearer_auth(TOKEN);
    Some(asked.send().await.ok()?.status().as_u16())
}

#[tokio::test]
async fn page_agents_and_runs_are_encrypted_and_the_certificate_changes_meanwhile() {
    let _turn = heavy().await;
    let (target, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let directory = directory.path();
    let first = self_signed(directory);
    fs::write(directory.join("first.pem"), &first).expect("ours");
    let greylag = greylag();
    let (mut coordinator, url) = coordinator(&greylag, directory).await;
    // Those who begin to shake hands and go no further keep nobody else out.
    let mut stalled = Vec::new();
    for _ in 0..200 {
        let port = url.trim_start_matches("https://");
        let mut begun = TcpStream::connect(port).await.expect("the port is open");
        begun
            .write_all(&[HANDSHAKE_RECORD, 3, 1])
            .await
            .expect("it is taken");
        stalled.push(begun);
    }
    let with_first = client(&first);
    assert_eq!(status(&with_first, &url).await, Some(200));
    let open_key = "everyone on this machine may read the private key";
    assert!(coordinator.output().contains(open_key), "{coordinator:?}");

    // Signing in makes a cookie for encrypted connections only.
    let signed_in = with_first
        .post(format!("{url}/login"))
        .header("origin", &url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={TOKEN}&next=%2F"))
        .send();
    let signed_in = signed_in.await.expect("an answer");
    let cookie = signed_in.headers()["set-cookie"].to_str().expect("a text");
    assert!(cookie.contains("; Secure"), "{cookie}");

    let agent = |ca: &str, url: &str| {
        let access = ["agent", "--coordinator", url, "--token", TOKEN];
        let rest = ["--infrastructure", "lab", "--ca", ca];
        greylag.start_in(directory, &[&access[..], &rest].concat())
    };
    let mut joined = agent("first.pem", &url);
    joined
        .wait_for_output("the connection", START_TIMEOUT, |text| {
            text.contains("connected").then_some(())
        })
        .await;
    let target_url = target.url();
    let run = |ca: &str| {
        let flags = [
            "run",
            "--coordinator",
            &url,
            "--token",
            TOKEN,
            "--infrastructure",
            "lab",
        ];
        let load = ["--scenario", "shop", "--users", "2", "--host", &target_url];
        let rest = ["--duration", "2s", "--ca", ca];
        greylag.start_in(directory, &[&flags[..], &load, &rest].concat())
    };
    let ended = run("first.pem").wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    // A bad certificate keeps the old one, a good one is for new connections; agents keep theirs.
    let log_has = async |coordinator: &Process, words: &str| {
        wait::until("a line of the coordinator's log", SOON, async || {
            let output = coordinator.output();
            if output.contains(words) {
                Ok(())
            } else {
                Err(output)
            }
        })
        .await;
    };
    fs::write(directory.join("cert.pem"), "nonsense").expect("ours");
    coordinator.signal(Signal::HUP);
    log_has(&coordinator, "the old one is still served").await;
    assert_eq!(status(&client(&first), &url).await, Some(200));
    let events = with_first
        .get(format!("{url}/api/v1/events"))
        .bearer_auth(TOKEN)
        .send();
    let mut events = events.await.expect("an answer");
    assert_eq!(events.status().as_u16(), 200);
    let second = self_signed(directory);
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(directory.join("key.pem"), private).expect("ours");
    coordinator.signal(Signal::HUP);
    log_has(&coordinator, "the certificate was read again").await;
    let warnings = coordinator.output().matches(open_key).count();
    assert_eq!(warnings, 1, "the new key is private");
    assert_eq!(status(&client(&second), &url).await, Some(200));
    assert_eq!(
        status(&client(&first), &url).await,
        None,
        "a new connection"
    );
    let ended = run("cert.pem").wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "the agent is still there: {ended:?}");
    // What waits here may have been sent before the change. What comes after a pause is new: without news there is a beat every two
    // seconds.
    let mut hears = async |within| match tokio::time::timeout(within, events.chunk()).await {
        Err(_) => false,
        Ok(heard) => {
            let heard = heard.expect("the stream holds");
            assert!(heard.is_some(), "the connection is still open");
            true
        }
    };
    while hears(Duration::from_millis(500)).await {}
    assert!(hears(SOON).await, "an event after the change");
    drop(events);

    // What to do is said where the certificate is not trusted, and where plain HTTP is spoken.
    let ended = run("first.pem").wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--ca FILE"), "{ended:?}");
    let mut untrusting = agent("first.pem", &url);
    untrusting
        .wait_for_output("the cure", SOON, |text| {
            text.contains("--ca FILE").then_some(())
        })
        .await;
    let plain = url.replace("https://", "http://");
    let ended = agent("cert.pem", &plain).wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("speaks HTTPS"), "{ended:?}");
    let runs = ["runs", "--coordinator", &plain, "--token", TOKEN];
    let ended = greylag.run(&runs, SOON).await;
    assert!(ended.stderr.contains("https://"), "{ended:?}");

    // And where plain HTTP is spoken and HTTPS expected.
    let plain = Cluster::start_with(&greylag, &["--token", TOKEN]).await;
    let encrypted = plain.api().url().replace("http://", "https://");
    let runs = ["runs", "--coordinator", &encrypted, "--token", TOKEN];
    let ended = greylag.run(&runs, SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("begins with http://"), "{ended:?}");
    let mut astray = agent("cert.pem", &encrypted);
    astray
        .wait_for_output("the cure", SOON, |text| {
            text.contains("begins with http://").then_some(())
        })
        .await;

    coordinator.signal(Signal::TERM);
    let ended = coordinator.wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
