//! The `[client]` table.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::section::Section;
use crate::load_test::{ClientKind, ClientSettings, HttpVersion, Secret};

const KEYS: [&str; 11] = [
    "kind",
    "accept_invalid_certs",
    "root_certificate",
    "client_certificate",
    "proxy",
    "request_timeout",
    "connect_timeout",
    "max_redirects",
    "http_version",
    "max_body",
    "headers",
];

pub(super) fn client(outermost: &Section<'_>) -> ClientSettings {
    let Some(section) = outermost.section("client", "[client]") else {
        return ClientSettings::default();
    };
    section.refuse_other_keys(&KEYS);
    let settings = ClientSettings {
        kind: section.choice(
            "kind",
            &[("fast", ClientKind::Fast), ("full", ClientKind::Full)],
        ),
        accept_invalid_certs: section.flag("accept_invalid_certs"),
        root_certificate: section.text("root_certificate"),
        client_certificate: section.text("client_certificate").map(Secret::new),
        proxy: section.text("proxy").map(Secret::new),
        request_timeout: section.duration("request_timeout"),
        connect_timeout: section.duration("connect_timeout"),
        max_redirects: section.small("max_redirects"),
        http_version: section.choice(
            "http_version",
            &[
                ("auto", HttpVersion::Auto),
                ("1.1", HttpVersion::Http1),
                ("2", HttpVersion::Http2),
            ],
        ),
        max_body: section.whole("max_body"),
        headers: section.pairs("headers"),
    };
    for (key, problem) in settings.problems() {
        section.wrong(key, format!("`{key}` {problem}"));
    }
    settings
}

/// Writes settings as [`client`] reads them, and not as they are kept: timeouts are seconds.
///
/// # Errors
/// Those of the serializer.
pub(super) fn as_written<S: Serializer>(
    client: &ClientSettings,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut written = serde_json::to_value(client).map_err(S::Error::custom)?;
    for (key, timeout) in [
        ("request_timeout", client.request_timeout),
        ("connect_timeout", client.connect_timeout),
    ] {
        written[key] = timeout.map(|timeout| timeout.as_secs_f64()).into();
    }
    written.serialize(serializer)
}
