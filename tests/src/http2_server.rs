//! Real servers of HTTP/2 as targets: nginx, HAProxy and Node.js, each with a log that is the witness of what was sent.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::nginx::free_port;
use crate::proc_fs::find_program;
use crate::process::{Process, clean_command};
use crate::wait;

/// How often other free ports are tried when someone was faster.
const PORT_ATTEMPTS: usize = 5;
/// Begins each line of a server's log that is about a request.
const WITNESS: &str = "witness ";

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// nginx.
    Nginx,
    /// HAProxy, which answers by itself.
    Haproxy,
    /// The `http2` module of Node.js.
    Node,
}

impl ServerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Node];
}

/// A running server with HTTP/1.1 and HTTP/2 over TLS, chosen in the handshake. Everything is answered with 200 and a small body.
#[derive(Debug)]
pub struct Http2Server {
    process: Process,
    dir: TempDir,
    port: u16,
    /// Where HTTP/2 is spoken without TLS (Node.js only).
    cleartext_port: u16,
    kind: ServerKind,
}

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witnessed {
    /// HTTP method.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Status that was answered.
    pub status: u16,
    /// The host that was asked, without a port.
    pub host: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
}

impl Http2Server {
    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// It is not installed or does not start.
    pub async fn start(kind: ServerKind) -> Self {
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match Self::try_start(kind).await {
                Ok(server) => return server,
                Err(output) => last = output,
            }
        }
        panic!("{kind:?} does not start on any of {PORT_ATTEMPTS} free ports\n{last}");
    }

    async fn try_start(kind: ServerKind) -> Result<Self, String> {
        let dir = tempfile::Builder::new()
            .prefix("greylag-http2-")
            .tempdir()
            .expect("a temporary directory");
        let (port, cleartext_port) = (free_port(), free_port());
        certificate(dir.path());
        let mut command = match kind {
            ServerKind::Nginx => nginx(dir.path(), port),
            ServerKind::Haproxy => haproxy(dir.path(), port),
            ServerKind::Node => node(dir.path(), port, cleartext_port),
        };
        let mut process = Process::start(format!("{kind:?}"), &mut command);
        let mut answered = false;
        wait::until_true(
            "the server to listen or to give up",
            Duration::from_secs(60),
            || {
                answered = TcpStream::connect(("127.0.0.1", port)).is_ok()
                    && (kind != ServerKind::Node
                        || TcpStream::connect(("127.0.0.1", cleartext_port)).is_ok());
                answered || !process.is_running()
            },
        )
        .await;
        if !process.is_running() {
            return Err(process.output());
        }
        Ok(Self {
            process,
            dir,
            port,
            cleartext_port,
            kind,
        })
    }

    /// Base URL over TLS, without a slash at its end.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Base URL of HTTP/2 without TLS; only Node.js speaks it here.
    pub fn cleartext_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.cleartext_port)
    }

    /// The server's certificate in PEM, made by `openssl req -x509`.
    ///
    /// # Panics
    /// The file is gone.
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.dir.path().join("certificate.pem")).expect("it was written")
    }

    /// Waits until the log has this many requests, ends the server, and reads the whole log.
    pub async fn finish(mut self, requests: usize) -> Vec<Witnessed> {
        wait::until("the server's log", Duration::from_secs(60), async || {
            let seen = self.log().len();
            (seen >= requests)
                .then_some(())
                .ok_or(format!("{seen} requests"))
        })
        .await;
        self.process.signal(match self.kind {
            ServerKind::Nginx => Signal::QUIT,
            _ => Signal::TERM,
        });
        self.process.wait(Duration::from_secs(60)).await;
        self.log()
    }

    fn log(&self) -> Vec<Witnessed> {
        let text = match self.kind {
            ServerKind::Nginx => {
                fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default()
            }
            _ => self.process.stdout(),
        };
        // A line that is being written has no end yet.
        text.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n')?.strip_prefix(WITNESS))
            .map(witnessed)
            .collect()
    }
}

fn witnessed(line: &str) -> Witnessed {
    let fields: Vec<&str> = line.split(' ').collect();
    let [method, path, status, host, version] = fields.as_slice() else {
        panic!("a line of another form in the server's log: {line:?}");
    };
    let host = host.split(':').next().unwrap_or_default();
    Witnessed {
        method: (*method).to_owned(),
        path: (*path).to_owned(),
        status: status.parse().expect("servers log a number as the status"),
        host: host.to_owned(),
        version: (*version).to_owned(),
    }
}

fn program(names: &[&str], package: &str) -> PathBuf {
    find_program(names).unwrap_or_else(|| {
        panic!("these tests need {}, and it is not installed; on Debian and Ubuntu: apt-get install {package}", names[0])
    })
}

/// What most people make for a test machine.
fn certificate(dir: &Path) {
    let mut command = clean_command(program(&["openssl"], "openssl"));
    let output = command
        .current_dir(dir)
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .args(["-subj", "/CN=a.test"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:a.test"])
        .output()
        .expect("openssl can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "openssl makes no certificate: {errors}"
    );
    let both = ["certificate.pem", "key.pem"]
        .map(|file| fs::read_to_string(dir.join(file)).expect("openssl wrote it"));
    fs::write(dir.join("both.pem"), both.concat()).expect("the directory is ours");
}

fn nginx(dir: &Path, port: u16) -> Command {
    let prefix = dir.display();
    // As root, nginx would give its worker to `nobody`, who may not read the prefix.
    let user = if geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let configuration = format!(
        r#"{user}
daemon off;
worker_processes 1;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format witness 'witness $request_method $uri $status $host $server_protocol';
    access_log {prefix}/access.log witness;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    default_type text/plain;
    ssl_certificate {prefix}/certificate.pem;
    ssl_certificate_key {prefix}/key.pem;
    server {{
        listen 127.0.0.1:{port} ssl http2 default_server;
        server_name a.test;
        location / {{ return 200 "a\n"; }}
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        server_name b.test;
        location / {{ return 200 "b\n"; }}
    }}
}}
"#
    );
    let file = dir.join("nginx.conf");
    fs::write(&file, configuration).expect("the directory is ours");
    let mut command = clean_command(program(&["nginx"], "nginx-light"));
    command
        .arg("-p")
        .arg(dir)
        .arg("-c")
        .arg(file)
        .arg("-e")
        .arg(dir.join("error.log"));
    command
}

fn haproxy(dir: &Path, port: u16) -> Command {
    let both = dir.join("both.pem");
    let both = both.display();
    let configuration = format!(
        r#"global
    log stdout format raw local0
defaults
    mode http
    log global
    timeout client 60s
    timeout server 60s
    timeout connect 5s
frontend witness
    bind 127.0.0.1:{port} ssl crt {both} alpn h2,http/1.1
    http-request set-var(txn.host) hdr(host)
    log-format "witness %HM %HPO %ST %[var(txn.host)] %HV"
    http-request return status 200 content-type text/plain string b if {{ hdr_beg(host) b.test }}
    http-request return status 200 content-type text/plain string a
"#
    );
    let file = dir.join("haproxy.cfg");
    fs::write(&file, configuration).expect("the directory is ours");
    let mut command = clean_command(program(&["haproxy"], "haproxy"));
    command.arg("-db").arg("-f").arg(file);
    command
}

fn node(dir: &Path, port: u16, cleartext_port: u16) -> Command {
    let script = format!(
        r#"const fs = require('fs'), http2 = require('http2');
function answer(request, response) {{
    const host = request.headers[':authority'] || request.headers.host;
    request.on('data', () => {{}});
    request.on('end', () => {{
        response.writeHead(200, {{ 'content-type': 'text/plain' }});
        response.end(host.startsWith('b.test') ? 'b' : 'a');
        console.log(['witness', request.method, request.url, 200, host, 'HTTP/' + request.httpVersion].join(' '));
    }});
}}
const tls = {{ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('certificate.pem'), allowHTTP1: true }};
http2.createSecureServer(tls, answer).listen({port}, '127.0.0.1');
http2.createServer(answer).listen({cleartext_port}, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
"#
    );
    fs::write(dir.join("server.js"), script).expect("the directory is ours");
    let mut command = clean_command(program(&["node", "nodejs"], "nodejs"));
    command.current_dir(dir).arg("server.js");
    command
}
