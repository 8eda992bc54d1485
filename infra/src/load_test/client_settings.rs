//! What a load test says about its users' HTTP client. One structure for test files, the API, the wire and the
//! store; what is left out is as the user types say it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::draft::{DurationValue, HeaderValues};
use super::header_problems;

/// Largest certificate text, in bytes: some hundred certificates.
pub const MAX_CERTIFICATE_BYTES: usize = 256 * 1024;
/// Longest timeout, in seconds.
const MAX_TIMEOUT_S: u64 = 86_400;
/// Most redirects that may be followed.
const MAX_REDIRECTS: u32 = 1_000;
/// Largest body that may be kept to be read, in bytes.
const MAX_BODY_BYTES: u64 = 1 << 30;
/// Most headers sent with every request.
const MAX_HEADERS: usize = 100;
/// Longest URL of a proxy, in bytes.
const MAX_PROXY_BYTES: usize = 2_000;
/// How a PEM text begins somewhere.
const PEM: &str = "-----BEGIN ";

/// Settings of the HTTP client; none leaves the user type's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClientSettings {
    /// Which client: of declared requests only, because user types are written for theirs.
    pub kind: Option<ClientKind>,
    /// Whether certificates of servers go unchecked.
    pub accept_invalid_certs: Option<bool>,
    /// Certificates to trust beside the system's, as PEM text.
    pub root_certificate: Option<String>,
    /// A certificate chain with its private key, as PEM text, for servers that ask for one.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub client_certificate: Option<Secret>,
    /// URL of a proxy, which may have a password; of the full client only.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub proxy: Option<Secret>,
    /// Longest time for a whole request.
    #[cfg_attr(feature = "schema", schema(value_type = Option<DurationValue>))]
    pub request_timeout: Option<Duration>,
    /// Longest time for making a connection.
    #[cfg_attr(feature = "schema", schema(value_type = Option<DurationValue>))]
    pub connect_timeout: Option<Duration>,
    /// How many redirects are followed; 0 for none.
    pub max_redirects: Option<u32>,
    /// Which versions of HTTP are spoken; of the full client only.
    pub http_version: Option<HttpVersion>,
    /// Most bytes of a decoded response body that are kept to be read; larger bodies are received and counted.
    pub max_body: Option<u64>,
    /// Headers of every request, unless the request sets them itself.
    #[cfg_attr(feature = "schema", schema(value_type = HeaderValues))]
    pub headers: Vec<(String, String)>,
}

/// Which HTTP client users have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ClientKind {
    /// HTTP/1.1: Locust's `FastHttpUser`.
    Fast,
    /// HTTP/1.1 and HTTP/2, also through proxies: Locust's `HttpUser`.
    Full,
}

/// Which versions of HTTP users speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum HttpVersion {
    /// What the server offers over TLS, HTTP/2 first.
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1 only.
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2 only.
    #[serde(rename = "2")]
    Http2,
}

/// A text that is never shown. It is sent to agents and kept with a run until the run has ended.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text; empty when it was forgotten after the run.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is_forgotten(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl ClientSettings {
    /// The settings that name a file, each with its key and with the file's path, to be replaced by the file's
    /// text. A text in PEM is not a path.
    pub fn files_mut(&mut self) -> Vec<(&'static str, &mut String)> {
        let secret = self.client_certificate.as_mut().map(|secret| &mut secret.0);
        [
            ("root_certificate", self.root_certificate.as_mut()),
            ("client_certificate", secret),
        ]
        .into_iter()
        .filter_map(|(key, text)| text.map(|text| (key, text)))
        .filter(|(_, text)| !text.contains(PEM))
        .collect()
    }

    /// The settings without certificate and proxy; for the headers see [`crate::LoadTest::without_secrets`].
    #[must_use]
    pub(crate) fn without_secrets(mut self) -> Self {
        for secret in [&mut self.client_certificate, &mut self.proxy]
            .into_iter()
            .flatten()
        {
            *secret = Secret::default();
        }
        self
    }

    /// What cannot be: the key, and what is wrong with it. Files that are named count as right.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let certificates = [
            ("root_certificate", self.root_certificate.as_deref()),
            (
                "client_certificate",
                self.client_certificate.as_ref().map(Secret::expose),
            ),
        ];
        for (key, text) in certificates {
            if text.is_some_and(|text| text.len() > MAX_CERTIFICATE_BYTES) {
                problems.push((
                    key,
                    format!("is larger than {MAX_CERTIFICATE_BYTES} bytes; include only the certificates that are needed"),
                ));
            }
        }
        for (key, secret) in [
            ("client_certificate", &self.client_certificate),
            ("proxy", &self.proxy),
        ] {
            if secret.as_ref().is_some_and(Secret::is_forgotten) {
                problems.push((
                    key,
                    "is empty because it is not kept after a run; start the test again from its test file or program".to_owned(),
                ));
            }
        }
        let is_proxy = |url: &str| url.len() <= MAX_PROXY_BYTES && url::Url::parse(url).is_ok();
        if let Some(proxy) = &self.proxy
            && !proxy.is_forgotten()
            && !is_proxy(proxy.expose())
        {
            problems.push((
                "proxy",
                "is not a URL such as http://proxy.example:3128".to_owned(),
            ));
        }
        if self.kind == Some(ClientKind::Fast) {
            problems.extend(self.needs_full());
        }
        if let Some(most) = self.max_body
            && most > MAX_BODY_BYTES
        {
            problems.push((
                "max_body",
                format!("is {most} bytes; the maximum is {MAX_BODY_BYTES}"),
            ));
        }
        for (key, timeout) in [
            ("request_timeout", self.request_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if timeout.is_some_and(|t| t.is_zero() || t > Duration::from_secs(MAX_TIMEOUT_S)) {
                problems.push((
                    key,
                    "must be above 0 and at most one day; parts of a second such as `500ms` are allowed".to_owned(),
                ));
            }
        }
        if let Some(most) = self.max_redirects
            && most > MAX_REDIRECTS
        {
            problems.push((
                "max_redirects",
                format!("is {most}; the maximum is {MAX_REDIRECTS}"),
            ));
        }
        if self.headers.len() > MAX_HEADERS {
            problems.push((
                "headers",
                format!(
                    "has {} entries; the maximum is {MAX_HEADERS}",
                    self.headers.len()
                ),
            ));
        }
        problems.extend(header_problems(&self.headers).map(|problem| ("headers", problem)));
        problems
    }

    /// What only the full client has, as problems of settings for the fast one.
    pub(crate) fn needs_full(&self) -> Vec<(&'static str, String)> {
        let full_only = [
            ("proxy", self.proxy.is_some()),
            ("http_version", self.http_version.is_some()),
        ];
        full_only
            .into_iter()
            .filter(|(_, is_given)| *is_given)
            .map(|(key, _)| (key, "needs the full client: set kind = \"full\"".to_owned()))
            .collect()
    }

    /// What cannot be at an agent: files that were not read.
    pub(crate) fn unread_file(&self) -> Option<(&'static str, String)> {
        let (key, _) = self.clone().files_mut().into_iter().next()?;
        // The text of a forgotten secret was named already.
        if key == "client_certificate"
            && self
                .client_certificate
                .as_ref()
                .is_some_and(Secret::is_forgotten)
        {
            return None;
        }
        Some((
            key,
            "is not PEM text (`-----BEGIN …`); a file's path works only in a test file, which the command line reads"
                .to_owned(),
        ))
    }

    /// What people may see, as label and text.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let mut add = |label, value: Option<String>| rows.extend(value.map(|value| (label, value)));
        add(
            "Client",
            self.kind.map(|kind| match kind {
                ClientKind::Fast => "fast".to_owned(),
                ClientKind::Full => "full".to_owned(),
            }),
        );
        let unchecked = self.accept_invalid_certs == Some(true);
        add(
            "Server Certificates",
            unchecked.then(|| "not checked".to_owned()),
        );
        let given = |is_given: bool| is_given.then(|| "given".to_owned());
        add("Root Certificate", given(self.root_certificate.is_some()));
        add(
            "Client Certificate",
            given(self.client_certificate.is_some()),
        );
        // Without its password: host and port are enough to know it.
        add(
            "Proxy",
            self.proxy.as_ref().map(|proxy| {
                let url = url::Url::parse(proxy.expose()).ok();
                let host = url.and_then(|url| {
                    let host = url.host_str()?.to_owned();
                    let port = url
                        .port()
                        .map_or_else(String::new, |port| format!(":{port}"));
                    Some(format!("{}://{host}{port}", url.scheme()))
                });
                host.unwrap_or_else(|| "given".to_owned())
            }),
        );
        let time = |timeout: Option<Duration>| timeout.map(|t| format!("{}s", t.as_secs_f64()));
        add("Request Timeout", time(self.request_timeout));
        add("Connect Timeout", time(self.connect_timeout));
        add(
            "Max Redirects",
            self.max_redirects.map(|most| most.to_string()),
        );
        add(
            "HTTP Version",
            self.http_version.map(|version| match version {
                HttpVersion::Auto => "as the server offers".to_owned(),
                HttpVersion::Http1 => "1.1 only".to_owned(),
                HttpVersion::Http2 => "2 only".to_owned(),
            }),
        );
        add(
            "Bodies Kept",
            self.max_body.map(|most| format!("up to {most} bytes")),
        );
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        // The values may be secrets.
        add(
            "Default Headers",
            (!names.is_empty()).then(|| names.join(", ")),
        );
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown_and_are_forgotten() {
        let settings = ClientSettings {
            client_certificate: Some(Secret::new("-----BEGIN geheim")),
            proxy: Some(Secret::new("http://ada:geheim@proxy.example:3128")),
            headers: vec![("Authorization".into(), "Bearer geheim".into())],
            ..ClientSettings::default()
        };
        assert_eq!(settings.problems(), []);
        let debug = format!("{:?}", (&settings.client_certificate, &settings.proxy));
        assert!(!debug.contains("geheim"), "{debug}");
        let shown = format!("{:?}", settings.shown());
        assert!(
            !shown.contains("geheim") && shown.contains("http://proxy.example:3128"),
            "{shown}"
        );
        let kept = settings.without_secrets();
        let stored = serde_json::to_string(&kept).unwrap();
        assert!(!stored.contains("BEGIN") && !stored.contains("proxy.example"));
        let keys: Vec<_> = kept.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["client_certificate", "proxy"]);
    }

    #[test]
    fn only_paths_are_files() {
        let mut settings = ClientSettings {
            root_certificate: Some("ca.pem".into()),
            client_certificate: Some(Secret::new("-----BEGIN CERTIFICATE-----")),
            ..ClientSettings::default()
        };
        assert!(settings.unread_file().is_some());
        for (key, text) in settings.files_mut() {
            assert_eq!((key, text.as_str()), ("root_certificate", "ca.pem"));
            *text = "-----BEGIN CERTIFICATE-----".into();
        }
        assert_eq!(settings.unread_file(), None);
    }
}
