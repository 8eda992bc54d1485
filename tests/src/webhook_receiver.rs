//! A receiver of webhooks that may refuse the first ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct WebhookReceiver {
    url: String,
    received: Shared,
    server: JoinHandle<()>,
}

/// What came, and how many of the next requests are refused.
#[derive(Debug, Default)]
struct Received {
    requests: Vec<(HeaderMap, Value)>,
    refuse: usize,
}

type Shared = Arc<Mutex<Received>>;

impl WebhookReceiver {
    /// Answers the first requests with 500, all others with 204.
    pub async fn start(refuse: usize) -> Self {
        let received = Shared::new(Mutex::new(Received {
            refuse,
            ..Received::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port of this machine");
        let address = listener.local_addr().expect("it is bound");
        let routes = Router::new()
            .route("/hook", post(receive))
            .with_state(Arc::clone(&received));
        Self {
            url: format!("http://{address}/hook"),
            received,
            server: tokio::spawn(async {
                axum::serve(listener, routes)
                    .await
                    .expect("it serves until it is aborted");
            }),
        }
    }

    /// What to give to `--webhook`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far, the refused ones too.
    pub fn requests(&self) -> Vec<(HeaderMap, Value)> {
        lock(&self.received).requests.clone()
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(received): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // Shown as it is, so that no test takes it for what it expects.
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    let mut received = lock(&received);
    received.requests.push((headers, body));
    if received.refuse > 0 {
        received.refuse -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    StatusCode::NO_CONTENT
}

fn lock(received: &Shared) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}
