//! A real nginx as the target, whose access log is the independent witness of what was sent.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::network::Network;
use crate::proc_fs::find_program;
use crate::process::{Process, clean_command};
use crate::wait;

/// How often another free port is tried when someone was faster.
const PORT_ATTEMPTS: usize = 5;
/// Ports to choose from: below those that the kernel gives to connections, which may take any of its own at any time.
const PORTS: Range<u32> = 20_000..30_000;
/// How long nginx may take to start, to write its log and to end.
const WITHIN: Duration = Duration::from_secs(60);

/// A running nginx with its own prefix, configuration and access log.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    prefix: TempDir,
    url: String,
}

/// One line of the access log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedRequest {
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Status that was answered; 499 where the client went away first.
    pub status: u16,
    /// When it ended, in milliseconds since 1970.
    pub ended_at_ms: u64,
    /// The address that it came from.
    pub from: String,
    /// Its `traceparent`; empty without one.
    pub traceparent: String,
}

/// What nginx served.
#[derive(Debug, Clone, Default)]
pub struct AccessLog {
    /// In the order in which the requests ended.
    pub requests: Vec<LoggedRequest>,
}

/// Requests and failures of one endpoint, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests, failures included.
    pub requests: u64,
    /// Those with a status of 400 and more.
    pub failures: u64,
}

impl AccessLog {
    fn read(path: &Path) -> Self {
        let text =
            String::from_utf8_lossy(&fs::read(path).expect("nginx writes its log")).into_owned();
        // What is behind the last end of a line is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let requests = whole.lines().map(parse_line).collect();
        Self { requests }
    }

    /// All requests.
    pub fn totals(&self) -> Counts {
        self.count(|_| true)
    }

    /// The requests that `select` picks.
    pub fn count(&self, select: impl Fn(&LoggedRequest) -> bool) -> Counts {
        let mut counts = Counts::default();
        for request in self.requests.iter().filter(|request| select(request)) {
            counts.requests += 1;
            counts.failures += u64::from(request.status >= 400);
        }
        counts
    }

    /// By method and path.
    pub fn by_endpoint(&self) -> BTreeMap<(String, String), Counts> {
        let mut endpoints: BTreeMap<_, Counts> = BTreeMap::new();
        for request in &self.requests {
            let counts = endpoints
                .entry((request.method.clone(), request.path.clone()))
                .or_default();
            counts.requests += 1;
            counts.failures += u64::from(request.status >= 400);
        }
        endpoints
    }
}

fn parse_line(line: &str) -> LoggedRequest {
    let fields: Vec<&str> = line.split('\t').collect();
    let [method, path, status, ended_at, from, traceparent] = fields.as_slice() else {
        panic!("a line of another form in nginx's access log: {line:?}");
    };
    LoggedRequest {
        method: (*method).to_owned(),
        path: (*path).to_owned(),
        status: status.parse().expect("nginx logs a number as the status"),
        // nginx writes seconds with three decimals.
        ended_at_ms: ended_at
            .replace('.', "")
            .parse()
            .expect("nginx logs a time"),
        from: (*from).to_owned(),
        traceparent: match *traceparent {
            "-" => String::new(),
            traceparent => traceparent.to_owned(),
        },
    }
}

impl Nginx {
    /// Starts nginx on a free port of 127.0.0.1. It answers
    /// - `/not-allowed` with 405, `/missing` with 404, `/telling` with 500 and the credentials that it was sent,
    /// - `/slow` with a body that takes about a second,
    /// - everything else with 200 and a small body.
    ///
    /// # Panics
    /// nginx is not installed or does not start.
    pub async fn start() -> Self {
        Self::start_with(true, target).await
    }

    /// The same without a log, for measurements.
    ///
    /// # Panics
    /// nginx is not installed or does not start.
    pub async fn start_unlogged() -> Self {
        Self::start_with(false, target).await
    }

    /// Starts nginx without a log and with these directives of its `http` block, made for a free port of 127.0.0.1
    /// on which one of its servers must listen.
    ///
    /// # Panics
    /// nginx is not installed or does not start.
    pub async fn start_unlogged_with(servers: impl Fn(u16) -> String) -> Self {
        Self::start_with(false, servers).await
    }

    /// Starts nginx on this port of 127.0.0.1 with the directives of one `server` block, after `listen` with the
    /// port and `parameters`. `$connection_upgrade` is what `Connection` must be for a WebSocket or none.
    ///
    /// # Panics
    /// nginx is not installed or does not start.
    pub async fn start_server(port: u16, parameters: &str, directives: &str) -> Self {
        let server = format!("server {{ listen 127.0.0.1:{port} {parameters};\n{directives} }}");
        match Self::try_start_on(&program(), port, true, &server).await {
            Ok(nginx) => nginx,
            Err(output) => panic!("nginx does not start on port {port}\n{output}"),
        }
    }

    /// Starts nginx on a machine of a network, where it answers everything with 200 and a small body.
    ///
    /// # Panics
    /// nginx is not installed or does not start.
    pub async fn start_on(network: &Network, machine: &str) -> Self {
        let url = format!("http://{}", network.address(machine));
        let server = "server { listen 80 backlog=4096; location / { return 200 \"x\\n\"; } }";
        let command = network.command(machine, program());
        // It is written when it listens.
        let listens = |prefix: &Path| prefix.join("nginx.pid").exists();
        match Self::try_start(command, url, true, server, listens).await {
            Ok(nginx) => nginx,
            Err(output) => panic!("nginx does not start on {machine}\n{output}"),
        }
    }

    async fn start_with(logged: bool, servers: impl Fn(u16) -> String) -> Self {
        let program = program();
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port();
            match Self::try_start_on(&program, port, logged, &servers(port)).await {
                Ok(nginx) => return nginx,
                Err(output) => last = output,
            }
        }
        panic!("nginx does not start on any of {PORT_ATTEMPTS} free ports\n{last}");
    }

    async fn try_start_on(
        program: &Path,
        port: u16,
        logged: bool,
        servers: &str,
    ) -> Result<Self, String> {
        let url = format!("http://127.0.0.1:{port}");
        let listens = |_: &Path| TcpStream::connect(("127.0.0.1", port)).is_ok();
        Self::try_start(clean_command(program), url, logged, servers, listens).await
    }

    async fn try_start(
        mut command: Command,
        url: String,
        logged: bool,
        servers: &str,
        listens: impl Fn(&Path) -> bool,
    ) -> Result<Self, String> {
        let prefix = tempfile::Builder::new()
            .prefix("greylag-nginx-")
            .tempdir()
            .expect("a temporary directory");
        fs::create_dir(prefix.path().join("www")).expect("the prefix is ours");
        fs::write(prefix.path().join("www/slow"), vec![b'.'; SLOW_BODY_BYTES])
            .expect("the prefix is ours");
        let config = prefix.path().join("nginx.conf");
        fs::write(&config, configuration(prefix.path(), logged, servers))
            .expect("the prefix is ours");
        command
            .arg("-p")
            .arg(prefix.path())
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(prefix.path().join("error.log"));
        let mut process = Process::start("nginx", &mut command);
        let mut answered = false;
        wait::until_true("nginx to listen or to give up", WITHIN, || {
            answered = listens(prefix.path());
            answered || !process.is_running()
        })
        .await;
        if !process.is_running() {
            let errors = fs::read_to_string(prefix.path().join("error.log")).unwrap_or_default();
            return Err(format!("{}\n{errors}", process.output()));
        }
        Ok(Self {
            process,
            prefix,
            url,
        })
    }

    /// Base URL, without a slash at its end.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What the log holds by now. A request answered a moment ago may be missing.
    pub fn log_so_far(&self) -> AccessLog {
        AccessLog::read(&self.log_path())
    }

    /// The log once it holds so many requests, which were answered: nginx writes a line after its answer.
    ///
    /// # Panics
    /// There are fewer for a minute.
    pub async fn log_with(&self, least: u64) -> AccessLog {
        let what = format!("{least} requests in nginx's log");
        wait::until(&what, WITHIN, async || {
            let log = self.log_so_far();
            match log.totals().requests {
                requests if requests >= least => Ok(log),
                requests => Err(format!("{requests}")),
            }
        })
        .await
    }

    /// `nginx -s quit`: every open connection is served to its end, every line written. Then the log.
    pub async fn finish(mut self) -> AccessLog {
        self.process.signal(Signal::QUIT);
        self.process.wait(WITHIN).await;
        AccessLog::read(&self.log_path())
    }

    /// Process id of nginx, the parent of its worker.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn log_path(&self) -> PathBuf {
        self.prefix.path().join("access.log")
    }
}

/// Body of `/slow`: its first [`SLOW_BYTES_PER_SECOND`] bytes are sent immediately, the rest after a second.
const SLOW_BODY_BYTES: usize = 4_500;
const SLOW_BYTES_PER_SECOND: usize = 4_000;

fn program() -> PathBuf {
    find_program(&["nginx"]).expect(
        "these tests need nginx, and it is not installed; on Debian and Ubuntu: apt-get install nginx-light",
    )
}

/// The server block of the target.
fn target(port: u16) -> String {
    let body = "x".repeat(99);
    format!(
        r#"server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 "{body}\n"; }}
        location = /missing {{ return 404 "nothing here\n"; }}
        location = /not-allowed {{ return 405 "not that way\n"; }}
        location = /telling {{
            default_type application/json;
            add_header Set-Cookie "id=$http_cookie" always;
            return 500 '{{"error":"no","token":"$http_cookie","said":"$http_authorization"}}';
        }}
        location = /slow {{ limit_rate {SLOW_BYTES_PER_SECOND}; }}
    }}"#
    )
}

fn configuration(prefix: &Path, logged: bool, servers: &str) -> String {
    let prefix = prefix.display();
    let log = if logged {
        format!("{prefix}/access.log witness")
    } else {
        "off".to_owned()
    };
    // As root, nginx would give its worker to `nobody`, who may not read the prefix.
    let user = if geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        r#"{user}
daemon off;
worker_processes 1;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 12000; }}
http {{
    log_format witness '$request_method\t$request_uri\t$status\t$msec\t$remote_addr\t$http_traceparent';
    access_log {log};
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    default_type text/plain;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
    root {prefix}/www;
    {servers}
}}
"#
    )
}

/// A port of 127.0.0.1 that was free a moment ago. It does not become the port of a connection meanwhile, and another caller gets
/// another one.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    /// Processes that run at the same time begin at different ports.
    const APART: u32 = 61;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(APART);
    PORTS
        .map(|_| {
            let call = CALLS.fetch_add(1, Ordering::Relaxed);
            let number = first.wrapping_add(call) % (PORTS.end - PORTS.start);
            u16::try_from(PORTS.start + number).expect("all of them are ports")
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port on 127.0.0.1")
}
