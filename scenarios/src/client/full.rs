//! The full transport: reqwest, used for carrying requests only. Redirects, cookies, decompression
//! and time-outs are `exchange`'s, the same as on the fast transport.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use hyper::ext::ReasonPhrase;

use super::ClientShared;
use super::body::Collected;
use super::body_stream::Unread;
use super::exchange::{Answer, Reading};
use super::failure::{CONNECT_TIMED_OUT, Failure, is_closing};
use super::race::may_race;
use super::target::Target;

/// One user's connections through reqwest.
pub(super) struct FullTransport {
    /// Made at the first request: idle users cost nothing.
    client: Option<reqwest::Client>,
    /// When its last response was complete.
    last_used: Option<Instant>,
}

impl FullTransport {
    pub(super) fn new() -> Self {
        Self {
            client: None,
            last_used: None,
        }
    }

    /// The same connections, for requests at the same time.
    pub(super) fn fork(&self) -> Self {
        Self {
            client: self.client.clone(),
            last_used: self.last_used,
        }
    }

    pub(super) async fn send(
        &mut self,
        shared: &ClientShared,
        method: &Method,
        target: &Arc<Target>,
        headers: HeaderMap,
        body: Bytes,
        reading: Reading,
    ) -> Result<Answer, Failure> {
        let client = match &self.client {
            Some(client) => client,
            None => self.client.insert(build(shared)?),
        };
        let mut request = reqwest::Request::new(method.clone(), target.url.clone());
        *request.headers_mut() = headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        } else if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            // An empty body, and its length, as the fast transport sends it.
            *request.body_mut() = Some(Bytes::new().into());
        }
        let spare = self
            .last_used
            .filter(|used| may_race(used.elapsed(), method))
            .and_then(|_| request.try_clone());
        let mut response = match (client.execute(request).await, spare) {
            (Err(error), Some(spare)) if is_closing(&error) => {
                client.execute(spare).await.map_err(failure)?
            }
            (answered, _) => answered.map_err(failure)?,
        };
        let head_at = Instant::now();
        if reading == Reading::Head {
            self.last_used = Some(head_at);
            let (mut head, body) = http::Response::from(response).into_parts();
            return Ok(Answer {
                status: head.status,
                reason: head.extensions.remove::<ReasonPhrase>(),
                headers: head.headers,
                body: Bytes::new(),
                unread: Some(Box::new(Unread::full(body))),
                head_at,
                target: Arc::clone(target),
                redirects: 0,
            });
        }
        let mut collected = Collected::default();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            collected.push(chunk)?;
        }
        self.last_used = Some(Instant::now());
        Ok(Answer {
            status: response.status(),
            reason: response.extensions_mut().remove::<ReasonPhrase>(),
            headers: std::mem::take(response.headers_mut()),
            body: collected.finish(),
            unread: None,
            head_at,
            target: Arc::clone(target),
            redirects: 0,
        })
    }
}

fn build(shared: &ClientShared) -> Result<reqwest::Client, Failure> {
    // Proxies of the environment are never used: what a load test does is said in the test.
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(proxy) = &shared.options.proxy {
        builder = builder.proxy(proxy.clone());
    }
    builder
        .tls_backend_preconfigured(rustls::ClientConfig::clone(&shared.tls))
        .connect_timeout(shared.options.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .tcp_nodelay(true)
        .build()
        .map_err(failure)
}

pub(super) fn failure(error: reqwest::Error) -> Failure {
    if error.is_connect() && error.is_timeout() {
        return CONNECT_TIMED_OUT;
    }
    Failure::http(&error)
}
