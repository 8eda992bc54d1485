//! The HTTP client of a user.
//!
//! One `Client` and one transport for both kinds of users, so that what a scenario sees and what is recorded cannot
//! depend on which it has. The kinds differ in Locust's rules for them, and the full one speaks HTTP/2 and uses proxies:
//!
//! - `user_client`: the client and the requests it makes. `shared`, `options`, `kind`: what is the same for all users of
//!   a type.
//! - `request`: what a scenario says, from path and headers to bodies; timing and recording.
//! - `response`: what it gets, and the verdicts it gives.
//! - `session`, `cookies`: what a user keeps between two requests. `stopping`: whether the user is to stop.
//! - `setup_error`: why a client cannot be made.
//! - `pending`: requests that are not recorded yet. `measure`: what is timed that is not a request of this client.
//! - `exchange`: one timed request on any transport: redirects, cookies, decompression. `time_limit`: how long it may
//!   take.
//! - `locust_names`: what the compiler says where a name of Locust is written that is another one here.
//! - `trace`: which trace a request belongs to.
//! - `headers`: headers as they are written on the wire. `request_headers`: those of one request. `target`: base URL and path become an address, once per path.
//! - `transport`: carries one request to one answer, on a connection that is kept or a new one.
//! - `body`: what comes back. `failure`: what is said when nothing does.

mod body;
pub(crate) mod cookies;
mod exchange;
mod failure;
mod headers;
mod kind;
mod locust_names;
mod measure;
mod options;
mod pending;
mod request;
mod request_headers;
mod response;
mod session;
mod setup_error;
mod shared;
mod stopping;
mod target;
#[cfg(test)]
mod tests;
mod time_limit;
mod trace;
mod transport;
mod user_client;

pub use crate::task::{Recorded, RequestError, ResponseError};
pub use body::BodyNotKept;
pub use headers::{Headers, WrittenName};
pub use kind::{ClientKind, HttpVersion};
pub use measure::{Measure, Timing};
pub(crate) use options::ClientOptions;
pub use request::{
    Caught, CaughtStreamed, IntoHeaders, IntoPath, LARGEST_FILE, Multipart, Plain,
    REQUESTS_AT_ONCE, Request, RequestBody, RequestContext, RequestKind, Rest, Streamed,
};
pub use response::{
    Answered, CaughtResponse, CaughtStreamedResponse, JsonError, Judged, LARGEST_EVENT,
    LONGEST_LINE, ReadJson, Response, RestResponse, ServerSentEvent, Status, StreamError,
    StreamedResponse, ensure,
};
pub use session::Renamed;
pub use setup_error::ClientSetupError;
pub(crate) use shared::ClientShared;
pub use stopping::StopHandle;
pub(crate) use trace::Tracing;
pub use trace::{RequestTrace, TraceId};
pub(crate) use transport::ClientProxy;
pub use transport::{ProxyError, TlsConfigError, tls_client_config};
pub use user_client::Client;
