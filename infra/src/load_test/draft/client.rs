//! The `[client]` table.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::section::Section;
use crate::load_test::{ClientKind, ClientSettings, HttpVersion, Secret};

pub(super) const KEYS: [&str; 11] = [
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load_test::TestDraft;

    #[test]
    fn all_settings_are_read_as_they_are_written() {
        let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let client = ClientSettings {
            kind: Some(ClientKind::Full),
            accept_invalid_certs: Some(true),
            root_certificate: Some(pem.to_owned()),
            client_certificate: Some(Secret::new(pem)),
            proxy: Some(Secret::new("http://user:geheim@proxy.example:3128")),
            request_timeout: Some(Duration::from_millis(1_500)),
            connect_timeout: Some(Duration::from_millis(20)),
            max_redirects: Some(3),
            http_version: Some(HttpVersion::Http1),
            max_body: Some(1_000),
            headers: vec![
                ("accept".to_owned(), "a".to_owned()),
                ("accept".to_owned(), "b".to_owned()),
            ],
        };
        // Without requests `kind` is not allowed.
        let (declared, _) = TestDraft::from_json(br#"{"request": [{"path": "/"}]}"#);
        let draft = TestDraft {
            host: Some("http://a".to_owned()),
            client,
            ..declared
        };
        let written = serde_json::to_value(&draft).unwrap();
        let mut keys: Vec<_> = written["client"].as_object().unwrap().keys().collect();
        let mut known = KEYS;
        keys.sort();
        known.sort_unstable();
        assert_eq!(keys, known);
        let (read, errors) = TestDraft::from_json(written.to_string().as_bytes());
        assert!(errors.is_empty(), "{errors}");
        assert_eq!(read, draft);
    }
}
