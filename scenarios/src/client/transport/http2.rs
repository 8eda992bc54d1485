//! HTTP/2: requests at the same time share one connection.

use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::http1::has_token;
use super::outgoing::{Outgoing, Unanswered};
use super::stream::Stream;
use crate::client::failure::{Failure, is_closing, is_unprocessed};

/// What only HTTP/1 has, beside those that are looked at one by one (RFC 9113, 8.2.2).
const HTTP_1_ONLY: [HeaderName; 3] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];
/// Longest head of an answer in bytes as HTTP/2 counts them, as much as on HTTP/1. The library's 16 KiB are less than
/// servers send.
const LONGEST_HEAD: u32 = super::http1::LONGEST_HEAD as u32;
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const UPGRADE_REFUSED: Failure = Failure::new(
    "Upgrade cannot be requested in HTTP/2: choose HTTP/1.1 with http_version(HttpVersion::Http1)",
);
const HOST_REFUSED: Failure =
    Failure::new("Host header that is not a host and a port: HTTP/2 cannot send it");

/// One connection, or one more handle to it.
#[derive(Clone)]
pub(in crate::client) struct Http2 {
    requests: http2::SendRequest<Full<Bytes>>,
    is_https: bool,
}

impl Http2 {
    /// Greets the server. The connection is driven by a task of its own until its last handle is gone.
    pub(in crate::client) async fn handshake(
        stream: Stream,
        is_https: bool,
    ) -> Result<Self, Failure> {
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(LONGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::http(&error))?;
        // Its errors reach whoever waits for an answer.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { requests, is_https })
    }

    pub(in crate::client) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Sends a request and reads the head of its answer.
    pub(in crate::client) async fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let request = self.request(outgoing).map_err(Unanswered::answered)?;
        self.requests.ready().await.map_err(|error| Unanswered {
            failure: Failure::http(&error),
            is_unsent: true,
            is_silent: true,
        })?;
        let answer = self.requests.try_send_request(request).await;
        answer.map_err(|mut error| Unanswered {
            is_unsent: error.take_message().is_some() || is_unprocessed(error.error()),
            is_silent: is_closing(error.error()),
            failure: Failure::http(error.error()),
        })
    }

    /// What means the same as on HTTP/1.
    fn request(&self, outgoing: &Outgoing<'_>) -> Result<Request<Full<Bytes>>, Failure> {
        let authority = match outgoing.headers.map().get(HOST) {
            Some(host) => Authority::try_from(host.as_bytes()).map_err(|_| HOST_REFUSED)?,
            None => {
                Authority::try_from(outgoing.target.host.as_bytes()).map_err(|_| HOST_REFUSED)?
            }
        };
        let mut parts = outgoing.target.uri.clone().into_parts();
        parts.scheme = Some(if self.is_https {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        });
        parts.authority = Some(authority);
        let uri = Uri::from_parts(parts).map_err(|_| HOST_REFUSED)?;
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers(outgoing.headers.map())?;
        Ok(request)
    }
}

/// The headers without what only HTTP/1 has. How a connection is kept and a body is framed has no meaning here and is
/// left out; another protocol cannot be asked for, which is an error.
fn headers(given: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(given.len());
    let names_it = |name: &HeaderName| {
        given
            .get_all(CONNECTION)
            .iter()
            .any(|value| has_token(value, name.as_str()))
    };
    for (name, value) in given {
        if *name == UPGRADE {
            return Err(UPGRADE_REFUSED);
        }
        if *name == TE {
            // What else it may say is about HTTP/1's own encodings.
            if has_token(value, "trailers") {
                headers.insert(TE, TRAILERS);
            }
        } else if *name != HOST
            && *name != CONNECTION
            && *name != TRANSFER_ENCODING
            && !HTTP_1_ONLY.contains(name)
            && !names_it(name)
        {
            headers.append(name, value.clone());
        }
    }
    Ok(headers)
}
