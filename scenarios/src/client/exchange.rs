//! One request on any transport: redirects, cookies and decompression.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION, TRANSFER_ENCODING,
};
use http::{HeaderValue, Method, StatusCode};

use super::body::{Body, BodyStream, Collected};
use super::cookies::{self, Jar};
use super::failure::Failure;
use super::headers::Headers;
use super::request_headers::{Left, RequestHeaders};
use super::target::Target;
use super::trace::TraceParent;
use super::transport::{AnswerHeaders, Head, Outgoing, Transport, Unread};
use super::{ClientKind, ClientShared};

const BAD_REDIRECT: Failure = Failure::new("Redirect to an address that cannot be requested");

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: AnswerHeaders,
    /// The reason phrase where it is not the usual one.
    pub(super) reason: Option<Bytes>,
    pub(super) body: Body,
    /// The body that is still to be read, in place of `body`: of a streamed response, or an encoded one.
    pub(super) unread: Option<Box<Unread>>,
    /// When the head was complete.
    pub(super) head_at: Instant,
    /// When the body was, if it was read.
    pub(super) ended_at: Instant,
    /// Who answered.
    pub(super) target: Arc<Target>,
    /// How many redirects led there.
    pub(super) redirects: usize,
}

impl Answer {
    /// An answer whose head has just come.
    fn new(head: Head, target: Arc<Target>) -> Self {
        let head_at = Instant::now();
        Self {
            head_at,
            ended_at: head_at,
            status: head.status,
            reason: head.reason,
            headers: head.headers,
            body: Body::default(),
            unread: None,
            target,
            redirects: 0,
        }
    }

    /// Reads a body that is to be read as it comes, and leaves every other to be read.
    async fn take_body(
        &mut self,
        mut unread: Unread,
        reading: Reading,
        max_body: usize,
    ) -> Result<(), Failure> {
        // The body of a redirect that is followed is not asked for, so that it may be broken.
        if reading == Reading::Head || self.headers.noted().encoding || self.status.is_redirection()
        {
            self.unread = Some(Box::new(unread));
            return Ok(());
        }
        let is_here = unread.is_here();
        let mut collected = Collected::new(max_body);
        while let Some(chunk) = unread
            .chunk()
            .await
            .map_err(|failure| failure.after(self.status))?
        {
            collected.push(chunk);
        }
        self.body = collected.finish();
        if !is_here {
            self.ended_at = Instant::now();
        }
        Ok(())
    }
}

/// What is read of a response before it is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Everything.
    Whole,
    /// The head; the body is left to be read.
    Head,
}

/// The parts of a client that an exchange needs.
pub(super) struct Route<'c> {
    pub(super) shared: &'c ClientShared,
    pub(super) headers: &'c Headers,
    pub(super) cookies: &'c mut Option<Box<Jar>>,
    pub(super) transport: &'c Transport,
    /// The header to add that says which trace the request belongs to, with all of its redirects.
    pub(super) traceparent: Option<TraceParent>,
}

/// Sends a request, follows its redirects as python-requests does, and reads and decodes the body unless
/// it is left to be read.
pub(super) async fn exchange(
    route: Route<'_>,
    target: &Arc<Target>,
    method: &Method,
    mut own_headers: Option<Cow<'_, Headers>>,
    mut body: Bytes,
    follow: bool,
    reading: Reading,
) -> Result<Answer, Failure> {
    let mut method = method.clone();
    let mut target = Arc::clone(target);
    let mut left = Left::default();
    let mut redirects = 0;
    loop {
        let root = &route.shared.root;
        let mut headers = RequestHeaders::new(route.headers, own_headers.as_deref(), root, &target)
            .after(left)
            .traced(route.traceparent);
        if body.is_empty() && expects_body(&method) {
            headers = headers.without_body();
        }
        cookies::add(route.cookies, &mut headers, &target);
        let outgoing = Outgoing {
            method: &method,
            target: &target,
            headers: &headers,
            body: &body,
        };
        let (head, unread) = route
            .transport
            .send(&route.shared.connections, &outgoing)
            .await?;
        let mut answer = Answer::new(head, Arc::clone(&target));
        let max_body = route.shared.options.max_body;
        answer.take_body(unread, reading, max_body).await?;
        cookies::keep(route.cookies, &answer.headers, &target);
        let kind = route.shared.options.kind;
        let location = match location(&answer.headers, kind) {
            Some(location) if follow && is_redirect(answer.status) => location,
            _ => {
                answer.redirects = redirects;
                if reading == Reading::Whole
                    && let Some(unread) = answer.unread.take()
                {
                    let body = BodyStream::new(*unread, answer.headers.map());
                    // In a box, as all that is large and that few requests need: what they all have is moved often.
                    answer.body = Box::pin(body.read_whole(max_body))
                        .await
                        .map_err(|failure| failure.after(answer.status))?;
                    answer.ended_at = Instant::now();
                }
                return Ok(answer);
            }
        };
        if let Some(unread) = answer.unread.take() {
            // A redirect's own body is read as usual, and its connection kept. Where it leads is in the head: what its
            // body lacks is nothing to the request, as for Locust's clients and browsers.
            let _ = Box::pin(unread.discard()).await;
        }
        if redirects == route.shared.options.max_redirects {
            return Err(Failure::too_many_redirects(redirects));
        }
        redirects += 1;
        let next = target
            .redirected(&location, kind)
            .map_err(|_| BAD_REDIRECT)?;
        if turns_into_get(answer.status, &method) {
            method = Method::GET;
        }
        if !matches!(answer.status.as_u16(), 307 | 308) {
            body = Bytes::new();
            if let Some(own) = own_headers.as_mut().map(Cow::to_mut) {
                for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
                    own.remove(name);
                }
            }
        }
        left.origin |= next.origin != target.origin;
        left.trusted |= !next.origin.is_trusted_after(&target.origin, kind);
        if let Some(own) = own_headers.as_mut().map(Cow::to_mut) {
            left.remove_from(own);
        }
        target = Arc::new(next);
    }
}

impl Left {
    /// Removes what was meant for others from a request's own headers.
    fn remove_from(self, own: &mut Headers) {
        if self.trusted {
            own.remove(AUTHORIZATION);
        }
        if self.origin {
            own.remove(COOKIE);
            own.remove(HOST);
        }
    }
}

/// Whether a server may wait for a body unless the request says that there is none (RFC 9110, section 8.6); as
/// python-requests has it.
fn expects_body(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// python-requests' rule: 302 and 303 turn everything but HEAD into GET, 301 only POST.
fn turns_into_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        302 | 303 => method != Method::HEAD,
        301 => method == Method::POST,
        _ => false,
    }
}

/// Where an answer leads, if anywhere. As by Locust's clients an empty location is none; of several ones
/// python-requests makes one, and geventhttpclient follows none.
fn location(headers: &AnswerHeaders, kind: ClientKind) -> Option<Cow<'_, [u8]>> {
    if !headers.noted().location {
        return None;
    }
    let mut all = headers
        .map()
        .get_all(LOCATION)
        .iter()
        .map(HeaderValue::as_bytes);
    let first = all.next()?;
    let rest: Vec<_> = all.collect();
    let location = match (rest.is_empty(), kind) {
        (true, _) => Cow::Borrowed(first),
        (false, ClientKind::Full) => {
            let all: Vec<_> = std::iter::once(first).chain(rest).collect();
            Cow::Owned(all.join(&b", "[..]))
        }
        (false, ClientKind::Fast) => return None,
    };
    (!location.trim_ascii().is_empty()).then_some(location)
}
