//! `--otlp URL`: the coordinator's way to a collector of OpenTelemetry, by gRPC or HTTP.
//!
//! A push by gRPC is one message and one status over HTTP/2, which the HTTP client of everything else speaks: a whole gRPC library would
//! take longer to compile than all of this.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use clap::{Args, ValueEnum};
use greylag_infra::protocol::cut;
use greylag_reporting::coordinator::{Collector, PushAnswer, PushError};
use greylag_reporting::plain_text;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, RequestBuilder};
use url::Url;

use super::failure::Failure;
use super::options::trusting;
use super::settings::Sources;
use crate::http_client::client_of;
use crate::innermost::innermost;

/// How long a push may take unless something else is said, in ms; OpenTelemetry's default.
const DEFAULT_TIMEOUT_MS: &str = "10000";
/// How long it may be allowed to take, in ms: others wait for it.
const LONGEST_TIMEOUT_MS: u64 = 60_000;
/// Longest answer of a collector that is read, in bytes: one that takes everything says nothing.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Longest reason of a collector that is logged, in bytes.
const MAX_REASON_BYTES: usize = 400;
/// Bytes before a message of gRPC: whether it is compressed, and its length.
const GRPC_PREFIX_BYTES: usize = 5;
/// The port on which collectors usually speak a protocol, and what to try there if the other one fails.
const USUAL_PORTS: [(u16, OtlpProtocol); 2] =
    [(4317, OtlpProtocol::Grpc), (4318, OtlpProtocol::Http)];
/// Path of the method that takes metrics by gRPC, and of those by HTTP.
const GRPC_PATH: &str = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const HTTP_PATH: &str = "v1/metrics";
/// The variable with the address that is pushed to by HTTP as it is.
const WHOLE_ADDRESS: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Status of gRPC for success.
const GRPC_OK: &str = "0";
/// Those after which the same message may be taken, by OTLP's specification (`otlp/#failures`): cancelled, deadline exceeded, resource exhausted, aborted, out of
/// range, unavailable, data loss.
const GRPC_MAY_PASS: [&str; 7] = ["1", "4", "8", "10", "11", "14", "15"];
/// The same of HTTP (`otlp/#retryable-response-codes`).
const HTTP_MAY_PASS: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Options about a collector. Their variables are those of every program that speaks OTLP.
#[derive(Debug, Args)]
pub(crate) struct OtlpOptions {
    /// Collector of OpenTelemetry that gets response times and users of runs in progress every 10 s, such as
    /// http://collector:4317.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    otlp: Option<OtlpUrl>,
    /// How the collector is spoken to.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_enum, default_value_t = OtlpProtocol::Grpc)]
    otlp_protocol: OtlpProtocol,
    /// Headers for the collector, such as 'authorization=Bearer%20TOKEN', separated by commas.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_name = "NAME=VALUE",
        hide_env_values = true
    )]
    otlp_headers: Option<OtlpHeaders>,
    /// Longest time for a push, in ms.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TIMEOUT", value_name = "MS", default_value = DEFAULT_TIMEOUT_MS,
        value_parser = clap::value_parser!(u64).range(1..=LONGEST_TIMEOUT_MS))]
    otlp_timeout: u64,
    /// Certificates (PEM) to trust in addition to the system's when the collector's address is https: of a private
    /// authority, or self-signed.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    otlp_certificate: Option<PathBuf>,
}

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// HTTP with the same messages.
    #[value(name = "http/protobuf")]
    Http,
}

/// The text is not the address of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give an address that begins with http:// or https://, without a query")]
struct OtlpUrlError;

/// The address of a collector, to which the method's path is appended.
#[derive(Clone)]
struct OtlpUrl(Url);

impl FromStr for OtlpUrl {
    type Err = OtlpUrlError;

    fn from_str(text: &str) -> Result<Self, OtlpUrlError> {
        let url = Url::parse(text).map_err(|_| OtlpUrlError)?;
        let is_valid = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none();
        is_valid.then_some(Self(url)).ok_or(OtlpUrlError)
    }
}

/// It may hold a password.
impl std::fmt::Debug for OtlpUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OtlpUrl(…)")
    }
}

/// The text is not a list of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give pairs as NAME=VALUE, separated by commas, with %20 for a space")]
struct OtlpHeadersError;

/// Headers for a collector, which may hold a token, so nothing shows them.
#[derive(Clone)]
struct OtlpHeaders(HeaderMap);

impl FromStr for OtlpHeaders {
    type Err = OtlpHeadersError;

    fn from_str(text: &str) -> Result<Self, OtlpHeadersError> {
        let mut headers = HeaderMap::new();
        for pair in text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').ok_or(OtlpHeadersError)?;
            let name = HeaderName::try_from(name.trim()).map_err(|_| OtlpHeadersError)?;
            let value = percent_decoded(value.trim()).ok_or(OtlpHeadersError)?;
            let mut value = HeaderValue::try_from(value).map_err(|_| OtlpHeadersError)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(Self(headers))
    }
}

impl std::fmt::Debug for OtlpHeaders {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OtlpHeaders(…)")
    }
}

/// The text with the bytes that `%20` and the like stand for.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2)?;
        // A sign would be read as one of the number.
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

/// The collector that these options name, which came from there.
///
/// # Errors
/// A certificate for an address without TLS that was meant for it, or no client can be made.
pub(crate) fn collector_of(
    options: OtlpOptions,
    sources: &Sources,
) -> Result<Option<Collector>, Failure> {
    let Some(OtlpUrl(mut url)) = options.otlp else {
        return Ok(None);
    };
    let protocol = options.otlp_protocol;
    let path = match protocol {
        OtlpProtocol::Grpc => GRPC_PATH,
        OtlpProtocol::Http => HTTP_PATH,
    };
    let base = url.path().trim_end_matches('/').to_owned();
    let is_whole =
        sources.name("otlp") == Some(WHOLE_ADDRESS) || base.ends_with(&format!("/{HTTP_PATH}"));
    if protocol == OtlpProtocol::Grpc || !is_whole {
        url.set_path(&format!("{base}/{path}"));
    }
    let mut headers = options
        .otlp_headers
        .map(|headers| headers.0)
        .unwrap_or_default();
    let media_type = match protocol {
        OtlpProtocol::Grpc => "application/grpc",
        OtlpProtocol::Http => "application/x-protobuf",
    };
    headers.insert("content-type", HeaderValue::from_static(media_type));
    if protocol == OtlpProtocol::Grpc {
        headers.insert("te", HeaderValue::from_static("trailers"));
    }
    let has_tls = url.scheme() == "https";
    if options.otlp_certificate.is_some() && !has_tls && !sources.is_shared("otlp_certificate") {
        return Err(Failure::bad_input(
            "the certificate of an OTLP collector has no effect, because the collector's address begins with http://; write \
             https:// there, or leave the certificate out",
        ));
    }
    let certificate = options.otlp_certificate.as_deref().filter(|_| has_tls);
    let tls = certificate.map(|file| {
        let mut tls = trusting("--otlp-certificate", file)?;
        // Many servers of gRPC refuse a connection that does not ask for HTTP/2 here.
        tls.alpn_protocols = match protocol {
            OtlpProtocol::Grpc => vec![b"h2".to_vec()],
            OtlpProtocol::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Ok(tls)
    });
    let tls = tls.transpose()?;
    let built = client_of(&url, tls.as_ref(), |builder| {
        let builder = builder
            .timeout(Duration::from_millis(options.otlp_timeout))
            .redirect(Policy::none())
            .default_headers(headers.clone());
        // Without TLS nothing negotiates the version.
        match protocol {
            OtlpProtocol::Grpc => builder.http2_prior_knowledge(),
            OtlpProtocol::Http => builder,
        }
    });
    let client = built.map_err(|error| {
        Failure::bad_input(format!(
            "the OTLP collector cannot be used: {}",
            innermost(&error)
        ))
    })?;
    Ok(Some(Collector {
        send: Arc::new(move |message| send(&client, &url, protocol, message)),
    }))
}

fn send(client: &Client, url: &Url, protocol: OtlpProtocol, message: Vec<u8>) -> PushAnswer {
    let body = match protocol {
        OtlpProtocol::Grpc => framed(&message),
        OtlpProtocol::Http => message,
    };
    let request = client.request(Method::POST, url.clone()).body(body);
    let advice = advice(url, protocol);
    Box::pin(async move {
        let answer = answer(request, protocol).await;
        answer.map_err(|error| PushError {
            reason: format!("{}{advice}", error.reason),
            ..error
        })
    })
}

/// What to try when pushes fail, if the port is usually one of the other protocol.
fn advice(url: &Url, protocol: OtlpProtocol) -> String {
    let usual = USUAL_PORTS
        .iter()
        .find(|(port, _)| url.port() == Some(*port));
    match usual {
        Some((port, usual)) if *usual != protocol => {
            let value = usual.to_possible_value();
            let value = value.expect("every protocol can be chosen");
            let name = value.get_name();
            format!(
                "; collectors usually speak {name} on port {port}, so try --otlp-protocol {name}"
            )
        }
        _ => String::new(),
    }
}

/// Sends a request and reads the message in its answer.
async fn answer(request: RequestBuilder, protocol: OtlpProtocol) -> Result<Vec<u8>, PushError> {
    let response = request.send().await;
    let response = response.map_err(|error| may_pass(innermost(&error.without_url())))?;
    let status = response.status();
    if !status.is_success() {
        return Err(PushError {
            reason: format!("it answered with status {}", status.as_u16()),
            may_pass: HTTP_MAY_PASS.contains(&status),
            pause: pause_of(response.headers()),
        });
    }
    let (head, body) = http::Response::<Body>::from(response).into_parts();
    let body = bounded(body).await.map_err(may_pass)?;
    match protocol {
        OtlpProtocol::Grpc => grpc_answer(&head.headers, body),
        OtlpProtocol::Http => Ok(body.to_bytes().into()),
    }
}

/// A push failed for a reason that may be another one next time.
fn may_pass(reason: String) -> PushError {
    PushError {
        reason,
        may_pass: true,
        pause: None,
    }
}

/// How long a collector wants to be left alone.
fn pause_of(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// Reads an answer up to [`MAX_ANSWER_BYTES`].
async fn bounded(body: Body) -> Result<Collected<Bytes>, String> {
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    body.map_err(|error| match error.downcast::<reqwest::Error>() {
        Ok(error) => innermost(&error.without_url()),
        Err(error) if error.is::<LengthLimitError>() => {
            format!("its answer is longer than {} KiB", MAX_ANSWER_BYTES / 1024)
        }
        Err(error) => innermost(&*error),
    })
}

/// A message as gRPC sends it: not compressed, with its length.
fn framed(message: &[u8]) -> Vec<u8> {
    let length =
        u32::try_from(message.len()).expect("the counts of so few runs are far from 4 GiB");
    let mut framed = Vec::with_capacity(message.len() + GRPC_PREFIX_BYTES);
    framed.push(0);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// A message without what gRPC sends before it; empty for one that is compressed or incomplete.
fn unframed(framed: &[u8]) -> Vec<u8> {
    let message = || {
        let (prefix, rest) = framed.split_at_checked(GRPC_PREFIX_BYTES)?;
        let (is_compressed, length) = prefix.split_first()?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let message = rest.get(..usize::try_from(length).ok()?)?;
        (*is_compressed == 0).then(|| message.to_vec())
    };
    message().unwrap_or_default()
}

/// What gRPC says in the trailers, or in the headers of an answer without a message, and the message.
fn grpc_answer(headers: &HeaderMap, body: Collected<Bytes>) -> Result<Vec<u8>, PushError> {
    let said = |name: &str| {
        let trailers = body.trailers();
        let value = trailers.and_then(|trailers| trailers.get(name));
        let value = value.or_else(|| headers.get(name))?;
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        // Percent-encoded UTF-8, but some send it as it is.
        let decoded = percent_decoded(&text);
        let text = decoded.map_or(text, |bytes| String::from_utf8_lossy(&bytes).into_owned());
        Some(cut(plain_text(&text).trim(), MAX_REASON_BYTES).into_owned())
    };
    let (reason, may_pass) = match said("grpc-status").as_deref() {
        Some(GRPC_OK) => return Ok(unframed(&body.to_bytes())),
        Some(status) => {
            let message = said("grpc-message").unwrap_or_default();
            let reason = format!("it answered with gRPC status {status} {message}");
            (
                reason.trim_end().to_owned(),
                GRPC_MAY_PASS.contains(&status),
            )
        }
        None => (
            "its answer is not one of gRPC; --otlp-protocol http/protobuf may be what it speaks"
                .to_owned(),
            false,
        ),
    };
    Err(PushError {
        reason,
        may_pass,
        pause: None,
    })
}

#[cfg(test)]
mod tests;
