//! The target of all cases: one nginx with one worker, which counts the requests.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use greylag_tests::{Nginx, free_port};
use reqwest::Client;
use tempfile::TempDir;

use super::case::Case;
use crate::{TARGET_CORE, pin};

/// Body of the large answer, in bytes.
const LARGE: usize = 10_000;

/// A running nginx with a port for each way to connect.
pub(super) struct Target {
    nginx: Nginx,
    tls_kept: u16,
    tls_new: u16,
    client: Client,
    /// How often it was asked for its count: it counts that, too.
    asked: Cell<u64>,
    _files: TempDir,
}

impl Target {
    /// Starts it, on its core.
    pub(super) async fn start() -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let write = |name, contents: &[u8]| {
            fs::write(files.path().join(name), contents).expect("the directory was just made");
        };
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("valid names");
        write("certificate.pem", made.cert.pem().as_bytes());
        write("key.pem", made.signing_key.serialize_pem().as_bytes());
        write("10k", &[b'x'; LARGE]);
        let (tls_kept, tls_new) = (free_port(), free_port());
        let nginx =
            Nginx::start_unlogged_with(|port| servers(files.path(), port, tls_kept, tls_new)).await;
        pin(nginx.pid(), TARGET_CORE);
        let client = Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            nginx,
            tls_kept,
            tls_new,
            client,
            asked: Cell::new(0),
            _files: files,
        }
    }

    /// Where a case's requests go, without a path.
    pub(super) fn host(&self, case: Case) -> String {
        match case {
            Case::TlsKept => format!("https://127.0.0.1:{}", self.tls_kept),
            Case::TlsNew => format!("https://127.0.0.1:{}", self.tls_new),
            Case::Get100 | Case::Get10k | Case::PostJson => self.nginx.url(),
        }
    }

    /// How many requests nginx has received, without those that asked for this.
    pub(super) async fn requests(&self) -> u64 {
        let url = format!("{}/status", self.nginx.url());
        let answer = self.client.get(url).send().await.expect("nginx answers");
        let text = answer.text().await.expect("a text");
        self.asked.set(self.asked.get() + 1);
        // The numbers below "server accepts handled requests".
        let requests: u64 = text
            .lines()
            .nth(2)
            .and_then(|line| line.split_ascii_whitespace().nth(2)?.parse().ok())
            .unwrap_or_else(|| panic!("not what stub_status answers: {text}"));
        requests - self.asked.get()
    }
}

/// All connections are HTTP/1.1. No TLS session is resumed and every client gets the same cipher, so that all do the
/// same work.
fn servers(files: &Path, port: u16, tls_kept: u16, tls_new: u16) -> String {
    let files = files.display();
    let body = "x".repeat(99);
    let answers = format!(
        r#"root {files};
        location / {{ return 200 "{body}\n"; }}
        location = /10k {{ }}
        location = /json {{ default_type application/json; return 201 '{{"ok": true}}\n'; }}"#
    );
    let tls = format!(
        "ssl_certificate {files}/certificate.pem;
        ssl_certificate_key {files}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
        ssl_session_cache off;
        ssl_session_tickets off;"
    );
    format!(
        "open_file_cache max=10;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {answers}
        location = /status {{ stub_status; }}
    }}
    server {{
        listen 127.0.0.1:{tls_kept} ssl backlog=4096;
        {tls}
        {answers}
    }}
    server {{
        listen 127.0.0.1:{tls_new} ssl backlog=4096;
        keepalive_timeout 0;
        {tls}
        {answers}
    }}"
    )
}
